/** The order of rows that a person chose, and queries that follow it: a limited answer has to hold the rows of that end. */
import { CoreApp, LogsSortOrder, LogSortOrderChangeEvent, store } from '@grafana/data';
import { getAppEvents } from '@grafana/runtime';
import { useEffect, useRef } from 'react';
import { isLogsQuery } from '../logql/parse';
import type { Direction, WoodshedQuery } from '../types';

// Explore keeps its sort order here and tells only datasources of type "loki" when it changes.
export const EXPLORE_SORT_ORDER_KEY = 'grafana.explore.logs.sortOrder';

export function exploreDirection(): Direction {
  return window.localStorage.getItem(EXPLORE_SORT_ORDER_KEY)?.includes('Ascending') ? 'forward' : 'backward';
}

interface Props {
  app: CoreApp | undefined;
  query: WoodshedQuery;
  onChange: (query: WoodshedQuery) => void;
  onRunQuery: () => void;
}

/** Runs a log query again when the order of its rows changes. In a panel the query keeps the order, for there it belongs to it. */
export function useSortOrder(props: Props): void {
  const latest = useRef(props);
  useEffect(() => {
    latest.current = props;
  });
  const { app } = props;
  useEffect(() => {
    if (app === CoreApp.Explore) {
      return watchExplore(() => {
        const { query, onRunQuery } = latest.current;
        if (query.direction === undefined && isLogsQuery(query.expr ?? '')) {
          onRunQuery();
        }
      });
    }
    if (app !== CoreApp.PanelEditor) {
      return undefined;
    }
    // Where no Grafana runs around the editor, nobody tells.
    const subscription = getAppEvents()?.subscribe(LogSortOrderChangeEvent, ({ payload }) => {
      const { query, onChange, onRunQuery } = latest.current;
      const direction: Direction = payload.order === LogsSortOrder.Ascending ? 'forward' : 'backward';
      if (isLogsQuery(query.expr ?? '') && direction !== (query.direction ?? 'backward')) {
        onChange({ ...query, direction });
        onRunQuery();
      }
    });
    return () => subscription?.unsubscribe();
  }, [app]);
}

/** Calls back when Explore's order changes. A Grafana whose store cannot be watched shows the new order at the next run. */
function watchExplore(onChange: () => void): (() => void) | undefined {
  let before = exploreDirection();
  return store?.subscribe?.(EXPLORE_SORT_ORDER_KEY, () => {
    const now = exploreDirection();
    if (now !== before) {
      before = now;
      onChange();
    }
  });
}
