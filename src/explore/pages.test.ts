import { type DataFrame, DataFrameType, dateTime, FieldType, toDataFrame } from '@grafana/data';
import type { WoodshedQuery } from '../types';
import { Pages } from './pages';

const A: WoodshedQuery = { refId: 'A', expr: '{app="api"}' };
const B: WoodshedQuery = { refId: 'B', expr: '{app="web"}' };
const FILL = { fillNs: 1_001_000_000 };

const request = (from: number, to: number, targets: WoodshedQuery[], requestId = 'explore_x', relative = false) => ({
  requestId,
  targets,
  range: {
    from: dateTime(from),
    to: dateTime(to),
    raw: relative ? { from: 'now-1h', to: 'now' } : { from: dateTime(from), to: dateTime(to) },
  },
});

const rows = (refId: string, times: number[], nanos: number[] = times.map(() => 0), error?: string): DataFrame => {
  const frame = toDataFrame({
    refId,
    meta: { type: DataFrameType.LogLines, custom: { error } },
    fields: [{ name: 'timestamp', type: FieldType.time, values: times }],
  });
  frame.fields[0].nanos = nanos;
  return frame;
};

const page = (query: WoodshedQuery): WoodshedQuery => ({ ...query, supportingQueryType: 'infiniteScroll' });

describe('Pages', () => {
  const missing = jest.fn();
  let pages: Pages;
  beforeEach(() => {
    missing.mockReset();
    pages = new Pages(missing);
  });

  it('follows the order that is shown, unless the query has its own', () => {
    const ask = (query: WoodshedQuery) => pages.prepare(query, request(0, 9, [query], 'x', true), 'forward');
    expect(ask(A)).toEqual({ ...A, direction: 'forward', ...FILL });
    expect(ask({ ...A, direction: 'backward' }).direction).toBe('backward');
    expect(ask({ ...A, expr: 'rate({app="api"}[5m])' })).toEqual({
      refId: 'A',
      expr: 'rate({app="api"}[5m])',
      direction: 'forward',
    });
    expect(ask({ ...A, supportingQueryType: 'logsSample' }).fillNs).toBeUndefined();
  });

  it('ends an answer over a fixed range with whole milliseconds, as links to lines need it', () => {
    expect(pages.prepare(A, request(0, 9, [A]), 'backward')).toMatchObject({ wholeNs: 1_000_000, ...FILL });
  });

  it('asks from the last nanosecond that was shown, older and newer', () => {
    const first = request(0, 9000, [A]);
    pages.note(first, { data: [rows('A', [8000, 5000], [7, 9])] });
    const older = pages.prepare(page(A), request(0, 5000, [page(A)]), 'backward');
    expect(older).toEqual({
      ...page(A),
      direction: 'backward',
      endNs: '5000000010',
      seamNs: 1,
      ...FILL,
    });
    // Whatever order is shown: the direction is that of the page.
    const newer = pages.prepare(page({ ...A, direction: 'backward' }), request(8000, 9500, [page(A)]), 'backward');
    expect(newer).toMatchObject({ direction: 'forward', startNs: '8000000007', seamNs: 1 });
    expect(newer.endNs).toBeUndefined();
  });

  it('goes on from page to page', () => {
    pages.note(request(0, 9000, [A]), { data: [rows('A', [8000, 5000])] });
    const second = request(0, 5000, [page(A)]);
    pages.note(second, { data: [rows('A', [5000, 3000], [0, 4])] });
    expect(pages.prepare(page(A), request(0, 3000, [page(A)]), 'backward').endNs).toBe('3000000005');
    expect(pages.prepare(page(A), request(8000, 9000, [page(A)]), 'backward').startNs).toBe('8000000000');
    pages.note(second, { data: [rows('A', [])] });
    expect(pages.prepare(page(A), request(0, 3000, [page(A)]), 'backward').endNs).toBe('3000000005');
    // Another run forgets them.
    pages.note(request(0, 9000, [A]), { data: [rows('A', [8500, 7000])] });
    expect(pages.prepare(page(A), request(0, 7000, [page(A)]), 'backward').endNs).toBe('7000000001');
  });

  it('lets a query whose rows lag behind those of another catch up', () => {
    const both = request(0, 9000, [A, B]);
    pages.note(both, { data: [rows('A', [8000, 2000]), rows('B', [8000, 6000], [0, 3])] });
    const next = request(0, 2000, [page(A), page(B)]);
    expect(pages.prepare(page(A), next, 'backward').maxLines).toBeUndefined();
    expect(pages.prepare(page(B), next, 'backward')).toMatchObject({ endNs: '6000000004', maxLines: 50_000 });
  });

  it('keeps panes and queries apart, also among mixed data sources', () => {
    pages.note(request(0, 9000, [A], 'mixed-1-explore_x'), { data: [rows('A', [8000, 5000])] });
    pages.note(request(0, 9000, [A], 'explore_y'), { data: [rows('A', [8000, 4000])] });
    const ask = (requestId: string, query: WoodshedQuery, to: number) =>
      pages.prepare(page(query), request(0, to, [page(query)], requestId), 'backward').endNs;
    expect(ask('mixed-0-explore_x', A, 5000)).toBe('5000000001');
    expect(ask('explore_y', A, 4000)).toBe('4000000001');
  });

  it('asks for whole milliseconds where it does not know the rows', () => {
    pages.note(request(0, 9000, [A]), { data: [rows('A', [8000, 5000])] });
    const changed = { ...page(A), expr: '{app="api"} |= "x"' };
    expect(pages.prepare(changed, request(0, 5000, [changed]), 'backward')).toMatchObject({
      endNs: '5001000000',
      seamNs: 1_000_000,
    });
    expect(pages.prepare(page(B), request(5000, 9000, [page(B)]), 'forward')).toMatchObject({
      startNs: '5000000000',
      seamNs: 1_000_000,
    });
    // Rows that were read but never shown: Explore's range begins before them.
    expect(pages.prepare(page(A), request(0, 6000, [page(A)]), 'backward').endNs).toBe('6001000000');
  });

  it('tells what a page could not hold, but not what the first answer says itself', () => {
    pages.note(request(0, 9000, [A]), { data: [rows('A', [5000], [0], 'cut')] });
    expect(missing).not.toHaveBeenCalled();
    pages.note(request(0, 5000, [page(A)]), { data: [rows('A', [5000], [0], 'cut')] });
    expect(missing).toHaveBeenCalledWith('cut');
  });
});
