/** What pickers ask the store: label names and values, with how much there is of each. */
import type { TimeRange } from '@grafana/data';
import type { WoodshedDatasource } from './datasource';
import type { LabelMatcher } from './logql/selector';
import type { SelectorStats } from './types';

/** A label name with the number of its values, or a value with the number of its streams; zero when nobody counted. */
export interface Counted {
  text: string;
  count: number;
}

/** The first names or values in their order, and how many there are in all. */
export interface CountList {
  items: Counted[];
  total: number;
}

/** Asks the store. `matchers` narrow the answer, and so does a text that names or values must contain. */
export interface CountSource {
  names(matchers: readonly LabelMatcher[], search: string): Promise<CountList>;
  values(name: string, matchers: readonly LabelMatcher[], search: string): Promise<CountList>;
  /** What the matchers select; undefined when the store would not be asked for so much. */
  stats(matchers: readonly LabelMatcher[]): Promise<SelectorStats | undefined>;
}

export function countSource(
  datasource: Pick<WoodshedDatasource, 'api' | 'selectorText'>,
  range: TimeRange
): CountSource {
  const { api } = datasource;
  return {
    names: (matchers, search) => api.counts(undefined, range, datasource.selectorText(matchers), search),
    values: (name, matchers, search) => api.counts(name, range, datasource.selectorText(matchers), search),
    stats: async (matchers) => {
      const selector = datasource.selectorText(matchers);
      return selector === undefined ? undefined : api.stats(range, selector);
    },
  };
}
