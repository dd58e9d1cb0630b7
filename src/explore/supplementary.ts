/** Queries that Explore runs beside those of a person: the histogram above log rows, and the log rows behind a graph. */
import { type SupplementaryQueryOptions, SupplementaryQueryType } from '@grafana/data';
import { sampleQuery, volumeQuery } from '../logql/modify';
import type { WoodshedQuery } from '../types';

const SAMPLE_LINES = 100;

export const SUPPLEMENTARY_TYPES = [SupplementaryQueryType.LogsVolume, SupplementaryQueryType.LogsSample];

export function supplementaryQuery(
  options: SupplementaryQueryOptions,
  { expr, refId, datasource, hide, step }: WoodshedQuery
): WoodshedQuery | undefined {
  if (hide || !expr) {
    return undefined;
  }
  if (options.type === SupplementaryQueryType.LogsVolume) {
    const volume = volumeQuery(expr);
    return volume === undefined
      ? undefined
      : {
          refId: `log-volume-${refId}`,
          datasource,
          queryType: 'range',
          expr: volume,
          step,
          legendFormat: '{{detected_level}}',
          supportingQueryType: 'logsVolume',
        };
  }
  const sample = sampleQuery(expr);
  return sample === undefined
    ? undefined
    : {
        refId: `log-sample-${refId}`,
        datasource,
        queryType: 'range',
        expr: sample,
        maxLines: options.limit ?? SAMPLE_LINES,
        supportingQueryType: 'logsSample',
      };
}
