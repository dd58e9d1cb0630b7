import { CoreApp, EventBusSrv, LogsSortOrder, LogSortOrderChangeEvent, store } from '@grafana/data';
import { renderHook } from '@testing-library/react';
import type { WoodshedQuery } from '../types';
import { EXPLORE_SORT_ORDER_KEY, exploreDirection, useSortOrder } from './sortOrder';

const events = new EventBusSrv();
jest.mock('@grafana/runtime', () => ({
  ...jest.requireActual('@grafana/runtime'),
  getAppEvents: () => events,
}));

const logs: WoodshedQuery = { refId: 'A', expr: '{app="api"}' };

function renderOrder(app: CoreApp, query: WoodshedQuery) {
  const onChange = jest.fn();
  const onRunQuery = jest.fn();
  const { unmount } = renderHook(() => useSortOrder({ app, query, onChange, onRunQuery }));
  return { onChange, onRunQuery, unmount };
}

describe('useSortOrder', () => {
  beforeEach(() => store.delete(EXPLORE_SORT_ORDER_KEY));

  it('runs again in Explore when the order changes', () => {
    const { onRunQuery, unmount } = renderOrder(CoreApp.Explore, logs);
    store.set(EXPLORE_SORT_ORDER_KEY, 'Ascending');
    expect(exploreDirection()).toBe('forward');
    expect(onRunQuery).toHaveBeenCalledTimes(1);
    store.set(EXPLORE_SORT_ORDER_KEY, 'Ascending');
    expect(onRunQuery).toHaveBeenCalledTimes(1);
    unmount();
    store.set(EXPLORE_SORT_ORDER_KEY, 'Descending');
    expect(onRunQuery).toHaveBeenCalledTimes(1);
    expect(exploreDirection()).toBe('backward');
  });

  it('leaves queries alone that have an order, or none', () => {
    const fixed = renderOrder(CoreApp.Explore, { ...logs, direction: 'backward' });
    const metric = renderOrder(CoreApp.Explore, { ...logs, expr: 'rate({app="api"}[5m])' });
    store.set(EXPLORE_SORT_ORDER_KEY, 'Ascending');
    expect(fixed.onRunQuery).not.toHaveBeenCalled();
    expect(metric.onRunQuery).not.toHaveBeenCalled();
  });

  it('gives the query of a panel the order of its rows', () => {
    const { onChange, onRunQuery, unmount } = renderOrder(CoreApp.PanelEditor, logs);
    events.publish(new LogSortOrderChangeEvent({ order: LogsSortOrder.Descending }));
    expect(onChange).not.toHaveBeenCalled();
    events.publish(new LogSortOrderChangeEvent({ order: LogsSortOrder.Ascending }));
    expect(onChange).toHaveBeenCalledWith({ ...logs, direction: 'forward' });
    expect(onRunQuery).toHaveBeenCalledTimes(1);
    unmount();
    events.publish(new LogSortOrderChangeEvent({ order: LogsSortOrder.Ascending }));
    expect(onRunQuery).toHaveBeenCalledTimes(1);
  });
});
