/** Adds derived fields to frames of log rows: one field of texts for each name, whose links Grafana shows with the row. */
import {
  type DataFrame,
  DataFrameType,
  type DataQueryResponse,
  type Field,
  FieldType,
  type QueryResultMetaNotice,
} from '@grafana/data';
import { map, type OperatorFunction } from 'rxjs';
import { type DerivedField, groupDerivedFields, readDerivedFields } from './config';
import { linksOf } from './links';
import { compile, type Matcher, SlowMatchError } from './matcher';

export const FRAME_MS_MAX = 250; // Rows are on the screen only after this; a longer wait would be felt.

/** Adds the derived fields of a data source's settings to whatever answers with log rows. */
export function withDerivedFields(settings: unknown): OperatorFunction<DataQueryResponse, DataQueryResponse> {
  const fields = readDerivedFields(settings);
  return map((response) =>
    fields.length > 0 ? { ...response, data: response.data.map((frame) => addDerivedFields(frame, fields)) } : response
  );
}

export function addDerivedFields(
  frame: DataFrame,
  derived: readonly DerivedField[],
  now: () => number = () => performance.now()
): DataFrame {
  const groups = groupDerivedFields(derived);
  const lines = frame.fields.find(({ name, type }) => name === 'body' && type === FieldType.string)?.values;
  if (frame.meta?.type !== DataFrameType.LogLines || !lines || groups.length === 0) {
    return frame;
  }
  const labels: unknown[] = frame.fields.find(({ name }) => name === 'labels')?.values ?? [];
  const deadline = now() + FRAME_MS_MAX;
  const faults: string[] = [];
  const added = groups.map((group): Field => {
    const values = new Array<string | null>(lines.length).fill(null);
    const fault = fill(values, group[0], { lines, labels, deadline, now });
    if (fault) {
      faults.push(`Link ${group[0].name}: ${fault}.`);
    }
    return { name: group[0].name, type: FieldType.string, config: { links: linksOf(group) }, values };
  });
  return withFaults({ ...frame, fields: [...frame.fields, ...added] }, faults);
}

interface Rows {
  lines: unknown[];
  labels: unknown[];
  deadline: number;
  now: () => number;
}

/** Writes what the field finds in each row, and returns in words why it did not get through all of them. */
function fill(values: Array<string | null>, field: DerivedField, rows: Rows): string | undefined {
  const { matcher, fault } = compile(field.matcherRegex, rows.now);
  if (fault !== undefined) {
    return fault;
  }
  for (let row = 0; row < values.length; row++) {
    if (rows.now() > rows.deadline) {
      return `stopped after ${FRAME_MS_MAX} ms, at row ${row + 1} of ${values.length}; a simpler regular expression gets further`;
    }
    try {
      values[row] = findValue(field, matcher, rows.lines[row], rows.labels[row]);
    } catch (error) {
      if (!(error instanceof SlowMatchError)) {
        throw error;
      }
      return `the regular expression takes too long on row ${row + 1}; fewer repetitions, such as .*, make it faster`;
    }
  }
  return undefined;
}

/** What a field finds in one row, null for nothing. */
export function findValue(field: DerivedField, matcher: Matcher, line: unknown, labels: unknown): string | null {
  if (field.matcherType !== 'label') {
    return typeof line === 'string' ? matcher.find(line) : null;
  }
  if (typeof labels !== 'object' || labels === null) {
    return null;
  }
  // The name itself goes before others that only contain it.
  const name = Object.hasOwn(labels, field.matcherRegex)
    ? field.matcherRegex
    : Object.keys(labels).find((key) => matcher.test(key));
  const value: unknown = name === undefined ? undefined : Reflect.get(labels, name);
  return value === undefined || value === null || value === '' ? null : String(value);
}

/** Panels show notices; Explore shows the error of the frame's own custom part. */
function withFaults(frame: DataFrame, faults: string[]): DataFrame {
  if (faults.length === 0) {
    return frame;
  }
  const { meta } = frame;
  const text = faults.join(' ');
  const notice: QueryResultMetaNotice = { severity: 'warning', text };
  const error: unknown = meta?.custom?.error;
  const custom = { ...meta?.custom, error: typeof error === 'string' && error !== '' ? `${error} ${text}` : text };
  return { ...frame, meta: { ...meta, custom, notices: [...(meta?.notices ?? []), notice] } };
}
