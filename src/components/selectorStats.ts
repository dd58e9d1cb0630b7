/** What the selectors of a query would read, all together, and which of them match nothing. */
import type { TimeRange } from '@grafana/data';
import type { WoodshedDatasource } from '../datasource';
import { printSelector, readSelectors } from '../logql/selector';
import type { SelectorStats } from '../types';

export interface QueryStats {
  total: SelectorStats;
  unmatched: UnmatchedSelector[];
}

export interface UnmatchedSelector {
  /** As the person wrote it. */
  written: string;
  /** As the store is asked: variables replaced. */
  asked: string;
}

/** Undefined when there is nothing to ask. */
export async function askStats(
  datasource: WoodshedDatasource,
  expr: string,
  range: TimeRange
): Promise<QueryStats | undefined> {
  const selectors = new Map<string, UnmatchedSelector>();
  for (const matchers of readSelectors(expr)) {
    const asked = datasource.selectorText(matchers);
    if (asked !== undefined) {
      selectors.set(asked, { asked, written: printSelector(matchers) });
    }
  }
  if (selectors.size === 0) {
    return undefined;
  }
  const list = Array.from(selectors.values());
  const answers = await Promise.all(list.map(({ asked }) => datasource.api.stats(range, asked)));
  const total = answers.reduce((sum, stats) => ({
    streams: sum.streams + stats.streams,
    chunks: sum.chunks + stats.chunks,
    entries: sum.entries + stats.entries,
    bytes: sum.bytes + stats.bytes,
  }));
  return { total, unmatched: list.filter((_, index) => answers[index].streams === 0) };
}
