/** The store's read API as Grafana passes it on: Loki's paths, times in nanoseconds. */
import type { TimeRange } from '@grafana/data';
import type { CountList } from './counts';
import { type CheckAnswer, checkedText, readProblems } from './logql/check';
import type { SyntaxProblem } from './logql/parse';
import type { SelectorStats, StoreStatus } from './types';

type Params = Record<string, string | number>;

/** Asks a resource of the datasource. It must not raise an alert of its own: a failed hint is not worth one. */
export type GetResource = (path: string, params: Params) => Promise<unknown>;

const CACHED_ANSWERS_MAX = 64; // A picker asks for a handful of labels; this is a bound, not a tuning.
const CACHE_MS = 15_000; // Long enough for one look at the pickers, short enough to see a label that was just pushed.

interface CachedAnswer {
  until: number;
  answer: Promise<unknown>;
}

export class WoodshedApi {
  private cache = new Map<string, CachedAnswer>();

  constructor(
    private getResource: GetResource,
    private now: () => number = Date.now
  ) {}

  /** The names of the labels of the streams in a range, narrowed by a selector if there is one. */
  async labelNames(range: TimeRange, selector?: string): Promise<string[]> {
    return strings(await this.data('labels', { ...times(range), ...query(selector) }));
  }

  async labelValues(name: string, range: TimeRange, selector?: string): Promise<string[]> {
    return strings(
      await this.data(`label/${encodeURIComponent(name)}/values`, { ...times(range), ...query(selector) })
    );
  }

  /** Label names, or the values of one, with counts. `search` keeps those that contain it. */
  async counts(name: string | undefined, range: TimeRange, selector?: string, search?: string): Promise<CountList> {
    const path = name === undefined ? 'labels/counts' : `label/${encodeURIComponent(name)}/counts`;
    return readCounts(await this.get(path, { ...times(range), ...query(selector), ...(search ? { search } : {}) }));
  }

  /** The label sets of the streams that a selector matches. */
  async series(range: TimeRange, selector: string): Promise<Array<Record<string, string>>> {
    const data = await this.data('series', { ...times(range), 'match[]': selector });
    return Array.isArray(data) ? data : [];
  }

  async stats(range: TimeRange, selector: string): Promise<SelectorStats> {
    const answer = await this.get('index/stats', { ...times(range), ...query(selector) });
    const { streams = 0, chunks = 0, entries = 0, bytes = 0 } = isRecord(answer) ? answer : {};
    return { streams: Number(streams), chunks: Number(chunks), entries: Number(entries), bytes: Number(bytes) };
  }

  async status(): Promise<StoreStatus> {
    return readStatus(await this.get('status', {}));
  }

  /** What is wrong with a query, in the words of a run. Each text is asked about once, so there is nothing to keep. */
  async check(text: string): Promise<SyntaxProblem[]> {
    return readProblems(text, readCheck(await this.getResource('check', { query: checkedText(text) })));
  }

  /** When a selector last had a line, at any time: null for never, undefined when the store cannot tell. */
  async lastSeen(selector: string): Promise<number | null | undefined> {
    const answer = await this.get('last-seen', { query: selector });
    if (!isRecord(answer) || answer.known !== true) {
      return undefined;
    }
    return typeof answer.lastSeen === 'string' ? Date.parse(answer.lastSeen) : null;
  }

  /** How many lines a logs query would have without its limit; undefined when the store would have to read them. */
  async countLines(expr: string, range: TimeRange): Promise<number | undefined> {
    const [start, end] = [range.from, range.to].map((time) => `${time.valueOf()}000000`);
    const answer = await this.get('count', { query: expr, start, end });
    return isRecord(answer) && answer.counted === true ? Number(answer.entries) : undefined;
  }

  /** The `data` of an answer; absent means that nothing was found. */
  private async data(path: string, params: Params): Promise<unknown> {
    const answer = await this.get(path, params);
    return isRecord(answer) ? answer.data : undefined;
  }

  private get(path: string, params: Params): Promise<unknown> {
    const key = `${path}?${JSON.stringify(params)}`;
    const cached = this.cache.get(key);
    if (cached && cached.until > this.now()) {
      return cached.answer;
    }
    if (this.cache.size >= CACHED_ANSWERS_MAX) {
      this.cache.clear();
    }
    const answer = this.getResource(path, params).catch((error: unknown) => {
      this.cache.delete(key);
      throw error;
    });
    this.cache.set(key, { until: this.now() + CACHE_MS, answer });
    return answer;
  }
}

function readCheck(json: unknown): CheckAnswer {
  const answer = isRecord(json) ? json : {};
  const [line, column, endLine, endColumn] = ['line', 'column', 'endLine', 'endColumn'].map(
    (name) => Number(answer[name]) || 1
  );
  const error = typeof answer.error === 'string' ? answer.error : '';
  const hint = typeof answer.hint === 'string' ? answer.hint : '';
  return { ok: error === '', error, hint, line, column, endLine, endColumn };
}

/** Reads a status from JSON; what is missing is zero. */
export function readStatus(json: unknown): StoreStatus {
  const empty: StoreStatus = { version: '', state: 'unknown', streams: 0, entries: 0, bytes: 0, diskBytes: 0 };
  return isRecord(json) ? { ...empty, ...json } : empty;
}

/** Reads names or values with their counts; zero means that nobody counted. */
function readCounts(json: unknown): CountList {
  const { data, total } = isRecord(json) ? json : {};
  const items = (Array.isArray(data) ? data : []).flatMap((item: unknown) =>
    isRecord(item) && typeof item.text === 'string' ? [{ text: item.text, count: Number(item.count) || 0 }] : []
  );
  return { items, total: Math.max(Number(total) || 0, items.length) };
}

/** The address that agents push to, as a URL. */
export function pushUrl(status: StoreStatus): string | undefined {
  if (!status.listen) {
    return undefined;
  }
  const url = /^https?:\/\//.test(status.listen) ? status.listen : `http://${status.listen}`;
  return url.replace(/\/+$/, '');
}

/** A range in nanoseconds, widened to whole minutes so that a range that ends now asks the same question for a while. */
function times(range: TimeRange): Params {
  const minuteMS = 60_000;
  const start = Math.floor(range.from.valueOf() / minuteMS) * minuteMS;
  const end = Math.ceil(range.to.valueOf() / minuteMS) * minuteMS;
  return { start: `${start}000000`, end: `${end}000000` };
}

function query(selector: string | undefined): Params {
  return selector ? { query: selector } : {};
}

function strings(data: unknown): string[] {
  return Array.isArray(data) ? data.filter((item): item is string => typeof item === 'string') : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
