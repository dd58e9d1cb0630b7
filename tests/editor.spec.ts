import { expect, test } from '@grafana/plugin-e2e';
import type { Page } from '@playwright/test';
import {
  DATASOURCE_FILE,
  expectQuery,
  logRow,
  newRun,
  openExplore,
  push,
  queryField,
  shopLines,
  typeQuery,
} from './store';

const DAY_MS = 24 * 3_600_000;

/** Opens the completions at the end of a text. */
async function completeBehind(page: Page, text: string): Promise<void> {
  await typeQuery(page, text);
  await page.keyboard.press('Control+Space');
}

function suggestion(page: Page, text: string) {
  return page.locator('.suggest-widget').getByLabel(text, { exact: false }).first();
}

const squiggle = (page: Page) => queryField(page).locator('.squiggly-error');

test('says while typing what the run would say, and where', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  await openExplore(explorePage, uid, '');
  const said = 'parse error at line 1, col 14: syntax error: unexpected IDENTIFIER, expecting STRING or ip';
  await typeQuery(page, '{run="x"} |= timeout');
  await expect(page.getByText(`${said} (put the text in quotes)`)).toBeVisible();
  await expect(squiggle(page)).toBeVisible();
  await page.keyboard.press('Shift+Enter');
  await expect(page.getByText(said, { exact: true }).first()).toBeVisible();

  // What the grammar of the browser does not know, and the store does, is never underlined.
  const checked = page.waitForResponse(/resources\/check/);
  await typeQuery(page, '{run="x"} | distinct host | level="$level"');
  await expect(squiggle(page)).toHaveCount(0);
  await checked;
  await expect(page.getByText(/parse error.*put the text/)).toHaveCount(0);
  await expect(squiggle(page)).toHaveCount(0);

  await typeQuery(page, '{run="x"} |~ "("');
  await expect(page.getByText(/error parsing regexp: missing closing \)/)).toBeVisible();
  await expect(squiggle(page)).toBeVisible();
});

test('completes labels, stages, functions, templates and windows', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  await push(shopLines(run));
  await openExplore(explorePage, uid, '');

  await completeBehind(page, `{run="${run}", `);
  await expect(suggestion(page, 'container')).toBeVisible();
  await completeBehind(page, `sum(rate({run="none"}[5m])) / rate({run="${run}", container="`);
  await expect(suggestion(page, 'checkout')).toBeVisible();
  await completeBehind(page, `{run="${run}"} | json order="order.id" | `);
  await expect(suggestion(page, 'logfmt')).toBeVisible();
  await typeQuery(page, `{run="${run}"} | json order="order.id" | ord`);
  await page.keyboard.press('Control+Space');
  await expect(suggestion(page, 'order')).toBeVisible();
  await completeBehind(page, `{run="${run}"} | logfmt | order `);
  await expect(suggestion(page, '>=')).toBeVisible();
  await completeBehind(page, `{run="${run}"} | logfmt | line_format "{{ToU`);
  await expect(suggestion(page, 'ToUpper')).toBeVisible();
  await completeBehind(page, `sum `);
  await expect(suggestion(page, 'without')).toBeVisible();

  await completeBehind(page, `sum(count_over_time({run="${run}"}[$__au`);
  await expect(suggestion(page, '$__auto')).toBeVisible();
  await page.keyboard.press('Enter');
  await page.keyboard.insertText(']))');
  await expectQuery(page, `sum(count_over_time({run="${run}"}[$__auto]))`);
});

test('shows examples that run', async ({ explorePage, page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  await push(shopLines(run));
  await openExplore(explorePage, uid, `{run="${run}"}`);
  await expect(logRow(page, 'order placed')).toBeVisible();
  await page.getByRole('button', { name: 'Show data source help' }).click();
  for (const group of ['Find', 'Filter', 'Parse', 'Count', 'Only in Woodshed']) {
    await expect(page.getByRole('heading', { name: group, exact: true })).toBeVisible();
  }
  // Each example is a query that the store accepts.
  for (const example of await page.getByRole('button', { name: /^Run .*[{]/ }).allTextContents()) {
    // A window that the page fills in is any window here.
    const query = example.replace('$__auto', '5m');
    const answer = await page.request.get(`/api/datasources/uid/${uid}/resources/check`, {
      params: { query },
    });
    expect(await answer.json(), example).toMatchObject({ ok: true });
  }
  await page.getByRole('button', { name: `Run {run="${run}"} |= "error"`, exact: true }).click();
  await expectQuery(page, `{run="${run}"} |= "error"`);
  await expect(logRow(page, 'order placed')).toBeHidden();
  await expect(logRow(page, 'payment refused')).toBeVisible();
});

test('says how the query runs, and changes it by keyboard', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  // Explore asks for more than the limit where the last row would be taken for the end of the range, a second away from it.
  const times = (count: number) => Array.from({ length: count }, (_, index) => Date.now() - (10 - index) * 60_000);
  await push(shopLines(run).map((stream) => ({ ...stream, timesMS: times(stream.lines.length) })));
  await openExplore(explorePage, uid, `{run="${run}"}`);
  await expect(page.getByText('Type: Range · Lines: 1000 · Order: as shown · Step: auto')).toBeVisible();
  await expect(page.getByText(/^≈ .*, 3 streams$/)).toBeVisible();

  await page.getByRole('button', { name: 'Options', exact: true }).press('Enter');
  const lines = page.getByRole('spinbutton', { name: 'Lines' });
  await lines.fill('2');
  await lines.press('Enter');
  await expect(page.getByText('Type: Range · Lines: 2 · Order: as shown · Step: auto')).toBeVisible();
  await expect(page.getByText('Newest 2 of 5 lines.')).toBeVisible();

  await typeQuery(page, `{run="${run}"} |= "order"`);
  await page.keyboard.press('Shift+Enter');
  await expect(page.getByText('Newest 2 lines: the line limit is reached, so there may be more.')).toBeVisible();
});

test('warns of a query that will be slow, and says why', async ({ explorePage, page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  await page.route('**/resources/index/stats*', (route) =>
    route.fulfill({ json: { streams: 3, chunks: 9, entries: 9, bytes: 40e9 } })
  );
  await openExplore(explorePage, uid, '{run="slow"} |= "x"');
  const estimate = page.getByRole('note', { name: /40 GB, 3 streams\. This query will be slow/ });
  await expect(estimate).toBeVisible();
  await estimate.focus();
  await expect(page.getByRole('tooltip')).toContainText('it may read 40 GB of lines');
});

test('leads to when a stream was last seen', async ({ explorePage, page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  await push([{ labels: { run, app: 'old' }, lines: ['long ago'], timesMS: [Date.now() - 3 * DAY_MS] }]);
  await openExplore(explorePage, uid, `{run="${run}"}`);
  await expect(
    page.getByText(`No stream matches {run="${run}"} in the last hour. Last seen 3 days ago.`)
  ).toBeVisible();
  await page.getByRole('button', { name: 'Show that range' }).click();
  await expect(logRow(page, 'long ago')).toBeVisible();
  await expect(page.getByText(/No stream matches/)).toBeHidden();

  await openExplore(explorePage, uid, `{run="${newRun()}"}`);
  await expect(page.getByText(/No stream matches .* None that is stored ever did\./)).toBeVisible();
});

test('leads there in a panel too', async ({ page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  await push([{ labels: { run }, lines: ['of another day'], timesMS: [Date.now() - 2 * DAY_MS] }]);
  const datasource = { type: 'woodshed-logs-datasource', uid };
  const panel = {
    id: 1,
    type: 'logs',
    title: 'Lines',
    datasource,
    gridPos: { x: 0, y: 0, w: 24, h: 12 },
    targets: [{ refId: 'A', datasource, expr: `{run="${run}"}` }],
  };
  const dashboard = { title: run, panels: [panel], time: { from: 'now-1h', to: 'now' }, schemaVersion: 41 };
  const saved = await page.request.post('/api/dashboards/db', { data: { dashboard, overwrite: true } });
  const { url } = await saved.json();
  await page.goto(`${url}?editPanel=1`);
  await page.getByRole('button', { name: 'Show that range' }).click();
  await expect(logRow(page, 'of another day')).toBeVisible();
});

test('says what is missing from an answer, and why', async ({ explorePage, page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  await push(shopLines(run));
  const text = 'Partial answer: a chunk is corrupt.';
  await page.route('**/api/ds/query*', async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    const meta = body.results?.A?.frames?.[0]?.schema?.meta;
    if (meta) {
      meta.custom = { ...meta.custom, error: text };
      meta.notices = [{ severity: 'warning', text }];
    }
    await route.fulfill({ response, json: body });
  });
  await openExplore(explorePage, uid, `{run="${run}"}`);
  await expect(page.getByRole('alert').filter({ hasText: text })).toBeVisible();
});

/** Pushes one line that the store refuses because of its time. */
async function pushRefused(timeMS: number): Promise<void> {
  const response = await fetch(`${process.env.WOODSHED_PUSH_URL}/loki/api/v1/push`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      streams: [{ stream: { run: newRun() }, values: [[`${timeMS}000000`, 'of another time']] }],
    }),
  });
  expect(response.status).toBe(400);
}

test('says which pushes were refused', async ({ explorePage, page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  await pushRefused(Date.now() + 8 * 3_600_000);
  await pushRefused(Date.now() - 30 * DAY_MS); // reject_old_samples is on, and reject_old_samples_max_age is a week.
  await openExplore(explorePage, uid, '');
  const refused = 'entr(y|ies) (was|were) refused in the last 15 minutes';
  await expect(page.getByText(new RegExp(`${refused}: .*in the future`))).toBeVisible();
  await expect(page.getByText(new RegExp(`${refused}: .*in the past`))).toBeVisible();
});

test('has a snippet for each agent, to copy', async ({ context, explorePage, page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.route('**/resources/status*', async (route) => {
    const response = await route.fetch();
    const status = await response.json();
    await route.fulfill({ response, json: { ...status, streams: 0, entries: 0, bytes: 0 } });
  });
  await openExplore(explorePage, uid, '');
  const snippets: Array<[agent: string, part: string]> = [
    ['Promtail', 'clients:'],
    ['Alloy', 'loki.write "woodshed"'],
    ['Fluent Bit', 'name   loki'],
    ['curl', 'curl -H'],
  ];
  for (const [agent, part] of snippets) {
    await page.getByRole('radio', { name: agent }).check({ force: true });
    await expect(page.locator('pre').filter({ hasText: part })).toBeVisible();
    await page.getByRole('button', { name: 'Copy', exact: true }).click();
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain(part);
  }
});
