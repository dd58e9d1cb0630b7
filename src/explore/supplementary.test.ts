import { SupplementaryQueryType } from '@grafana/data';
import { SUPPLEMENTARY_TYPES, supplementaryQuery } from './supplementary';

const volume = { type: SupplementaryQueryType.LogsVolume } as const;
const sample = { type: SupplementaryQueryType.LogsSample } as const;
const logs = { refId: 'A', expr: '{app="api"} |= "x"' };
const metric = {
  refId: 'B',
  expr: 'sum by (app) (rate({app="api"} | json [5m]))',
  legendFormat: '{{app}}',
  step: '1m',
};

describe('supplementaryQuery', () => {
  it('counts lines by level', () => {
    expect(SUPPLEMENTARY_TYPES).toContain(SupplementaryQueryType.LogsVolume);
    expect(supplementaryQuery(volume, logs)).toMatchObject({
      refId: 'log-volume-A',
      expr: 'sum by (detected_level) (count_over_time({app="api"} |= "x" [$__auto]))',
      supportingQueryType: 'logsVolume',
    });
    expect(supplementaryQuery(volume, metric)).toBeUndefined();
  });

  it('samples the lines behind a metric query', () => {
    expect(SUPPLEMENTARY_TYPES).toContain(SupplementaryQueryType.LogsSample);
    expect(supplementaryQuery(sample, metric)).toEqual({
      refId: 'log-sample-B',
      datasource: undefined,
      queryType: 'range',
      expr: '{app="api"} | json',
      maxLines: 100,
      supportingQueryType: 'logsSample',
    });
    expect(supplementaryQuery({ ...sample, limit: 7 }, metric)?.maxLines).toBe(7);
    expect(supplementaryQuery(sample, logs)).toBeUndefined();
  });

  it('leaves hidden and empty queries alone', () => {
    expect(supplementaryQuery(volume, { ...logs, hide: true })).toBeUndefined();
    expect(supplementaryQuery(sample, { ...metric, hide: true })).toBeUndefined();
    expect(supplementaryQuery(volume, { refId: 'A', expr: '' })).toBeUndefined();
  });
});
