/**
 * Queries that come from another datasource or go to one, when a person changes the datasource of a panel or of Explore.
 *
 * Grafana asks importFromAbstractQueries before importQueries, and Loki exports abstract queries: with the first of the two we
 * would get only the labels of Loki's selectors. So only importQueries exists here, and itself asks for abstract queries where
 * there is nothing better.
 */
import {
  type AbstractLabelMatcher,
  AbstractLabelOperator,
  type AbstractQuery,
  type DataSourceApi,
  hasQueryExportSupport,
} from '@grafana/data';
import type { DataQuery } from '@grafana/schema';
import { quote, unquote } from './logql/parse';
import { type LabelMatcher, type MatchOperator, printSelector, readMatchers } from './logql/selector';
import type { WoodshedQuery } from './types';

const OPERATORS: Record<AbstractLabelOperator, MatchOperator> = {
  [AbstractLabelOperator.Equal]: '=',
  [AbstractLabelOperator.NotEqual]: '!=',
  [AbstractLabelOperator.EqualRegEx]: '=~',
  [AbstractLabelOperator.NotEqualRegEx]: '!~',
};

const ABSTRACT: Record<MatchOperator, AbstractLabelOperator> = {
  '=': AbstractLabelOperator.Equal,
  '!=': AbstractLabelOperator.NotEqual,
  '=~': AbstractLabelOperator.EqualRegEx,
  '!~': AbstractLabelOperator.NotEqualRegEx,
};

/** Queries of another datasource in ours: Loki's as they are, of others the labels that they name. `known` are our labels. */
export async function importQueries(
  queries: DataQuery[],
  origin: DataSourceApi,
  known: () => Promise<string[]>
): Promise<WoodshedQuery[]> {
  if (origin.type === 'loki') {
    return queries.map(readLokiQuery);
  }
  if (!hasQueryExportSupport<DataQuery>(origin)) {
    return [];
  }
  const abstract = await origin.exportToAbstractQueries(queries);
  const names = new Set(await known().catch(() => []));
  return abstract.map(({ refId, labelMatchers }) => {
    const matchers = labelMatchers.map(readAbstract).filter(({ name }) => names.size === 0 || names.has(name));
    return { refId, expr: matchers.length > 0 ? printSelector(matchers) : '' };
  });
}

function readLokiQuery(query: DataQuery): WoodshedQuery {
  const field = (name: string): unknown => Reflect.get(query, name);
  const text = (name: string): string | undefined => {
    const value = field(name);
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const imported: WoodshedQuery = { refId: query.refId, expr: text('expr') ?? '' };
  const instant = query.queryType === 'instant' || (query.queryType === undefined && field('instant') === true);
  const maxLines = Number(field('maxLines'));
  return {
    ...imported,
    queryType: instant ? 'instant' : 'range',
    ...(query.hide && { hide: true }),
    ...(maxLines > 0 && { maxLines }),
    ...(text('legendFormat') && { legendFormat: text('legendFormat') }),
    ...(text('step') && { step: text('step') }),
    ...(field('direction') === 'forward' && { direction: 'forward' as const }),
    ...(field('direction') === 'backward' && { direction: 'backward' as const }),
  };
}

/** What our queries say of labels, for datasources that take it. */
export function exportToAbstractQueries(queries: WoodshedQuery[]): AbstractQuery[] {
  return queries.map(({ refId, expr }) => ({ refId, labelMatchers: readMatchers(expr ?? '').map(writeAbstract) }));
}

// The value of an abstract matcher is what stands between the quotes: Loki and Prometheus read it from their queries and write
// it into them as it is.
function readAbstract({ name, operator, value }: AbstractLabelMatcher): LabelMatcher {
  return { name, op: OPERATORS[operator], value: unquote(`"${value}"`) };
}

function writeAbstract({ name, op, value }: LabelMatcher): AbstractLabelMatcher {
  return { name, operator: ABSTRACT[op], value: quote(value).slice(1, -1) };
}
