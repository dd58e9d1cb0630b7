/** What the frames of an answer tell besides its rows. */
import { type DataFrame, FieldType, type PanelData } from '@grafana/data';

const ROWS_LOOKED_AT = 200; // Enough to meet the labels that matter, few enough to read on each answer.

/** A logs answer that reached the limit of its query. */
export interface FullAnswer {
  /** The query that ran, with variables replaced. */
  expr: string;
  rows: number;
  newestFirst: boolean;
}

function framesOf(data: PanelData | undefined, refId: string): DataFrame[] {
  return data?.series.filter((frame) => frame.refId === refId) ?? [];
}

function custom(frame: DataFrame, name: string): unknown {
  return frame.meta?.custom?.[name];
}

/** What is incomplete about the answer, in sentences; each once. */
export function incompleteTexts(data: PanelData | undefined, refId: string): string[] {
  const texts = framesOf(data, refId).flatMap((frame) => {
    const notices = frame.meta?.notices?.map(({ text }) => text) ?? [];
    const error = custom(frame, 'error');
    return notices.length > 0 || typeof error !== 'string' || error === '' ? notices : [error];
  });
  return Array.from(new Set(texts));
}

/** The answer of a logs query, if it is as long as the query allows. */
export function fullAnswer(data: PanelData | undefined, refId: string): FullAnswer | undefined {
  for (const frame of framesOf(data, refId)) {
    const limit = custom(frame, 'limit');
    const expr = /^Expr: (.*)$/s.exec(frame.meta?.executedQueryString ?? '')?.[1];
    if (typeof limit === 'number' && limit > 0 && frame.length >= limit && expr) {
      return { expr, rows: frame.length, newestFirst: isNewestFirst(frame) };
    }
  }
  return undefined;
}

/** Rows stand in the order that the query asked for. */
function isNewestFirst(frame: DataFrame): boolean {
  const times: unknown[] = frame.fields.find(({ type }) => type === FieldType.time)?.values ?? [];
  return Number(times[0]) >= Number(times[times.length - 1]);
}

/** The names of labels in the answer that are not labels of streams: structured metadata and parsed fields. */
export function answerLabels(data: PanelData | undefined, refId: string): string[] {
  const names = new Set<string>();
  for (const frame of framesOf(data, refId)) {
    const types: unknown[] = frame.fields.find(({ name }) => name === 'labelTypes')?.values ?? [];
    for (const row of types.slice(0, ROWS_LOOKED_AT)) {
      for (const [name, type] of Object.entries(typeof row === 'object' && row !== null ? row : {})) {
        if (type !== 'I') {
          names.add(name);
        }
      }
    }
  }
  return Array.from(names).sort();
}
