import { expect, test } from '@grafana/plugin-e2e';
import type { APIRequestContext, Page } from '@playwright/test';
import { DATASOURCE_FILE, newRun, openExplore, push, shopLines } from './store';

const PLUGIN = 'woodshed-logs-datasource';

/** What the browser wrote on its console that is an error of ours. */
function consoleErrors(page: Page): string[] {
  const errors: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && /woodshed/i.test(`${message.text()} ${message.location().url}`)) {
      errors.push(message.text());
    }
  });
  return errors;
}

/** Imports a dashboard that is in the plugin, as the data source's page does, and returns its address. */
async function importDashboard(request: APIRequestContext, path: string, dsName: string): Promise<string> {
  const response = await request.post('/api/dashboards/import', {
    data: {
      pluginId: PLUGIN,
      path,
      overwrite: true,
      inputs: [{ name: '*', type: 'datasource', pluginId: PLUGIN, value: dsName }],
    },
  });
  expect(response.status(), await response.text()).toBe(200);
  const { importedUrl } = await response.json();
  return importedUrl;
}

/** Opens a dashboard and waits until all of it is there: it is thirty panels, and machines differ. */
async function openDashboard(page: Page, url: string, theme: string): Promise<void> {
  await page.setViewportSize({ width: 1600, height: 2600 }); // Panels below the window are not loaded.
  await page.goto(`${url}?theme=${theme}&kiosk=true`);
  // The last panel has its answer; those above asked before it.
  await expect(page.getByText('No faults in this time range')).toBeVisible({ timeout: 120_000 });
  await expect(page.getByRole('status', { name: 'Panel loading bar' })).toHaveCount(0, { timeout: 120_000 });
}

for (const theme of ['dark', 'light']) {
  test(`the bundled dashboard, ${theme}, has no panel that is red or empty without a word`, async ({
    page,
    readProvisionedDataSource,
    request,
  }) => {
    test.slow();
    const errors = consoleErrors(page);
    const { name } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
    await push(shopLines(newRun()));
    await openDashboard(page, await importDashboard(request, 'dashboards/store.json', name), theme);
    await expect(page.getByTestId('data-testid Panel status error')).toHaveCount(0);
    // Each panel has its own words for nothing; these are Grafana's.
    await expect(page.getByText('No data', { exact: true })).toHaveCount(0);
    await expect(page.getByText('Nothing was removed in this time range')).toBeVisible();
    await expect(page.getByText('OK', { exact: true })).toBeVisible();
    await expect(page.locator('.uplot').first()).toBeVisible();
    if (process.env.WOODSHED_SCREENSHOTS) {
      await page.screenshot({ path: `${process.env.WOODSHED_SCREENSHOTS}/store-${theme}.png`, fullPage: true });
    }
    expect(errors).toEqual([]);
  });
}

test('the dashboards stand on the page of the data source', async ({ page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  await page.goto(`/connections/datasources/edit/${uid}/dashboards`);
  for (const title of ['Woodshed: the store', 'Woodshed: the store, from Prometheus']) {
    await expect(
      page
        .getByRole('row')
        .filter({ hasText: new RegExp(`^${title}`) })
        .first()
    ).toBeVisible();
  }
});

test('an unknown statistic is refused with those that there are, and an alert may ask', async ({
  readProvisionedDataSource,
  request,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const query = async (more: object) => {
    const queries = [{ refId: 'A', datasource: { type: PLUGIN, uid }, queryType: 'stats', ...more }];
    const response = await request.post('/api/ds/query', { data: { from: 'now-15m', to: 'now', queries } });
    return (await response.json()).results.A;
  };
  const refused = await query({ stat: 'weather' });
  expect(refused.status).toBe(400);
  expect(refused.error).toContain('There is no statistic "weather". There are: ingest_entries');

  // What the rule editor sends to see what a rule would do.
  const response = await request.post('/api/v1/eval', {
    data: {
      data: [
        {
          refId: 'A',
          datasourceUid: uid,
          relativeTimeRange: { from: 600, to: 0 },
          model: { refId: 'A', queryType: 'stats', stat: 'disk_free_bytes', instant: true },
        },
        {
          refId: 'B',
          datasourceUid: '__expr__',
          model: {
            refId: 'B',
            type: 'threshold',
            expression: 'A',
            conditions: [{ evaluator: { type: 'gt', params: [0] } }],
          },
        },
      ],
      now: new Date().toISOString(),
    },
  });
  const { results } = await response.json();
  expect(results.A.error).toBeUndefined();
  expect(results.B.frames.map((frame: { data: { values: number[][] } }) => frame.data.values[0][0])).toEqual([1, 1]);
});

test('statistics are chosen in the query editor', async ({ explorePage, page, readProvisionedDataSource }) => {
  const errors = consoleErrors(page);
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  await push(shopLines(newRun()));
  await openExplore(explorePage, uid, '');
  await page.getByRole('button', { name: 'Options', exact: true }).click();
  await page.getByRole('radio', { name: 'Stats' }).check();
  // The list draws only what is in sight.
  await page.getByRole('combobox', { name: 'Statistic' }).fill('Memory');
  await page.getByRole('option', { name: /^Memory/ }).click();
  await expect(page.getByRole('button', { name: 'caches of chunks' })).toBeVisible();
  await page.getByRole('combobox', { name: 'Statistic' }).fill('On disk');
  await page.getByRole('option', { name: /^On disk/ }).click();
  await page.getByRole('combobox', { name: 'Split by' }).click();
  await page.getByRole('option', { name: 'nothing' }).click();
  await expect(page.getByRole('button', { name: 'On disk', exact: true })).toBeVisible();
  if (process.env.WOODSHED_SCREENSHOTS) {
    await page.screenshot({ path: `${process.env.WOODSHED_SCREENSHOTS}/editor.png` });
  }
  expect(errors).toEqual([]);
});
