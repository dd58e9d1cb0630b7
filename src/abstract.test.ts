import { AbstractLabelOperator, type AbstractQuery, type DataSourceApi, hasQueryImportSupport } from '@grafana/data';
import { exportToAbstractQueries, importQueries } from './abstract';
import { WoodshedDatasource } from './datasource';

const { Equal, NotEqual, EqualRegEx, NotEqualRegEx } = AbstractLabelOperator;

function origin(type: string, abstract?: AbstractQuery[]): DataSourceApi {
  const datasource = abstract ? { type, exportToAbstractQueries: async () => abstract } : { type };
  return datasource as unknown as DataSourceApi;
}

const known = async () => ['app', 'env'];

describe('importQueries', () => {
  it("takes Loki's queries as they are", async () => {
    const f = async (query: object, want: object) => {
      expect(await importQueries([{ refId: 'A', ...query }], origin('loki', []), known)).toEqual([
        { refId: 'A', ...want },
      ]);
    };
    await f({ expr: '{app="api"} |= "x" | json' }, { expr: '{app="api"} |= "x" | json', queryType: 'range' });
    await f(
      {
        expr: 'x',
        queryType: 'instant',
        maxLines: 50,
        legendFormat: '{{app}}',
        step: '5m',
        direction: 'forward',
        hide: true,
      },
      {
        expr: 'x',
        queryType: 'instant',
        maxLines: 50,
        legendFormat: '{{app}}',
        step: '5m',
        direction: 'forward',
        hide: true,
      }
    );
    await f({ expr: 'x', instant: true, range: false }, { expr: 'x', queryType: 'instant' });
    await f(
      { expr: 'x', queryType: 'stream', direction: 'scan', legendFormat: '', editorMode: 'builder', resolution: 1 },
      { expr: 'x', queryType: 'range' }
    );
    await f({}, { expr: '', queryType: 'range' });
  });

  it('takes the labels of others that the store knows', async () => {
    const labelMatchers = [
      { name: '__name__', operator: Equal, value: 'up' },
      { name: 'app', operator: Equal, value: 'a\\"b' },
      { name: 'env', operator: NotEqualRegEx, value: 'x\\\\.y' },
    ];
    const prometheus = origin('prometheus', [
      { refId: 'A', labelMatchers },
      { refId: 'B', labelMatchers: [] },
    ]);
    expect(await importQueries([], prometheus, known)).toEqual([
      { refId: 'A', expr: '{app="a\\"b", env!~"x\\\\.y"}' },
      { refId: 'B', expr: '' },
    ]);
    expect((await importQueries([], prometheus, () => Promise.reject(new Error('gone'))))[0].expr).toContain(
      '__name__="up"'
    );
  });

  it('takes nothing from those that say nothing', async () => {
    expect(await importQueries([{ refId: 'A' }], origin('testdata'), known)).toEqual([]);
  });

  it('is what Grafana asks, not the importer of labels alone', () => {
    expect(hasQueryImportSupport(WoodshedDatasource.prototype)).toBe(false);
  });
});

it('exports the matchers of the first selector', () => {
  const expr = 'sum(rate({app="a\\"b", env!="x", c=~"d.*", e!~"f"} |= "x" [1m]))';
  expect(exportToAbstractQueries([{ refId: 'A', expr }])).toEqual([
    {
      refId: 'A',
      labelMatchers: [
        { name: 'app', operator: Equal, value: 'a\\"b' },
        { name: 'env', operator: NotEqual, value: 'x' },
        { name: 'c', operator: EqualRegEx, value: 'd.*' },
        { name: 'e', operator: NotEqualRegEx, value: 'f' },
      ],
    },
  ]);
});
