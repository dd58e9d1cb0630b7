/** Frames of log lines: what Explore and our own pages read from them. */
import { type DataFrame, DataFrameType, type DataQueryResponse, type Field } from '@grafana/data';

const NS_PER_MS = BigInt(1_000_000);

export function isLogsFrame(frame: DataFrame): boolean {
  return frame.meta?.type === DataFrameType.LogLines;
}

/**
 * Gives every frame of lines nanoseconds. Grafana leaves them out where all are zero, but when it joins a page to the rows
 * before it, it expects them in both or in neither, and fails to draw a row that has none.
 */
export function withNanoseconds(response: DataQueryResponse): DataQueryResponse {
  for (const frame of response.data.filter(isLogsFrame)) {
    for (const field of frame.fields) {
      if (field.name === 'timestamp' && !field.nanos) {
        field.nanos = new Array<number>(field.values.length).fill(0);
      }
    }
  }
  return response;
}

/** The times of the oldest and the newest line of a frame; undefined when it has none. */
export function edgesOf(frame: DataFrame): { oldest: bigint; newest: bigint } | undefined {
  const field = frame.fields.find(({ name }) => name === 'timestamp');
  const length = field?.values.length ?? 0;
  if (!field || length === 0) {
    return undefined;
  }
  const first = nanosecondsOf(field, 0);
  const last = nanosecondsOf(field, length - 1);
  return first < last ? { oldest: first, newest: last } : { oldest: last, newest: first };
}

function nanosecondsOf(field: Field, row: number): bigint {
  return BigInt(Number(field.values[row])) * NS_PER_MS + BigInt(field.nanos?.[row] ?? 0);
}

export function toNanoseconds(ms: number): bigint {
  return BigInt(Math.floor(ms)) * NS_PER_MS;
}

export function toMilliseconds(ns: bigint): number {
  return Number(ns / NS_PER_MS);
}

/** The frame with its rows in the opposite order. */
export function reverseRows(frame: DataFrame): DataFrame {
  const fields = frame.fields.map((field) => ({
    ...field,
    values: field.values.slice().reverse(),
    ...(field.nanos && { nanos: field.nanos.slice().reverse() }),
  }));
  return { ...frame, fields };
}

/** What an answer says of itself under the rows. */
export function errorText(frame: DataFrame): string | undefined {
  const text: unknown = frame.meta?.custom?.error;
  return typeof text === 'string' && text !== '' ? text : undefined;
}
