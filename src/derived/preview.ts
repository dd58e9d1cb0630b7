/** What derived fields would find in a line that a person types, before anything is saved. */
import { type DerivedField, groupDerivedFields } from './config';
import { findValue } from './frames';
import { compile } from './matcher';

export const TEST_CHARS_MAX = 4_096; // A line to test with is looked at on every key.

export interface Preview {
  name: string;
  value: string | null;
  /** Where the links lead: addresses, or queries of internal links. */
  targets: string[];
  fault?: string;
}

/** `replace` puts the value into an address as Grafana does. */
export function preview(
  fields: readonly DerivedField[],
  test: { line: string; labels: string },
  replace: (url: string, value: string) => string
): Preview[] {
  const labels = readLabels(test.labels.slice(0, TEST_CHARS_MAX));
  const line = test.line.slice(0, TEST_CHARS_MAX);
  return groupDerivedFields(fields).map((group): Preview => {
    const [{ name, matcherRegex }] = group;
    const { matcher, fault } = compile(matcherRegex);
    if (fault !== undefined) {
      return { name, value: null, targets: [], fault: `${fault}.` };
    }
    try {
      const value = findValue(group[0], matcher, line, labels);
      const urls = group.map(({ url, datasourceUid }) => url ?? (datasourceUid ? '${__value.raw}' : ''));
      return { name, value, targets: value === null ? [] : urls.filter(Boolean).map((url) => replace(url, value)) };
    } catch {
      return { name, value: null, targets: [], fault: 'the regular expression takes too long on this line.' };
    }
  });
}

/** Reads labels as people copy them: a selector, logfmt or JSON without nesting. */
export function readLabels(text: string): Record<string, string> {
  const pair = /([\w.-]+)"?\s*[=:]\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,{}"]+))/g;
  const labels: Record<string, string> = {};
  for (const [, name, quoted, plain] of text.matchAll(pair)) {
    labels[name] = quoted?.replace(/\\(.)/g, '$1') ?? plain;
  }
  return labels;
}
