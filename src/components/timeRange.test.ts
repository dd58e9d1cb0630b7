import { CoreApp, dateTime, type RawTimeRange, type TimeRange } from '@grafana/data';
import { locationService } from '@grafana/runtime';
import { canShowRange, inRange, rangeAround, showRange } from './timeRange';

const range = (raw: RawTimeRange, fromMS = 0, toMS = 3_600_000): TimeRange => {
  return { from: dateTime(fromMS), to: dateTime(toMS), raw };
};

describe('inRange', () => {
  const f = (from: string, to: string, want: string) => expect(inRange(range({ from, to }))).toBe(want);

  it('says relative ranges as people do', () => {
    f('now-1h', 'now', 'in the last hour');
    f('now-6h', 'now', 'in the last 6 hours');
    f('now-15m', 'now', 'in the last 15 minutes');
    f('now/d', 'now/d', 'in this time range');
  });

  it('does not spell out absolute ones', () => {
    expect(inRange(range({ from: dateTime(0), to: dateTime(1) }))).toBe('in this time range');
  });
});

describe('rangeAround', () => {
  it('is as wide as the range before, and ends behind the time', () => {
    expect(rangeAround(10_000_000, range({ from: 'now-1h', to: 'now' }))).toEqual({
      fromMS: 6_460_000,
      toMS: 10_060_000,
    });
  });
});

describe('showRange', () => {
  const span = { fromMS: 1000, toMS: 2000 };
  const paneRanges = (): unknown[] => {
    const panes: Record<string, { range: unknown }> = JSON.parse(String(locationService.getSearchObject().panes));
    return Object.values(panes).map((pane) => pane.range);
  };
  const explore = (...exprs: string[]) => {
    const panes = Object.fromEntries(
      exprs.map((expr, index) => [`p${index}`, { queries: [{ refId: 'A', expr }], range: 'old' }])
    );
    locationService.push(`/explore?panes=${encodeURIComponent(JSON.stringify(panes))}`);
  };

  it('changes the pane with the query', () => {
    explore('{a="b"}', '{c="d"}');
    showRange(CoreApp.Explore, span, 'A', '{c="d"}');
    expect(paneRanges()).toEqual(['old', { from: '1000', to: '2000' }]);
  });

  it('changes the first pane when none has it yet', () => {
    explore('{a="b"}');
    showRange(CoreApp.Explore, span, 'A', '{c="d"}');
    expect(paneRanges()).toEqual([{ from: '1000', to: '2000' }]);
  });

  it('survives an address that is not ours', () => {
    locationService.push('/explore?panes=oops');
    showRange(CoreApp.Explore, span, 'A', '{c="d"}');
    expect(locationService.getSearchObject().panes).toBe('{}');
  });

  it('changes the range of a dashboard', () => {
    locationService.push('/d/x?from=now-1h&to=now&editPanel=1');
    showRange(CoreApp.PanelEditor, span, 'A', '{c="d"}');
    expect(locationService.getSearchObject()).toMatchObject({ from: '1000', to: '2000' });
  });

  it('is offered where the address has a range', () => {
    expect(canShowRange(CoreApp.Explore)).toBe(true);
    expect(canShowRange(CoreApp.UnifiedAlerting)).toBe(false);
    expect(canShowRange(undefined)).toBe(false);
  });
});
