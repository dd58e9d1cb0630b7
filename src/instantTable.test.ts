import { CoreApp, type DataFrame, DataFrameType, type DataQueryRequest, FieldType, toDataFrame } from '@grafana/data';
import { withInstantTables } from './instantTable';
import type { WoodshedQuery } from './types';

function series(refId: string, type: DataFrameType, labels: Record<string, string>, value: number): DataFrame {
  return toDataFrame({
    refId,
    meta: { type, typeVersion: [0, 1], custom: { error: 'cut' } },
    fields: [
      { name: 'Time', type: FieldType.time, values: [1] },
      { name: 'Value', type: FieldType.number, values: [value], labels, config: { displayNameFromDS: 'x' } },
    ],
  });
}

const { NumericMulti, TimeSeriesMulti } = DataFrameType;
const range = series('R', TimeSeriesMulti, { app: 'api' }, 9);
const data = [
  series('A', NumericMulti, { app: 'api', pod: 'p1' }, 1),
  series('A', NumericMulti, { app: 'web', zone: 'z' }, 2),
  range,
  series('B', NumericMulti, {}, 3),
];

function shown(app: CoreApp, panelPluginId?: string): DataFrame[] {
  return withInstantTables({ data }, { app, panelPluginId } as DataQueryRequest<WoodshedQuery>).data;
}

describe('withInstantTables', () => {
  it('makes one table of each query', () => {
    const [first, a, b] = shown(CoreApp.Dashboard, 'table');
    expect(first).toBe(range);
    expect(a.fields.map(({ name, values }) => [name, values])).toEqual([
      ['Time', [1, 1]],
      ['app', ['api', 'web']],
      ['pod', ['p1', '']],
      ['zone', ['', 'z']],
      ['Value #A', [1, 2]],
    ]);
    expect(a).toMatchObject({
      refId: 'A',
      length: 2,
      meta: { preferredVisualisationType: 'table', custom: { error: 'cut' } },
    });
    expect(a.fields[4].config).toEqual({});
    expect(b.fields.map(({ name, values }) => [name, values])).toEqual([
      ['Time', [1]],
      ['Value #B', [3]],
    ]);
  });

  it('leaves series to those who show series', () => {
    expect(shown(CoreApp.Explore)).toHaveLength(3);
    expect(shown(CoreApp.Dashboard, 'barchart')).toHaveLength(3);
    expect(shown(CoreApp.Dashboard, 'stat')).toBe(data);
    expect(shown(CoreApp.UnifiedAlerting)).toBe(data);
  });

  it('leaves "no data" as it is', () => {
    const empty = { data: [toDataFrame({ meta: { type: NumericMulti }, fields: [] }), range] };
    const request = { app: CoreApp.Explore } as DataQueryRequest<WoodshedQuery>;
    expect(withInstantTables(empty, request)).toBe(empty);
  });
});
