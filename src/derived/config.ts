/** Links from logs in the shape of Loki's data source, so that its provisioning files work unchanged. */

export type MatcherType = 'regex' | 'label';

/** What one link is made of. Fields of the same name are one field of a row, found by the first and linked by all. */
export interface DerivedField {
  name: string;
  /** A regular expression on the line, or on the names of labels. */
  matcherRegex: string;
  matcherType?: MatcherType;
  /** The address, or of an internal link the query; `${__value.raw}` stands for what was found. */
  url?: string;
  urlDisplayLabel?: string;
  /** Makes the link an internal one. */
  datasourceUid?: string;
  targetBlank?: boolean;
}

/** The derived fields of a data source's settings, also unfinished ones. What is no text there is none; keys of others stay. */
export function readDerivedFields(json: unknown): DerivedField[] {
  return Array.isArray(json) ? json.filter(isRecord).map(readDerivedField) : [];
}

function readDerivedField(json: Record<string, unknown>): DerivedField {
  const { matcherType, targetBlank } = json;
  return {
    ...json,
    name: text(json.name) ?? '',
    matcherRegex: text(json.matcherRegex) ?? '',
    matcherType: matcherType === 'label' || matcherType === 'regex' ? matcherType : undefined,
    url: text(json.url),
    urlDisplayLabel: text(json.urlDisplayLabel),
    datasourceUid: text(json.datasourceUid),
    targetBlank: typeof targetBlank === 'boolean' ? targetBlank : undefined,
  };
}

/** Those that can find something, by name in the order of their first. */
export function groupDerivedFields(fields: readonly DerivedField[]): DerivedField[][] {
  const groups = new Map<string, DerivedField[]>();
  for (const field of fields) {
    if (field.name && field.matcherRegex) {
      groups.set(field.name, [...(groups.get(field.name) ?? []), field]);
    }
  }
  return [...groups.values()];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
