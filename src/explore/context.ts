/**
 * The lines around a line. Grafana asks for those before and after a row, which it names by itself; we ask the store from the
 * row's nanosecond on, of the row's own stream, or of more streams when a person leaves out some of its labels.
 */
import {
  type DataQueryRequest,
  type DataQueryResponse,
  dateTime,
  type LogRowContextOptions,
  LogRowContextQueryDirection,
  type LogRowModel,
} from '@grafana/data';
import { contextPipeline, hasParsers } from '../logql/modify';
import { isSelective, type LabelMatcher, printSelector, readMatchers } from '../logql/selector';
import type { WoodshedQuery } from '../types';
import { reverseRows, toMilliseconds, toNanoseconds } from './frames';
import { labelType } from './labelTypes';

const NANOSECOND = BigInt(1);
const WINDOW_MS = 30 * 24 * 3_600_000; // Where nobody says how far to look: a stream may well be silent for days.
const LINES = 100;

/** What a person chose for the row whose context is open. */
export interface ContextChoice {
  /** Names of the stream's labels that do not matter. */
  dropped: readonly string[];
  /** Whether lines are parsed and written as in the query. */
  parsers: boolean;
}

export const FIRST_CHOICE: ContextChoice = { dropped: [], parsers: true };

/** The open context. Rows that Grafana pages on from can be of other streams, so the first row's labels are kept. */
interface OpenContext {
  labels: LabelMatcher[];
  choice: ContextChoice;
}

export type RunQuery = (request: DataQueryRequest<WoodshedQuery>) => Promise<DataQueryResponse>;

export class LogContext {
  private current: OpenContext | undefined;
  private asked = 0;

  constructor(private run: RunQuery) {}

  /** The context of a row is on the screen with this choice, until the returned function is called. */
  open(row: LogRowModel, choice: ContextChoice): () => void {
    const opened = { labels: streamLabels(row), choice };
    this.current = opened;
    return () => {
      if (this.current === opened) {
        this.current = undefined;
      }
    };
  }

  /** The query behind the context, without its bounds. */
  query(row: LogRowModel, query: WoodshedQuery, useChoice = true): WoodshedQuery {
    const { labels, choice } = (useChoice && this.current) || { labels: streamLabels(row), choice: FIRST_CHOICE };
    const { refId, datasource, expr, direction } = query;
    return {
      refId,
      datasource,
      queryType: 'range',
      expr: contextExpr(labels, choice, expr),
      ...(direction && { direction }),
    };
  }

  /** The lines before or after a row, newest first as Grafana wants them. */
  async lines(row: LogRowModel, options: LogRowContextOptions, query: WoodshedQuery): Promise<DataQueryResponse> {
    const at = BigInt(row.timeEpochNs);
    const windowNs = toNanoseconds(options.timeWindowMs ?? WINDOW_MS);
    const forward = options.direction === LogRowContextQueryDirection.Forward;
    // Grafana shows lines of the row's own nanosecond below the row when newer lines stand above: they are asked for with the
    // older ones, all at once, for it cannot page through them.
    const start = forward ? at + NANOSECOND : at - windowNs;
    const end = forward ? at + windowNs : at + NANOSECOND;
    const target: WoodshedQuery = {
      ...this.query(row, query),
      refId: `log-context-${query.refId}-${++this.asked}`,
      direction: forward ? 'forward' : 'backward',
      maxLines: options.limit ?? LINES,
      startNs: String(start),
      endNs: String(end),
      wholeNs: 1,
      ...(!forward && { seamNs: 1, omitId: row.rowId }),
      supportingQueryType: 'logContext',
    };
    const response = await this.run(requestFor(target, start, end, options));
    const error = response.errors?.[0];
    if (error) {
      throw new Error(error.data?.message ?? error.message ?? 'The lines around this one could not be read.');
    }
    return forward ? { ...response, data: response.data.map(reverseRows) } : response;
  }
}

/** The labels of the stream that a row belongs to. */
export function streamLabels(row: LogRowModel): LabelMatcher[] {
  return Object.entries(row.labels)
    .filter(([name]) => labelType(row.dataFrame, name, row.rowIndex) === 'I')
    .map(([name, value]) => ({ name, op: '=', value }));
}

/** The selector of the stream without the labels that do not matter, and what is left of the query's pipeline. */
function contextExpr(labels: readonly LabelMatcher[], choice: ContextChoice, expr: string): string {
  const kept = labels.filter(({ name }) => !choice.dropped.includes(name));
  // A pipeline can take all labels of the stream from its rows; then the query knows best where they come from.
  const matchers = isSelective(kept) ? kept : readMatchers(expr);
  const pipeline = choice.parsers ? contextPipeline(expr) : '';
  return `${printSelector(matchers)}${pipeline && ` ${pipeline}`}`;
}

/** Whether the query does something to its lines that context can keep. */
export function canKeepParsers(query: WoodshedQuery | undefined): boolean {
  return hasParsers(query?.expr ?? '');
}

function requestFor(
  target: WoodshedQuery,
  start: bigint,
  end: bigint,
  { scopedVars = {} }: LogRowContextOptions
): DataQueryRequest<WoodshedQuery> {
  const from = dateTime(toMilliseconds(start));
  const to = dateTime(toMilliseconds(end) + 1);
  return {
    app: '',
    targets: [target],
    requestId: target.refId,
    interval: '1s',
    intervalMs: 1000,
    range: { from, to, raw: { from, to } },
    scopedVars,
    startTime: Date.now(),
    timezone: 'utc',
  };
}
