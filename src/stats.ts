/** Queries of type stats: what the store knows of itself. The backend has the list of statistics. */
import type { WoodshedQuery } from './types';

/** A statistic that the store offers. */
export interface Statistic {
  name: string;
  title: string;
  /** What it can be split by; the first is what a query gets that does not say. */
  by: string[];
  /** About the whole store, which is not for everybody where organisations are kept apart. */
  process: boolean;
}

export function isStatsQuery(query: WoodshedQuery): boolean {
  return query.queryType === 'stats';
}

/** Whether such a query can run. */
export function isCompleteStatsQuery(query: WoodshedQuery): boolean {
  return isStatsQuery(query) && Boolean(query.stat?.trim());
}

/** The query in a few words. */
export function statsQueryText(query: WoodshedQuery): string {
  return [query.stat ?? '', ...(query.by ? [`by ${query.by}`] : [])].join(' ').trim();
}

/** A stats query with its variables replaced. */
export function interpolateStats(query: WoodshedQuery, replace: (text: string) => string): WoodshedQuery {
  return { ...query, stat: query.stat && replace(query.stat), by: query.by && replace(query.by) };
}

/** Reads the store's list; what is no statistic is left out. */
export function readStatistics(answer: unknown): Statistic[] {
  const data: unknown = typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'data') : undefined;
  return Array.isArray(data) ? data.filter(isStatistic) : [];
}

function isStatistic(value: unknown): value is Statistic {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  const by: unknown = Reflect.get(value, 'by');
  return (
    typeof Reflect.get(value, 'name') === 'string' &&
    typeof Reflect.get(value, 'title') === 'string' &&
    typeof Reflect.get(value, 'process') === 'boolean' &&
    Array.isArray(by) &&
    by.every((name) => typeof name === 'string')
  );
}
