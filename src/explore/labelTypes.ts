/** Where the labels of a row come from, as its frame tells. */
import type { DataFrame } from '@grafana/data';
import type { LabelType } from '../logql/modify';

export const LABEL_GROUPS: Record<LabelType, string> = {
  I: 'Indexed labels',
  S: 'Structured metadata',
  P: 'Parsed fields',
};

/** The frame tells for each row; without a row, the first row that has the label answers. */
export function labelType(
  frame: DataFrame | undefined,
  name: string,
  row: number | null = null
): LabelType | undefined {
  const values: unknown[] = frame?.fields.find((field) => field.name === 'labelTypes')?.values ?? [];
  for (const types of row === null ? values : [values[row]]) {
    const type: unknown = typeof types === 'object' && types !== null ? Reflect.get(types, name) : undefined;
    if (type === 'I' || type === 'S' || type === 'P') {
      return type;
    }
  }
  return undefined;
}
