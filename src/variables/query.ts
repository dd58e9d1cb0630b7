/**
 * What a dashboard stores for a variable of this datasource. It is Loki's model, so that dashboards made for Loki work as they
 * are: an object with a type, or in old dashboards the text label_names() or label_values(selector, label).
 */
import type { DataQuery } from '@grafana/schema';

export const LABEL_NAMES = 0;
export const LABEL_VALUES = 1;

export interface VariableQuery extends DataQuery {
  type: typeof LABEL_NAMES | typeof LABEL_VALUES;
  /** The label whose values are wanted. */
  label?: string;
  /** A selector that narrows; empty for none. */
  stream?: string;
}

export const EMPTY_VARIABLE_QUERY: VariableQuery = {
  refId: 'WoodshedVariable',
  type: LABEL_VALUES,
  label: '',
  stream: '',
};

const NAMES_TEXT = /^\s*label_names\(\s*([\s\S]*?)\s*\)\s*$/;
// The label is a name, or a dashboard variable that holds one.
const VALUES_TEXT = /^\s*label_values\(\s*(?:([\s\S]+?)\s*,\s*)?([\w.]+|\$\w+|\$\{[^}]+\}|\[\[[^\]]+\]\])\s*\)\s*$/;

/** Reads what is stored; undefined for what asks for nothing, such as a new variable. */
export function readVariableQuery(stored: unknown): VariableQuery | undefined {
  if (typeof stored === 'string') {
    return readText(stored);
  }
  if (typeof stored !== 'object' || stored === null) {
    return undefined;
  }
  const field = (name: string): unknown => Reflect.get(stored, name);
  const text = field('query');
  if (field('type') === undefined && typeof text === 'string') {
    return readText(text); // The way of Prometheus, and of dashboards that were written by hand.
  }
  const type = Number(field('type'));
  if (type !== LABEL_NAMES && type !== LABEL_VALUES) {
    return undefined;
  }
  const word = (name: string): string => String(field(name) ?? '');
  return { refId: word('refId') || EMPTY_VARIABLE_QUERY.refId, type, label: word('label'), stream: word('stream') };
}

function readText(text: string): VariableQuery | undefined {
  const { refId } = EMPTY_VARIABLE_QUERY;
  const names = NAMES_TEXT.exec(text);
  if (names) {
    return { refId, type: LABEL_NAMES, label: '', stream: names[1] };
  }
  const values = VALUES_TEXT.exec(text);
  return values ? { refId, type: LABEL_VALUES, label: values[2], stream: values[1] ?? '' } : undefined;
}

/** The same query as the text that a list of variables shows. */
export function printVariableQuery({ type, label, stream }: VariableQuery): string {
  if (type === LABEL_NAMES) {
    return `label_names(${stream ?? ''})`;
  }
  return stream ? `label_values(${stream}, ${label ?? ''})` : `label_values(${label ?? ''})`;
}
