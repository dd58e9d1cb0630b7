import { linkedQuery, linksOf } from './links';

const settings: Record<string, { name: string; type: string }> = { t: { name: 'Traces', type: 'tempo' } };

jest.mock('@grafana/runtime', () => ({
  getDataSourceSrv: () => ({ getInstanceSettings: (uid: string) => settings[uid] }),
}));

const field = { name: 'traceID', matcherRegex: 'x' };

describe('linksOf', () => {
  it('makes a link of each field that leads somewhere', () => {
    expect(
      linksOf([
        { ...field, url: 'https://a/${__value.raw}', urlDisplayLabel: 'Open', targetBlank: true },
        field,
        { ...field, datasourceUid: 't' },
        { ...field, datasourceUid: 'gone', url: 'id=${__value.raw}' },
      ])
    ).toEqual([
      { title: 'Open', url: 'https://a/${__value.raw}', targetBlank: true },
      {
        title: '',
        url: '',
        internal: {
          query: { refId: 'A', query: '${__value.raw}', queryType: 'traceql' },
          datasourceUid: 't',
          datasourceName: 'Traces',
        },
      },
      {
        title: '',
        url: '',
        internal: {
          query: { refId: 'A', query: 'id=${__value.raw}' },
          datasourceUid: 'gone',
          datasourceName: 'Data source not found',
        },
      },
    ]);
  });

  it('asks each data source in its own words', () => {
    expect(linkedQuery('jaeger', 'x')).toEqual({ refId: 'A', query: 'x' });
    expect(linkedQuery('zipkin', 'x')).toEqual({ refId: 'A', query: 'x' });
    expect(linkedQuery('grafana-x-ray-datasource', 'x')).toEqual({ refId: 'A', query: 'x', queryType: 'getTrace' });
    expect(linkedQuery('loki', '{a="b"}')).toEqual({ refId: 'A', expr: '{a="b"}' });
    expect(linkedQuery(undefined, 'x')).toEqual({ refId: 'A', query: 'x' });
  });
});
