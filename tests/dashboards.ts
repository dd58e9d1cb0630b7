/** Dashboards that specs make through Grafana's API, each for itself. */
import { randomUUID } from 'node:crypto';
import { type APIRequestContext, expect, type Locator, type Page } from '@playwright/test';

export const DATASOURCE = { type: 'woodshed-logs-datasource', uid: 'woodshed' };

export interface Panel {
  title: string;
  type: string;
  targets: object[];
  options?: object;
  transformations?: object[];
  repeat?: string;
}

export interface Dashboard {
  panels: Panel[];
  variables?: object[];
  annotations?: object[];
}

/** Stores a dashboard of the last hour and answers its uid. */
export async function createDashboard(
  request: APIRequestContext,
  { panels, variables = [], annotations = [] }: Dashboard
): Promise<string> {
  const uid = `spec-${randomUUID().slice(0, 8)}`;
  const dashboard = {
    uid,
    title: `Spec ${uid}`,
    schemaVersion: 41,
    time: { from: 'now-1h', to: 'now' },
    templating: { list: variables },
    annotations: { list: annotations },
    panels: panels.map((panel, index) => ({
      id: index + 1,
      datasource: DATASOURCE,
      gridPos: { x: (index % 2) * 12, y: Math.floor(index / 2) * 8, w: 12, h: 8 },
      ...panel,
      targets: panel.targets.map((target) => ({ datasource: DATASOURCE, ...target })),
    })),
  };
  const response = await request.post('/api/dashboards/db', { data: { dashboard, overwrite: true } });
  expect(response.status(), await response.text()).toBe(200);
  return uid;
}

export function panel(page: Page, title: string): Locator {
  return page.getByTestId(`data-testid Panel header ${title}`);
}

/** A variable of a query, as a dashboard stores it. */
export function queryVariable(name: string, query: unknown, more: object = {}): object {
  return { type: 'query', name, datasource: DATASOURCE, query, refresh: 1, sort: 0, ...more };
}
