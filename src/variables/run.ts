/** Asks the store for the values of a dashboard variable. */
import type { MetricFindValue, ScopedVars, TimeRange } from '@grafana/data';
import type { WoodshedApi } from '../api';
import { interpolate, type Replace } from '../logql/interpolate';
import { isBlank } from '../logql/parse';
import { escapeRegex, isSelective, type LabelMatcher, printSelector, readMatchers } from '../logql/selector';
import { LABEL_NAMES, readVariableQuery } from './query';

interface Context {
  api: WoodshedApi;
  replace: Replace;
  range: TimeRange;
  scopedVars?: ScopedVars;
}

/** What stands in $__searchFilter: what a person types into the variable's list, as the beginning of a value. */
function withSearchFilter(scopedVars: ScopedVars): ScopedVars {
  const typed: unknown = scopedVars.__searchFilter?.value ?? '';
  return { ...scopedVars, __searchFilter: { text: '', value: `${escapeRegex(String(typed))}.*` } };
}

export async function findVariableValues(stored: unknown, context: Context): Promise<MetricFindValue[]> {
  const query = readVariableQuery(stored);
  if (!query) {
    return [];
  }
  const { api, replace, range } = context;
  const variables = withSearchFilter(context.scopedVars ?? {});
  const stream = interpolate(query.stream ?? '', variables, replace);
  if (query.type === LABEL_NAMES) {
    return values(await api.labelNames(range, selectorFor(stream)));
  }
  const label = replace(query.label ?? '', variables, firstOf).trim();
  return label ? values(await api.labelValues(label, range, selectorFor(stream, label))) : [];
}

/**
 * The selector to ask with. The store refuses one that asks nothing of any label; such a one comes about when All is chosen
 * whose value is .* and it means every stream. With a label whose values are wanted, that every stream has the label is no
 * restriction, and makes any selector one that the store takes.
 */
function selectorFor(stream: string, label?: string): string | undefined {
  if (isBlank(stream)) {
    return undefined;
  }
  const all = readMatchers(stream);
  if (all.length === 0) {
    return /^\s*\{\s*\}\s*$/.test(stream) ? undefined : stream; // Not a selector: the store says what is wrong.
  }
  const matchers = all.filter((matcher) => !matchesEverything(matcher));
  if (matchers.length === 0) {
    return undefined;
  }
  const any: LabelMatcher[] = label && !isSelective(matchers) ? [{ name: label, op: '=~', value: '.+' }] : [];
  return printSelector([...matchers, ...any]);
}

function matchesEverything({ op, value }: LabelMatcher): boolean {
  return op === '=~' && value === '.*';
}

function values(texts: string[]): MetricFindValue[] {
  return texts.map((text) => ({ text, value: text }));
}

/** A label has one name. */
function firstOf(value: unknown): string {
  return String(Array.isArray(value) ? (value[0] ?? '') : value);
}
