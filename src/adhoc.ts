/**
 * Ad hoc filters of a dashboard: what they offer, and how they are written into every query of it.
 *
 * A filter on a label of streams goes into the selector, where it costs nothing, unless a parser of the pipeline may make that
 * label too. Any other goes behind the last parser, where labels of all kinds can be tested.
 */
import {
  type AdHocVariableFilter,
  type DataSourceGetTagKeysOptions,
  type DataSourceGetTagValuesOptions,
  getDefaultTimeRange,
  type MetricFindValue,
  type TimeRange,
} from '@grafana/data';
import type { WoodshedApi } from './api';
import { endOfStage, isA, LABEL_MAKERS, stagesOf } from './logql/modify';
import { findSelectors, quote } from './logql/parse';
import {
  addMatcher,
  escapeRegex,
  isMatchOperator,
  isSelective,
  type LabelMatcher,
  printMatcher,
  printSelector,
  readSelectors,
  sameMatcher,
} from './logql/selector';
import type { WoodshedQuery } from './types';

/** The store finds this one of every entry; it is no label of a stream, and yet what people filter by first. */
const LEVEL_LABEL = 'detected_level';
const LEVELS = ['critical', 'fatal', 'error', 'warn', 'info', 'debug', 'trace', 'unknown'];

const SELECTORS_MAX = 8; // Queries of a dashboard with more different selectors narrow nothing: it would be a request for each.

/** A filter as a matcher; undefined for an operator that no matcher has. */
function matcherOf({ key: name, operator, value, values }: AdHocVariableFilter): LabelMatcher | undefined {
  const oneOf = () => (values?.length ? values : [value]).map(escapeRegex).join('|');
  switch (operator) {
    case '=|':
      return { name, op: '=~', value: oneOf() };
    case '!=|':
      return { name, op: '!~', value: oneOf() };
    default:
      return isMatchOperator(operator) ? { name, op: operator, value } : undefined;
  }
}

/** A filter of a pipeline. Comparisons are of numbers, durations and sizes; what is none of them is left to the store to refuse. */
function printFilter(filter: AdHocVariableFilter): string {
  const matcher = matcherOf(filter);
  if (matcher) {
    return printMatcher(matcher);
  }
  const quantity = /^-?\d+(\.\d+)?([a-zA-Zµ]+[\d.a-zA-Zµ]*)?$/.test(filter.value);
  return `${filter.key} ${filter.operator} ${quantity ? filter.value : quote(filter.value)}`;
}

/** Whether a filter says something. Grafana hands over rows that a person has only begun. */
function isComplete({ key, operator }: AdHocVariableFilter): boolean {
  return key !== '' && operator !== '';
}

/**
 * Writes filters into every selector of a query, or into its pipeline. `indexed` are the names of labels of streams, as far as
 * they are known.
 */
export function addAdHocFilters(
  expr: string,
  filters: readonly AdHocVariableFilter[] | undefined,
  indexed: ReadonlySet<string>
): string {
  return (filters ?? []).filter(isComplete).reduce((text, filter) => addFilter(text, filter, indexed), expr);
}

function addFilter(expr: string, filter: AdHocVariableFilter, indexed: ReadonlySet<string>): string {
  const matcher = indexed.has(filter.key) ? matcherOf(filter) : undefined;
  // Last first, so that earlier positions stay true.
  return findSelectors(expr).reduceRight((text, selector, index) => {
    if (matcher && !stagesOf(selector).some((stage) => isA(stage, LABEL_MAKERS))) {
      const there = readSelectors(text)[index]?.some((other) => sameMatcher(other, matcher));
      return there ? text : addMatcher(text, matcher, index);
    }
    const at = endOfStage(selector, LABEL_MAKERS);
    return `${text.slice(0, at)} | ${printFilter(filter)}${text.slice(at)}`;
  }, expr);
}

/** What ad hoc filters of dashboards offer, and which labels are those of streams. */
export class AdHocFilters {
  /** Names of labels of streams in the ranges that were asked for. */
  readonly indexed = new Set<string>();

  constructor(
    private api: WoodshedApi,
    /** A selector with its variables replaced; undefined when it would match everything. */
    private selectorText: (matchers: readonly LabelMatcher[]) => string | undefined
  ) {}

  /** Learns which labels are of streams. When the store does not tell, filters go into pipelines, which is right too. */
  async learn(range: TimeRange): Promise<void> {
    const names = await this.api.labelNames(range).catch(() => []);
    names.forEach((name) => this.indexed.add(name));
  }

  async keys({
    filters = [],
    timeRange,
    queries,
  }: Partial<DataSourceGetTagKeysOptions<WoodshedQuery>>): Promise<MetricFindValue[]> {
    const range = timeRange ?? getDefaultTimeRange();
    await this.learn(range);
    const selectors = this.selectors(filters, queries, []);
    const names = await union(selectors, (selector) => this.api.labelNames(range, selector));
    return toFound([...names, ...(names.includes(LEVEL_LABEL) ? [] : [LEVEL_LABEL])]);
  }

  async values(options: DataSourceGetTagValuesOptions<WoodshedQuery>): Promise<MetricFindValue[]> {
    const { key, filters = [], timeRange, queries } = options;
    const range = timeRange ?? getDefaultTimeRange();
    await this.learn(range);
    if (key === LEVEL_LABEL && !this.indexed.has(key)) {
      return toFound(LEVELS);
    }
    const others = filters.filter((filter) => filter.key !== key);
    // That a stream has the label is no restriction here, and makes every selector one that the store takes.
    const selectors = this.selectors(others, queries, [{ name: key, op: '=~', value: '.+' }]);
    return toFound(await union(selectors, (selector) => this.api.labelValues(key, range, selector)));
  }

  /** Selectors of the streams that queries and filters leave; one that is undefined means all of them. */
  private selectors(
    filters: readonly AdHocVariableFilter[],
    queries: WoodshedQuery[] | undefined,
    always: LabelMatcher[]
  ): Array<string | undefined> {
    const matchers = filters.filter(({ key }) => this.indexed.has(key)).flatMap((filter) => matcherOf(filter) ?? []);
    const narrowing = [...matchers, ...always];
    const shown = (queries ?? []).filter(({ hide }) => !hide).flatMap(({ expr }) => readSelectors(expr ?? ''));
    const found = new Set(shown.filter(isSelective).map((selector) => this.selectorText([...selector, ...narrowing])));
    if (found.size > 0 && found.size <= SELECTORS_MAX && shown.every(isSelective)) {
      return Array.from(found);
    }
    return [matchers.length > 0 && isSelective(narrowing) ? printSelector(narrowing) : undefined];
  }
}

async function union(
  selectors: Array<string | undefined>,
  ask: (selector: string | undefined) => Promise<string[]>
): Promise<string[]> {
  const answers = await Promise.all(selectors.map(ask));
  return Array.from(new Set(answers.flat())).sort();
}

function toFound(texts: string[]): MetricFindValue[] {
  return texts.map((text) => ({ text, value: text }));
}
