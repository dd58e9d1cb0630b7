import { dateTime, type TimeRange } from '@grafana/data';
import { pushUrl, readStatus, WoodshedApi } from './api';

const from = dateTime('2026-01-02T03:04:05.678Z');
const to = dateTime('2026-01-02T04:04:05.678Z');
const range: TimeRange = { from, to, raw: { from, to } };
const START = '1767323040000000000'; // 03:04:00
const END = '1767326700000000000'; // 04:05:00

function setup(answer: unknown) {
  let now = 0;
  const getResource = jest.fn(async (_path: string, _params: Record<string, string | number>) => answer);
  const api = new WoodshedApi(getResource, () => now);
  return { api, getResource, later: (ms: number) => (now += ms) };
}

describe('WoodshedApi', () => {
  it('asks for names and values in whole minutes and nanoseconds', async () => {
    const { api, getResource } = setup({ status: 'success', data: ['a', 'b'] });
    expect(await api.labelNames(range)).toEqual(['a', 'b']);
    expect(getResource).toHaveBeenLastCalledWith('labels', { start: START, end: END });
    expect(await api.labelValues('app', range, '{env="x"}')).toEqual(['a', 'b']);
    expect(getResource).toHaveBeenLastCalledWith('label/app/values', { start: START, end: END, query: '{env="x"}' });
  });

  it('takes absent data for an empty answer', async () => {
    expect(await setup({ status: 'success' }).api.labelNames(range)).toEqual([]);
    expect(await setup({ status: 'success' }).api.series(range, '{a="b"}')).toEqual([]);
    expect(await setup(undefined).api.labelValues('a', range)).toEqual([]);
  });

  it('reads series and statistics', async () => {
    const { api, getResource } = setup({ status: 'success', data: [{ app: 'api' }] });
    expect(await api.series(range, '{a="b"}')).toEqual([{ app: 'api' }]);
    expect(getResource).toHaveBeenLastCalledWith('series', { start: START, end: END, 'match[]': '{a="b"}' });
    const stats = { streams: 1, chunks: 2, entries: 3, bytes: 4 };
    expect(await setup(stats).api.stats(range, '{a="b"}')).toEqual(stats);
    expect(await setup({}).api.stats(range, '{a="b"}')).toEqual({ streams: 0, chunks: 0, entries: 0, bytes: 0 });
  });

  it('asks what is wrong with a query, with placeholders for variables', async () => {
    const refused = { ok: false, error: 'parse error', hint: 'do this', line: 1, column: 8, endLine: 1, endColumn: 9 };
    const { api, getResource } = setup(refused);
    expect(await api.check('rate({a=x}[$__auto])')).toEqual([{ from: 7, to: 8, message: 'parse error (do this)' }]);
    expect(getResource).toHaveBeenLastCalledWith('check', { query: 'rate({a=x}[000001s])' });
    expect(await setup({ ok: true, kind: 'logs' }).api.check('{a="b"}')).toEqual([]);
    expect(await setup('nonsense').api.check('{a="b"}')).toEqual([]);
  });

  it('asks when a selector was last seen', async () => {
    const { api, getResource } = setup({ known: true, lastSeen: '2026-01-02T03:04:05.678Z' });
    expect(await api.lastSeen('{a="b"}')).toBe(from.valueOf());
    expect(getResource).toHaveBeenLastCalledWith('last-seen', { query: '{a="b"}' });
    expect(await setup({ known: true }).api.lastSeen('{a="b"}')).toBeNull();
    expect(await setup({ known: false }).api.lastSeen('{a="b"}')).toBeUndefined();
  });

  it('asks how many lines there are, in exactly the range of the query', async () => {
    const { api, getResource } = setup({ counted: true, entries: 48210 });
    expect(await api.countLines('{a="b"}', range)).toBe(48210);
    const exact = { query: '{a="b"}', start: '1767323045678000000', end: '1767326645678000000' };
    expect(getResource).toHaveBeenLastCalledWith('count', exact);
    expect(await setup({ counted: false, entries: 0 }).api.countLines('{a="b"} |= "x"', range)).toBeUndefined();
  });

  it('asks the same question once for a while', async () => {
    const { api, getResource, later } = setup({ data: [] });
    await Promise.all([api.labelNames(range), api.labelNames(range)]);
    await api.labelNames(range);
    expect(getResource).toHaveBeenCalledTimes(1);
    await api.labelNames(range, '{a="b"}');
    expect(getResource).toHaveBeenCalledTimes(2);
    later(60_000);
    await api.labelNames(range);
    expect(getResource).toHaveBeenCalledTimes(3);
  });

  it('does not remember a failure', async () => {
    const getResource = jest
      .fn()
      .mockRejectedValueOnce(new Error('starting'))
      .mockResolvedValue({ data: ['a'] });
    const api = new WoodshedApi(getResource, () => 0);
    await expect(api.labelNames(range)).rejects.toThrow('starting');
    expect(await api.labelNames(range)).toEqual(['a']);
  });

  it('keeps a bounded number of answers', async () => {
    const { api, getResource } = setup({ data: [] });
    for (let i = 0; i < 200; i++) {
      await api.labelValues(`label${i}`, range);
    }
    await api.labelValues('label199', range);
    expect(getResource).toHaveBeenCalledTimes(200);
    await api.labelValues('label0', range);
    expect(getResource).toHaveBeenCalledTimes(201);
  });
});

describe('readStatus', () => {
  it('fills what is missing', () => {
    expect(readStatus({ version: '1', state: 'ready', entries: 5 })).toEqual({
      version: '1',
      state: 'ready',
      entries: 5,
      streams: 0,
      bytes: 0,
      diskBytes: 0,
    });
    expect(readStatus('nonsense').state).toBe('unknown');
  });
});

describe('pushUrl', () => {
  const f = (listen: string | undefined, want: string | undefined) => {
    expect(pushUrl({ ...readStatus({}), listen })).toBe(want);
  };

  it('makes a URL of an address', () => {
    f('127.0.0.1:3110', 'http://127.0.0.1:3110');
    f('https://logs.example:443/', 'https://logs.example:443');
    f('', undefined);
    f(undefined, undefined);
  });
});
