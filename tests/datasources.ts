/** Data sources that a spec makes for itself, as an administrator does by the API. */
import { randomUUID } from 'node:crypto';
import { expect, type Page } from '@playwright/test';

interface NewDatasource {
  type: string;
  url?: string;
  jsonData?: Record<string, unknown>;
}

/** Makes a data source with a name of its own, and returns its uid. */
export async function createDatasource(page: Page, { type, url, jsonData }: NewDatasource): Promise<string> {
  const name = `${type}-${randomUUID().slice(0, 8)}`;
  const response = await page.request.post('/api/datasources', {
    data: { name, uid: name, type, url, access: 'proxy', jsonData },
  });
  expect(response.status(), await response.text()).toBe(200);
  return name;
}

export async function removeDatasource(page: Page, uid: string): Promise<void> {
  await page.request.delete(`/api/datasources/uid/${uid}`);
}
