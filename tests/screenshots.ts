/** Writes the pictures of docs/img: what a person sees, in light and dark. */
import { test } from '@grafana/plugin-e2e';
import { expect, type Page } from '@playwright/test';
import { addLabel, DATASOURCE_FILE, logRow, openExplore, option, push, type PushedStream } from './store';

const DIRECTORY = 'docs/img';
const THEMES = ['light', 'dark'] as const;

const LINES: Array<[level: string, message: string]> = [
  ['info', 'order placed'],
  ['info', 'cart updated'],
  ['debug', 'price cache filled'],
  ['info', 'payment accepted'],
  ['warn', 'payment provider is slow'],
  ['info', 'order shipped'],
  ['debug', 'session refreshed'],
  ['error', 'payment provider timed out'],
];

/** An hour of a shop: mostly quiet, with a bad quarter of an hour. */
async function pushShop(): Promise<void> {
  const streams = new Map<string, PushedStream>();
  const nowMS = Date.now();
  for (let second = 3600; second > 0; second -= 6) {
    const bad = second > 900 && second < 1800 && second % 4 === 0;
    const [level, message] = bad ? LINES[4 + (second % 8 === 0 ? 3 : 0)] : LINES[(second / 6) % 7];
    const container = ['checkout', 'catalogue', 'gateway'][(second / 6) % 3];
    const stream = level === 'error' || level === 'warn' ? 'stderr' : 'stdout';
    const key = `${container}/${stream}`;
    const known = streams.get(key) ?? { labels: { namespace: 'shop', container, stream }, lines: [], timesMS: [] };
    known.lines.push(`level=${level} msg="${message}" order=${4000 + second} duration=${20 + ((second * 7) % 480)}ms`);
    known.timesMS?.push(nowMS - second * 1000);
    streams.set(key, known);
  }
  await push([...streams.values()]);
}

async function shoot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${DIRECTORY}/${name}.png`, animations: 'disabled' });
}

test.use({ viewport: { width: 1360, height: 960 } });
test.describe.configure({ mode: 'serial' });
test.beforeAll(pushShop);

test.beforeEach(async ({ page }) => {
  // The menu takes room from what the pictures show.
  await page.addInitScript(() => window.localStorage.setItem('grafana.navigation.docked', 'false'));
  // Where a test store lies means nothing to a reader.
  await page.route('**/resources/status*', async (route) => {
    const response = await route.fetch();
    const status = await response.json();
    await route.fulfill({
      response,
      json: { ...status, listen: '127.0.0.1:3110', dataDir: '/var/lib/grafana/woodshed' },
    });
  });
});

for (const theme of THEMES) {
  test(`explore, ${theme}`, async ({ explorePage, page, readProvisionedDataSource }) => {
    const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
    await openExplore(explorePage, uid, '{container="checkout"} |= "payment"', theme);
    await expect(logRow(page, 'msg="payment')).toBeVisible();
    await expect(page.getByRole('button', { name: 'error', exact: true })).toBeVisible();
    await shoot(page, `explore-${theme}`);

    await addLabel(page, 'stream');
    await expect(option(page, 'stderr')).toBeVisible();
    await shoot(page, `picker-${theme}`);

    await option(page, 'stderr').click();
    await expect(page.getByRole('button', { name: 'info', exact: true })).toBeHidden();
    await page.keyboard.press('Escape');
    await logRow(page, 'msg="payment').click();
    await expect(page.getByRole('row').filter({ hasText: /^stream.*stderr$/ })).toBeVisible();
    await shoot(page, `stderr-${theme}`);
  });

  test(`settings, ${theme}`, async ({ page, readProvisionedDataSource }) => {
    const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
    await page.goto(`/connections/datasources/edit/${uid}?theme=${theme}`);
    await expect(page.getByText(/lines? in [\d,]+ streams?/)).toBeVisible();
    await page
      .getByRole('button', { name: 'Test', exact: true })
      .or(page.getByRole('button', { name: 'Save & test' }))
      .click();
    await expect(page.getByText(/Woodshed .* is running/).first()).toBeVisible();
    await shoot(page, `settings-${theme}`);
  });
}
