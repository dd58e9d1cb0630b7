import {
  CoreApp,
  DataFrameType,
  type DataQueryRequest,
  type DataSourceApi,
  type DataSourceInstanceSettings,
  dateTime,
  FieldType,
  hasLogsContextSupport,
  hasLogsContextUiSupport,
  hasLogsLabelTypesSupport,
  hasQueryModificationSupport,
  hasSupplementaryQuerySupport,
  hasToggleableQueryFiltersSupport,
  LoadingState,
  LogLevel,
  type LogRowModel,
  SupplementaryQueryType,
  toDataFrame,
} from '@grafana/data';
import { DataSourceWithBackend } from '@grafana/runtime';
import { lastValueFrom, of } from 'rxjs';
import { WoodshedDatasource } from './datasource';
import type { WoodshedOptions, WoodshedQuery } from './types';

const replace = jest.fn((text: string) => text);

jest.mock('@grafana/runtime', () => ({
  ...jest.requireActual('@grafana/runtime'),
  getTemplateSrv: () => ({ replace }),
}));

function datasource(jsonData: WoodshedOptions = {}) {
  const settings = { uid: 'woodshed', type: 'woodshed-logs-datasource', name: 'Woodshed', jsonData };
  return new WoodshedDatasource(settings as unknown as DataSourceInstanceSettings<WoodshedOptions>);
}

const logs: WoodshedQuery = { refId: 'A', expr: '{app="api"} |= "x"' };

function request(app: CoreApp, ...targets: WoodshedQuery[]): DataQueryRequest<WoodshedQuery> {
  const from = dateTime(0);
  const to = dateTime(3_600_000);
  return {
    app,
    targets,
    requestId: 'Q1',
    interval: '15s',
    intervalMs: 15_000,
    range: { from, to, raw: { from, to } },
    scopedVars: {},
    startTime: 0,
    timezone: 'utc',
  };
}

const frame = toDataFrame({
  fields: [
    { name: 'timestamp', type: FieldType.time, values: [1, 2] },
    {
      name: 'labelTypes',
      type: FieldType.other,
      values: [
        { app: 'I', trace_id: 'S' },
        { app: 'I', status: 'P' },
      ],
    },
  ],
});

const toLogRow = {
  entryFieldIndex: 1,
  rowIndex: 0,
  entry: '',
  raw: '',
  hasAnsi: false,
  hasUnescapedContent: false,
  logLevel: LogLevel.info,
  timeEpochMs: 0,
  timeEpochNs: '5',
  timeFromNow: '',
  timeLocal: '',
  timeUtc: '',
  uid: 'A_1',
};

describe('WoodshedDatasource', () => {
  beforeEach(() => {
    replace.mockImplementation((text) => text);
    window.localStorage.clear();
  });

  it('is what Explore asks it to be', () => {
    expect(
      hasSupplementaryQuerySupport(datasource() as unknown as DataSourceApi, SupplementaryQueryType.LogsVolume)
    ).toBe(true);
    expect(hasToggleableQueryFiltersSupport(datasource())).toBe(true);
    expect(hasQueryModificationSupport(datasource())).toBe(true);
    expect(hasLogsLabelTypesSupport(datasource())).toBe(true);
    expect(hasLogsContextSupport(datasource())).toBe(true);
    expect(hasLogsContextUiSupport(datasource())).toBe(true);
  });

  it('has defaults', () => {
    expect(datasource().maxLines).toBe(1000);
    expect(datasource({ maxLines: 50 }).maxLines).toBe(50);
    expect(datasource().getDefaultQuery(CoreApp.Explore)).toEqual({ expr: '', queryType: 'range' });
    expect(datasource().getDefaultQuery(CoreApp.UnifiedAlerting)).toEqual({ expr: '', queryType: 'instant' });
    expect(datasource().getQueryDisplayText(logs)).toBe(logs.expr);
  });

  it('does not run what is empty or hidden', () => {
    expect(datasource().filterQuery(logs)).toBe(true);
    expect(datasource().filterQuery({ ...logs, hide: true })).toBe(false);
    expect(datasource().filterQuery({ refId: 'A', expr: ' # later' })).toBe(false);
    expect(datasource().filterQuery({ refId: 'A' } as WoodshedQuery)).toBe(false);
  });

  it('replaces variables in everything that a person types', () => {
    replace.mockImplementation((text) => text.replaceAll('$v', 'w'));
    const query = { ...logs, expr: '{app="$v"}', legendFormat: '$v', step: '$v' };
    expect(datasource().applyTemplateVariables(query, {})).toEqual({
      ...logs,
      expr: '{app="w"}',
      legendFormat: 'w',
      step: 'w',
    });
    expect(datasource().interpolateVariablesInQueries([query], {})[0].expr).toBe('{app="w"}');
  });

  describe('query', () => {
    const sent = async (app: CoreApp, query: WoodshedQuery) => {
      const spy = jest
        .spyOn(DataSourceWithBackend.prototype, 'query')
        .mockReturnValue(of({ data: [], state: LoadingState.Done }));
      await lastValueFrom(datasource().query(request(app, query)));
      const [{ targets }] = spy.mock.calls[0];
      spy.mockRestore();
      return targets[0];
    };

    it('follows the order that Explore shows, unless the query has its own', async () => {
      expect(await sent(CoreApp.Explore, logs)).toMatchObject({ direction: 'backward' });
      window.localStorage.setItem('grafana.explore.logs.sortOrder', 'Ascending');
      expect(await sent(CoreApp.Explore, logs)).toMatchObject({ direction: 'forward' });
      expect(await sent(CoreApp.Explore, { ...logs, direction: 'backward' })).toMatchObject({ direction: 'backward' });
    });

    it('leaves the queries of panels alone', async () => {
      window.localStorage.setItem('grafana.explore.logs.sortOrder', 'Ascending');
      expect(await sent(CoreApp.Dashboard, logs)).toEqual(logs);
    });
  });

  it('writes ad hoc filters into queries once it knows the labels of streams', async () => {
    const ds = datasource();
    jest.spyOn(ds, 'getResource').mockResolvedValue({ data: ['env'] });
    const filters = [
      { key: 'env', operator: '=', value: 'x' },
      { key: 'trace', operator: '=|', value: '1', values: ['1', '2'] },
    ];
    expect(ds.applyTemplateVariables(logs, {}, filters).expr).toBe('{app="api"} |= "x" | env="x" | trace=~"1|2"');
    const spy = jest
      .spyOn(DataSourceWithBackend.prototype, 'query')
      .mockReturnValue(of({ data: [], state: LoadingState.Done }));
    await lastValueFrom(ds.query({ ...request(CoreApp.Dashboard, logs), filters }));
    spy.mockRestore();
    expect(ds.interpolateVariablesInQueries([logs], {}, filters)[0].expr).toBe(
      '{app="api", env="x"} |= "x" | trace=~"1|2"'
    );
  });

  it('finds the values of variables and of ad hoc filters', async () => {
    const ds = datasource();
    jest.spyOn(ds, 'getResource').mockResolvedValue({ data: ['v'] });
    const { range } = request(CoreApp.Dashboard);
    expect(await ds.metricFindQuery('label_values(app)', { range })).toEqual([{ text: 'v', value: 'v' }]);
    expect(await ds.getTagKeys({ filters: [], timeRange: range })).toContainEqual({ text: 'v', value: 'v' });
    expect(await ds.getTagValues({ key: 'app', filters: [], timeRange: range })).toEqual([{ text: 'v', value: 'v' }]);
  });

  it('asks for the volume of logs queries', () => {
    const metric: WoodshedQuery = { refId: 'B', expr: 'rate({app="api"}[5m])' };
    const hidden: WoodshedQuery = { ...logs, refId: 'C', hide: true };
    const asked = datasource().getSupplementaryRequest(
      SupplementaryQueryType.LogsVolume,
      request(CoreApp.Explore, logs, metric, hidden)
    );
    expect(asked?.targets).toEqual([
      {
        refId: 'log-volume-A',
        queryType: 'range',
        expr: 'sum by (detected_level) (count_over_time({app="api"} |= "x" [$__auto]))',
        legendFormat: '{{detected_level}}',
        supportingQueryType: 'logsVolume',
      },
    ]);
    expect(
      datasource().getSupplementaryRequest(SupplementaryQueryType.LogsVolume, request(CoreApp.Explore, metric))
    ).toBeUndefined();
    expect(
      datasource().getSupplementaryRequest(SupplementaryQueryType.LogsSample, request(CoreApp.Explore, logs))
    ).toBeUndefined();
  });

  it('asks for the lines behind metric queries', () => {
    const metric: WoodshedQuery = { refId: 'B', expr: 'rate({app="api"} | json [5m])' };
    const asked = datasource().getSupplementaryRequest(
      SupplementaryQueryType.LogsSample,
      request(CoreApp.Explore, logs, metric)
    );
    expect(asked?.targets.map(({ refId, expr }) => [refId, expr])).toEqual([['log-sample-B', '{app="api"} | json']]);
  });

  describe('context', () => {
    const row: LogRowModel = {
      ...toLogRow,
      dataFrame: frame,
      labels: { app: 'api', trace_id: '1' },
    };

    it('is of the stream of a row, and asked for in nanoseconds', async () => {
      const lines = toDataFrame({
        refId: 'x',
        meta: { type: DataFrameType.LogLines },
        fields: [{ name: 'timestamp', type: FieldType.time, values: [1] }],
      });
      const spy = jest
        .spyOn(DataSourceWithBackend.prototype, 'query')
        .mockReturnValue(of({ data: [lines], state: LoadingState.Done }));
      const answer = await datasource().getLogRowContext(row, { limit: 10 }, logs);
      expect(spy.mock.calls[0][0].targets[0]).toMatchObject({ expr: '{app="api"}', endNs: '6', maxLines: 10 });
      expect(answer.data[0].fields[0].nanos).toEqual([0]);
      spy.mockRestore();
      expect(await datasource().getLogRowContext(row)).toEqual({ data: [] });
    });

    it('can be opened as a query, and widened', async () => {
      const ds = datasource();
      expect(ds.supportsAdjustableWindow).toBe(true);
      expect(await ds.getLogRowContextQuery(row, {}, logs)).toMatchObject({ refId: 'A', expr: '{app="api"}' });
      expect(await ds.getLogRowContextQuery(row)).toBeNull();
      expect(ds.getLogRowContextUi(row, jest.fn(), logs)).toBeTruthy();
    });
  });

  it('filters by the origin that the frame tells', () => {
    const toggle = (key: string, value: string) =>
      datasource().toggleQueryFilter(logs, { type: 'FILTER_FOR', options: { key, value }, frame }).expr;
    expect(toggle('app', 'web')).toBe('{app="api", app="web"} |= "x"');
    expect(toggle('trace_id', '1')).toBe('{app="api"} |= "x" | trace_id="1"');
    expect(toggle('status', '500')).toBe('{app="api"} |= "x" | status="500"');
    expect(toggle('elsewhere', '1')).toBe('{app="api"} |= "x" | elsewhere="1"');
  });

  it('switches a filter on and off, and shows which is on', () => {
    const filter = { type: 'FILTER_FOR', options: { key: 'app', value: 'api' }, frame } as const;
    expect(datasource().queryHasFilter(logs, filter.options)).toBe(true);
    const off = datasource().toggleQueryFilter(logs, filter);
    expect(off.expr).toBe('{} |= "x"');
    expect(datasource().queryHasFilter(off, filter.options)).toBe(false);
    const out = datasource().toggleQueryFilter(off, { ...filter, type: 'FILTER_OUT' });
    expect(out.expr).toBe('{app!="api"} |= "x"');
  });

  it('modifies a query as the details and the selection of a row ask', () => {
    const modify = (type: string, options: Record<string, string>) =>
      datasource().modifyQuery(logs, { type, options, frame }).expr;
    expect(datasource().getSupportedQueryModifications()).toHaveLength(4);
    expect(modify('ADD_FILTER', { key: 'trace_id', value: '1' })).toBe('{app="api"} |= "x" | trace_id="1"');
    expect(modify('ADD_FILTER_OUT', { key: 'app', value: 'web' })).toBe('{app="api", app!="web"} |= "x"');
    expect(modify('ADD_STRING_FILTER', { value: 'y' })).toBe('{app="api"} |= "x" |= "y"');
    expect(modify('ADD_STRING_FILTER_OUT', { value: 'y' })).toBe('{app="api"} |= "x" != "y"');
    expect(modify('SOMETHING_ELSE', {})).toBe(logs.expr);
  });

  it('groups labels by their origin', () => {
    const group = (name: string, row: number | null) => datasource().getLabelDisplayTypeFromFrame(name, frame, row);
    expect(group('app', 0)).toBe('Indexed labels');
    expect(group('trace_id', 0)).toBe('Structured metadata');
    expect(group('trace_id', 1)).toBeNull();
    expect(group('status', null)).toBe('Parsed fields');
    expect(datasource().getLabelDisplayTypeFromFrame('app', undefined, null)).toBeNull();
  });

  it('narrows pickers by a selector only when the store would take it', async () => {
    const ds = datasource();
    const spy = jest.spyOn(ds, 'getResource').mockResolvedValue({ data: ['x'] });
    const { range } = request(CoreApp.Explore);
    const source = ds.labelSource(range);
    await source.labelNames([{ name: 'app', op: '!=', value: 'api' }]);
    expect(spy).toHaveBeenLastCalledWith(
      'labels',
      { start: '0000000', end: '3600000000000' },
      { showErrorAlert: false }
    );
    expect(await source.labelValues('env', [{ name: 'app', op: '=', value: 'api' }])).toEqual(['x']);
    expect(spy).toHaveBeenLastCalledWith(
      'label/env/values',
      expect.objectContaining({ query: '{app="api"}' }),
      expect.anything()
    );
  });
});

describe('stats queries', () => {
  const stats: WoodshedQuery = { refId: 'A', expr: '', queryType: 'stats', stat: 'cpu', by: 'none' };

  it('run once they name a statistic', () => {
    expect(datasource().filterQuery(stats)).toBe(true);
    expect(datasource().filterQuery({ ...stats, stat: undefined, expr: '{app="api"}' })).toBe(false);
    expect(datasource().filterQuery({ ...stats, hide: true })).toBe(false);
    expect(datasource().getQueryDisplayText(stats)).toBe('cpu by none');
    expect(datasource().applyTemplateVariables(stats, {})).toEqual(stats);
  });

  it('have no volume of logs', () => {
    const type = SupplementaryQueryType.LogsVolume;
    expect(datasource().getSupplementaryQuery({ type }, { ...stats, expr: '{app="api"}' })).toBeUndefined();
  });
});
