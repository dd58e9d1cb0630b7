/**
 * Pages of rows in Explore. When a person scrolls past the last row, Explore asks for what is left of the range beside its rows,
 * in whole milliseconds, and the same of all queries. Lines that share a millisecond, or two queries whose answers reach
 * differently far, would be lost in between. So we remember how far each answer reached, and ask from there.
 */
import type { DataFrame, DataQueryRequest, DataQueryResponse } from '@grafana/data';
import { isLogsQuery } from '../logql/parse';
import type { Direction, WoodshedQuery } from '../types';
import { edgesOf, errorText, isLogsFrame, toMilliseconds, toNanoseconds } from './frames';

const MILLISECOND_NS = 1_000_000;
const NANOSECOND = BigInt(1);
// Explore calls it the end of the range when a row is a second or less away from it, and asks for nothing behind that row.
const FILL_NS = 1_001 * MILLISECOND_NS;
const CATCH_UP_LINES = 50_000; // For a query whose rows lag behind others; the store returns as many as it may.
const REMEMBERED_MAX = 100;
const INFINITE_SCROLL = 'infiniteScroll';

interface Reached {
  expr: string;
  oldest: bigint;
  newest: bigint;
}

type Request = Pick<DataQueryRequest<WoodshedQuery>, 'requestId' | 'range'> & { targets: WoodshedQuery[] };

export class Pages {
  private reached = new Map<string, Reached>();

  /** @param onMissing is told what a page could not hold: Explore drops that of all pages but the first. */
  constructor(private onMissing: (text: string) => void) {}

  /** The query as the store answers it without a gap to the rows before. */
  prepare(query: WoodshedQuery, request: Request, shown: Direction): WoodshedQuery {
    const asked: WoodshedQuery = { ...query, direction: query.direction ?? shown };
    if (!isLogsQuery(query.expr ?? '')) {
      return asked;
    }
    if (query.supportingQueryType === INFINITE_SCROLL) {
      return { ...asked, ...this.nextPage(asked, request), fillNs: FILL_NS };
    }
    if (query.supportingQueryType) {
      return asked;
    }
    // The range behind a link to a line ends at the line's millisecond, which has to be there as a whole.
    const isAbsolute = typeof request.range.raw.to !== 'string';
    return { ...asked, fillNs: FILL_NS, ...(isAbsolute && { wholeNs: MILLISECOND_NS }) };
  }

  private nextPage(query: WoodshedQuery, request: Request): Partial<WoodshedQuery> {
    const from = request.range.from.valueOf();
    const to = request.range.to.valueOf();
    const last = this.reached.get(keyOf(request, query.refId));
    const reached = last?.expr === query.expr ? last : undefined;
    if (reached && to <= toMilliseconds(reached.oldest)) {
      const lags = to < toMilliseconds(reached.oldest);
      return {
        direction: 'backward',
        endNs: String(reached.oldest + NANOSECOND),
        seamNs: 1,
        ...(lags && { maxLines: CATCH_UP_LINES }),
      };
    }
    if (reached && from >= toMilliseconds(reached.newest)) {
      const lags = from > toMilliseconds(reached.newest);
      return {
        direction: 'forward',
        startNs: String(reached.newest),
        seamNs: 1,
        ...(lags && { maxLines: CATCH_UP_LINES }),
      };
    }
    // Nothing is known of the rows that are shown: all of the millisecond at the seam comes again, and Explore knows them by ID.
    return query.direction === 'forward'
      ? { startNs: String(toNanoseconds(from)), seamNs: MILLISECOND_NS }
      : { endNs: String(toNanoseconds(to + 1)), seamNs: MILLISECOND_NS };
  }

  /** Remembers how far an answer reaches. */
  note(request: Request, response: DataQueryResponse): void {
    for (const query of request.targets) {
      const isPage = query.supportingQueryType === INFINITE_SCROLL;
      if (!isPage && query.supportingQueryType) {
        continue;
      }
      const frames: DataFrame[] = response.data.filter(isLogsFrame);
      const frame = frames.find(({ refId }) => refId === query.refId);
      if (frame) {
        this.noteFrame(keyOf(request, query.refId), query.expr, frame, isPage);
      }
    }
  }

  private noteFrame(key: string, expr: string, frame: DataFrame, isPage: boolean): void {
    const missing = errorText(frame);
    if (isPage && missing) {
      this.onMissing(missing);
    }
    const edges = edgesOf(frame);
    const before = this.reached.get(key);
    const joins = isPage && before?.expr === expr ? before : undefined;
    this.reached.delete(key);
    if (this.reached.size >= REMEMBERED_MAX) {
      this.reached.clear();
    }
    if (edges || joins) {
      const { oldest, newest } = edges ?? joins ?? { oldest: BigInt(0), newest: BigInt(0) };
      this.reached.set(key, {
        expr,
        oldest: joins && joins.oldest < oldest ? joins.oldest : oldest,
        newest: joins && joins.newest > newest ? joins.newest : newest,
      });
    }
  }
}

/** One query of one pane. A mixed data source puts a number before the pane's name that depends on the other queries. */
function keyOf({ requestId }: Request, refId: string): string {
  return `${requestId.replace(/^mixed-\d+-/, '')} ${refId}`;
}
