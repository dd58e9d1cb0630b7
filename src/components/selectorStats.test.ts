import { getDefaultTimeRange } from '@grafana/data';
import type { WoodshedDatasource } from '../datasource';
import { printSelector, type LabelMatcher } from '../logql/selector';
import { askStats } from './selectorStats';

function setup() {
  const stats = jest.fn((_: unknown, selector: string) => {
    const streams = selector.includes('nobody') ? 0 : 2;
    return Promise.resolve({ streams, chunks: streams, entries: 10 * streams, bytes: 100 * streams });
  });
  const selectorText = (matchers: LabelMatcher[]) =>
    matchers.length > 0 ? printSelector(matchers).replace('$app', 'api') : undefined;
  const datasource = { api: { stats }, selectorText } as unknown as WoodshedDatasource;
  return { stats, ask: (expr: string) => askStats(datasource, expr, getDefaultTimeRange()) };
}

describe('askStats', () => {
  it('adds up the selectors of a query, each once', async () => {
    const { ask, stats } = setup();
    const answer = await ask('rate({a="b"}[1m]) / (rate({a="b"}[5m]) + rate({c="d"}[1m]))');
    expect(answer?.total).toEqual({ streams: 4, chunks: 4, entries: 40, bytes: 400 });
    expect(answer?.unmatched).toEqual([]);
    expect(stats).toHaveBeenCalledTimes(2);
  });

  it('names the selectors that match nothing, as they were written', async () => {
    const { ask } = setup();
    const answer = await ask('rate({a="b"}[1m]) / rate({app="$app", x="nobody"}[1m])');
    expect(answer?.unmatched).toEqual([{ written: '{app="$app", x="nobody"}', asked: '{app="api", x="nobody"}' }]);
  });

  it('asks nothing without a selector', async () => {
    expect(await setup().ask('{')).toBeUndefined();
  });
});
