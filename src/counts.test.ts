import { dateTime, type TimeRange } from '@grafana/data';
import { WoodshedApi } from './api';
import { countSource } from './counts';
import { isSelective, type LabelMatcher, printSelector } from './logql/selector';

const from = dateTime('2026-01-02T03:04:00Z');
const to = dateTime('2026-01-02T04:04:00Z');
const range: TimeRange = { from, to, raw: { from, to } };
const times = { start: '1767323040000000000', end: '1767326640000000000' };

function setup(answer: unknown) {
  const getResource = jest.fn(async (_path: string, _params: Record<string, string | number>) => answer);
  const selectorText = (matchers: readonly LabelMatcher[]) =>
    isSelective(matchers) ? printSelector(matchers) : undefined;
  return { getResource, source: countSource({ api: new WoodshedApi(getResource, () => 0), selectorText }, range) };
}

const app: LabelMatcher = { name: 'app', op: '=', value: 'api' };

describe('countSource', () => {
  it('asks for names and values with counts', async () => {
    const list = { items: [{ text: 'a', count: 2 }], total: 7 };
    const { getResource, source } = setup({ status: 'success', data: [{ text: 'a', count: 2 }], total: 7 });
    expect(await source.names([], '')).toEqual(list);
    expect(getResource).toHaveBeenLastCalledWith('labels/counts', times);
    expect(await source.values('a b', [app], 'x')).toEqual(list);
    const narrowed = { ...times, query: '{app="api"}', search: 'x' };
    expect(getResource).toHaveBeenLastCalledWith('label/a%20b/counts', narrowed);
  });

  it('takes what is absent for nothing', async () => {
    expect(await setup(undefined).source.names([], '')).toEqual({ items: [], total: 0 });
    expect(await setup({ data: [{ text: 'a' }, { count: 1 }, 'b'] }).source.names([], '')).toEqual({
      items: [{ text: 'a', count: 0 }],
      total: 1,
    });
  });

  it('sizes what matchers select, unless they select everything', async () => {
    const { source } = setup({ streams: 2, chunks: 3, entries: 4, bytes: 5 });
    expect(await source.stats([app])).toEqual({ streams: 2, chunks: 3, entries: 4, bytes: 5 });
    expect(await source.stats([])).toBeUndefined();
  });
});
