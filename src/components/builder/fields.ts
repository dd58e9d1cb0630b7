/** The labels that lines have, found in a sample of them: what a parser makes and what metadata holds is known only there. */
import { CoreApp, type DataFrame, type DataQueryRequest, type TimeRange } from '@grafana/data';
import { lastValueFrom } from 'rxjs';
import type { WoodshedDatasource } from '../../datasource';
import { sampleQuery } from '../../logql/builder';
import type { WoodshedQuery } from '../../types';

export interface Field {
  name: string;
  /** Where it comes from, in words. */
  origin: string;
  /** Its values in the sample, the most frequent first. */
  values: string[];
}

export type AskFields = (expr: string) => Promise<Field[]>;

const SAMPLE_LINES = 100;
const VALUES_MAX = 100;
const ORIGINS = { P: 'parsed field', S: 'structured metadata', I: 'label' } as const;
type Origin = keyof typeof ORIGINS;

function isOrigin(type: unknown): type is Origin {
  return type === 'P' || type === 'S' || type === 'I';
}

function entriesOf(value: unknown): Array<[string, unknown]> {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

/** The labels of the rows of frames: parsed fields first, by name. */
export function readFields(frames: readonly DataFrame[]): Field[] {
  const found = new Map<string, { type: Origin; counts: Map<string, number> }>();
  for (const { fields } of frames) {
    const columnOf = (name: string): unknown[] => fields.find((field) => field.name === name)?.values ?? [];
    const types = columnOf('labelTypes');
    columnOf('labels').forEach((labels, row) => {
      const typeOf = new Map(entriesOf(types[row]));
      for (const [name, value] of entriesOf(labels)) {
        const type = typeOf.get(name);
        const field = found.get(name) ?? { type: isOrigin(type) ? type : 'I', counts: new Map<string, number>() };
        found.set(name, field);
        field.counts.set(String(value), (field.counts.get(String(value)) ?? 0) + 1);
      }
    });
  }
  const order = Object.keys(ORIGINS);
  return Array.from(found)
    .sort(([a, { type: typeA }], [b, { type: typeB }]) => {
      return order.indexOf(typeA) - order.indexOf(typeB) || a.localeCompare(b);
    })
    .map(([name, { type, counts }]) => ({ name, origin: ORIGINS[type], values: byFrequency(counts) }));
}

function byFrequency(counts: Map<string, number>): string[] {
  return Array.from(counts)
    .sort(([, a], [, b]) => b - a)
    .slice(0, VALUES_MAX)
    .map(([value]) => value);
}

/** Asks for the labels of a query's lines. The last sample is kept: one look at the builder asks for it several times. */
export function fieldSource(datasource: Pick<WoodshedDatasource, 'query'>, range: TimeRange): AskFields {
  let last: { expr: string; fields: Promise<Field[]> } | undefined;
  return (expr) => {
    const sample = sampleQuery(expr);
    if (sample === undefined) {
      return Promise.resolve([]);
    }
    if (last?.expr !== sample) {
      const fields = lastValueFrom(datasource.query(sampleRequest(sample, range))).then(({ data }) => readFields(data));
      last = { expr: sample, fields };
      fields.catch(() => (last = undefined)); // A failure is no answer to keep.
    }
    return last.fields;
  };
}

function sampleRequest(expr: string, range: TimeRange): DataQueryRequest<WoodshedQuery> {
  return {
    app: CoreApp.Unknown,
    requestId: `woodshed-sample-${expr}`,
    interval: '1s',
    intervalMs: 1000,
    range,
    scopedVars: {},
    startTime: Date.now(),
    targets: [{ refId: 'sample', expr, maxLines: SAMPLE_LINES, queryType: 'range', direction: 'backward' }],
    timezone: 'browser',
  };
}
