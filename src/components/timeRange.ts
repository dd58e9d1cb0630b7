/** Time ranges in words, and the way to another one: what a datasource can do about the range is to change the address. */
import { CoreApp, dateTime, rangeUtil, type TimeRange } from '@grafana/data';
import { locationService } from '@grafana/runtime';

const MARGIN_MS = 60_000; // Behind the newest line, so that it does not stand at the very edge.

export interface Span {
  fromMS: number;
  toMS: number;
}

/** in the last hour, in the last 6 hours, today, in this time range */
export function inRange({ raw }: TimeRange): string {
  if (typeof raw.from !== 'string' || typeof raw.to !== 'string' || raw.to !== 'now') {
    return 'in this time range';
  }
  const words = rangeUtil.describeTimeRange(raw);
  return /^Last /.test(words) ? `in the ${words.toLowerCase().replace(/^last 1 /, 'last ')}` : 'in this time range';
}

/** 3 days ago */
export function ago(timeMS: number): string {
  return dateTime(timeMS).fromNow();
}

/** A range as wide as another one that ends just behind a time. */
export function rangeAround(timeMS: number, { from, to }: TimeRange): Span {
  const widthMS = Math.max(to.valueOf() - from.valueOf(), 2 * MARGIN_MS);
  const toMS = Math.ceil((timeMS + MARGIN_MS) / 1000) * 1000;
  return { fromMS: toMS - widthMS, toMS };
}

/** Whether the time range of the page is in its address. */
export function canShowRange(app: CoreApp | undefined): boolean {
  return app === CoreApp.Explore || app === CoreApp.Dashboard || app === CoreApp.PanelEditor;
}

/** Changes the range of the page: in Explore that of the pane with this query, on a dashboard that of the dashboard. */
export function showRange(app: CoreApp | undefined, { fromMS, toMS }: Span, refId: string, expr: string): void {
  const [from, to] = [String(fromMS), String(toMS)];
  if (app !== CoreApp.Explore) {
    locationService.partial({ from, to });
    return;
  }
  const panes = readPanes(locationService.getSearchObject().panes);
  const names = Object.keys(panes);
  const having = names.filter((name) => hasQuery(panes[name], refId, expr));
  for (const name of having.length > 0 ? having : names.slice(0, 1)) {
    panes[name] = { ...panes[name], range: { from, to } };
  }
  locationService.partial({ panes: JSON.stringify(panes) });
}

type Panes = Record<string, Record<string, unknown>>;

function readPanes(text: unknown): Panes {
  try {
    const panes: unknown = JSON.parse(String(text));
    return isRecord(panes) ? Object.fromEntries(Object.entries(panes).filter(isPane)) : {};
  } catch {
    return {};
  }
}

function isPane(entry: [string, unknown]): entry is [string, Record<string, unknown>] {
  return isRecord(entry[1]);
}

function hasQuery({ queries }: Record<string, unknown>, refId: string, expr: string): boolean {
  const list: unknown[] = Array.isArray(queries) ? queries : [];
  return list.some((query) => isRecord(query) && query.refId === refId && query.expr === expr);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
