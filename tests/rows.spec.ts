import { type ExplorePage, test } from '@grafana/plugin-e2e';
import { expect, type Locator, type Page } from '@playwright/test';
import { DATASOURCE_FILE, expectQuery, logRow, newRun, openExplore, push } from './store';

const TYPE = 'woodshed-logs-datasource';
const SCROLL_PAUSE_MS = 700; // Grafana takes events that follow closer than half a second for one.

interface Pane {
  queries: Array<Record<string, unknown>>;
  from?: string;
  to?: string;
  datasource?: string;
}

/** Opens Explore with these panes, side by side. */
async function openPanes(explorePage: ExplorePage, uid: string, ...panes: Pane[]): Promise<void> {
  const state = panes.map(({ queries, from = 'now-1h', to = 'now', datasource = uid }, index) => [
    `pane${index}`,
    {
      datasource,
      queries: queries.map((query) => ({ datasource: { type: TYPE, uid }, ...query })),
      range: { from, to },
    },
  ]);
  const queryParams = new URLSearchParams({
    schemaVersion: '1',
    orgId: '1',
    panes: JSON.stringify(Object.fromEntries(state)),
  });
  await explorePage.goto({ queryParams });
}

/** The numbers of the rows on the page, in its order, of lines that contain "row 7." and the like. */
async function rowNumbers(page: Page): Promise<number[]> {
  return page.evaluate(() => {
    const rows = Array.from(document.querySelectorAll('tr'), ({ innerText }) => /\brow (\d+)\./.exec(innerText)?.[1]);
    return rows.flatMap((number) => (number === undefined ? [] : Number(number)));
  });
}

/** Turns the wheel over the rows, again and again, until as many lines are there. */
async function scrollUntil(page: Page, lines: number): Promise<void> {
  await page
    .locator('tr')
    .filter({ hasText: /row \d+\./ })
    .first()
    .hover();
  await expect(async () => {
    await page.mouse.wheel(0, 1_000_000);
    await expect(page.getByText(`${lines} lines displayed`)).toBeVisible({ timeout: SCROLL_PAUSE_MS });
  }).toPass({ intervals: [SCROLL_PAUSE_MS], timeout: 150_000 });
}

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `level=info row ${from + index}.`);

const ascending = (numbers: number[]) => [...numbers].sort((a, b) => a - b);

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

/** A button of a row's details: the row of a label and its value. */
function detailButton(page: Page, label: RegExp, name: RegExp): Locator {
  return page.getByRole('row').filter({ hasText: label }).getByRole('button', { name }).first();
}

async function showContext(page: Page, text: string): Promise<void> {
  await logRow(page, text).hover();
  await page.getByRole('button', { name: 'Show context' }).first().click();
  await expect(page.getByText('Streams with')).toBeVisible();
}

// In windows of up to 750 pixels of height, Grafana 12.2 puts half of the context's dialog beside the page.
test.use({ viewport: { width: 1600, height: 1000 } });

test.beforeEach(async ({ page }) => {
  await page.addInitScript(() => window.localStorage.setItem('grafana.navigation.docked', 'false'));
});

test('filters by labels of all origins, whatever is in their values', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  const odd = 'a "quoted" \\ back\nline — ünï😀';
  const long = `long-${'x'.repeat(1500)}`;
  await push([
    { labels: { run, path: odd }, lines: ['level=info who=first'], metadata: { trace: odd, blob: long } },
    { labels: { run, path: 'plain' }, lines: ['level=info who=second'], metadata: { trace: 'plain', blob: 'short' } },
  ]);
  await openExplore(explorePage, uid, `{run="${run}"} | logfmt`);
  await expect(logRow(page, 'who=second')).toBeVisible();
  await logRow(page, 'who=first').click();
  const literal = JSON.stringify(odd);

  const active = /Remove filter/;
  const cases: Array<[row: RegExp, want: string]> = [
    [/^path.*quoted/, `{run="${run}", path=${literal}} | logfmt`],
    [/^trace.*quoted/, `{run="${run}"} | logfmt | trace=${literal}`],
    [/^blob.*long-/, `{run="${run}"} | logfmt | blob="${long}"`],
    [/^who.*first$/, `{run="${run}"} | logfmt | who="first"`],
  ];
  for (const [row, want] of cases) {
    const plus = detailButton(page, row, /Filter for value|Remove filter/);
    await plus.click();
    await expect(plus).toHaveAttribute('aria-label', active);
    await expect(logRow(page, 'who=second')).toBeHidden();
    await expect(logRow(page, 'who=first')).toBeVisible();
    if (want.length < 200) {
      await expectQuery(page, want);
    }
    await plus.click();
    await expectQuery(page, `{run="${run}"} | logfmt`);
    await expect(logRow(page, 'who=second')).toBeVisible();
  }

  await detailButton(page, /^trace.*quoted/, /Filter out value/).click();
  await expectQuery(page, `{run="${run}"} | logfmt | trace!=${literal}`);
  await expect(logRow(page, 'who=first')).toBeHidden();
  await expect(logRow(page, 'who=second')).toBeVisible();
});

test('filters lines by a text that is selected in one', async ({ explorePage, page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  await push([{ labels: { run }, lines: ['needle\\path', 'hay'] }]);
  await openExplore(explorePage, uid, `{run="${run}"}`);
  const select = async () => {
    await logRow(page, 'needle\\path').evaluate((element) => getSelection()?.selectAllChildren(element));
    const box = await logRow(page, 'needle\\path').boundingBox();
    expect(box).not.toBeNull();
    await page.mouse.move((box?.x ?? 0) + 5, (box?.y ?? 0) + 5);
    await logRow(page, 'needle\\path').dispatchEvent('click', { bubbles: true, clientX: box?.x, clientY: box?.y });
  };
  await expect(logRow(page, 'hay')).toBeVisible();
  await select();
  await page.getByRole('menuitem', { name: 'Add as line contains filter' }).click();
  await expectQuery(page, String.raw`{run="${run}"} |= "needle\\path"`);
  await expect(page.getByText('1 line displayed')).toBeVisible();
  await select();
  await page.getByRole('menuitem', { name: 'Add as line does not contain filter' }).click();
  await expectQuery(page, String.raw`{run="${run}"} |= "needle\\path" != "needle\\path"`);
});

test('shows the lines around a line, each once, and those of more streams', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  const ms = Date.now() - 120_000;
  // 240 lines: a hundred and twenty of one nanosecond in the middle, more than Grafana asks for at once.
  const at = (n: number) => `${ms + (n < 60 ? n : n < 180 ? 60 : n)}000007`;
  await push([
    { labels: { run, pod: 'p1' }, lines: numbered(0, 240), timesNS: range(0, 240).map(at) },
    { labels: { run, pod: 'p2' }, lines: ['another pod'], timesNS: [`${ms + 60}000007`] },
  ]);
  await openExplore(explorePage, uid, `{run="${run}", pod="p1"} |= "row 100."`);
  await showContext(page, 'row 100.');

  const modal = page.getByRole('dialog');
  const numbers = async () => {
    const rows = await modal.locator('tr tr').allInnerTexts();
    return rows.flatMap((text) => /row (\d+)\./.exec(text)?.[1] ?? []).map(Number);
  };
  await modal
    .locator('tr')
    .filter({ hasText: /row \d+\./ })
    .first()
    .hover();
  await expect(async () => {
    await page.mouse.wheel(0, -1_000_000);
    await page.mouse.wheel(0, 1_000_000);
    expect(ascending(await numbers())).toEqual(range(0, 240));
  }).toPass({ intervals: [300], timeout: 60_000 });
  // Newest first, the row itself between those that are newer and those that are not.
  const shown = await numbers();
  expect(shown.slice(0, 60)).toEqual(range(180, 240).reverse());
  expect(shown[60]).toBe(100);
  expect(shown.slice(-60)).toEqual(range(0, 60).reverse());

  await expect(page.getByText('another pod')).toBeHidden();
  await page.getByRole('button', { name: 'pod="p1"' }).click();
  await expect(page.getByText('another pod')).toBeVisible();
  await page.getByRole('button', { name: 'Only this stream' }).click();
  await expect(page.getByText('another pod')).toBeHidden();

  await page.getByRole('button', { name: 'Open in split view' }).click();
  await expect(page.getByRole('dialog')).toBeHidden();
  await expect(page.getByText('241 lines displayed')).toBeVisible();
});

test('keeps the parsers of a query in the context, or not', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  await push([{ labels: { run }, lines: ['msg=before n=1', 'msg=chosen n=2', 'msg=after n=3'] }]);
  await openExplore(explorePage, uid, `{run="${run}"} |= "chosen" | logfmt | n > 1 | line_format "<{{.msg}}>"`);
  await showContext(page, '<chosen>');
  await expect(page.getByText('<before>')).toBeVisible();
  await expect(page.getByText('<after>')).toBeVisible();
  await page.getByRole('dialog').getByText('Parse as in the query').click();
  await expect(page.getByText('msg=before n=1')).toBeVisible();
});

test('links to a line among many of its millisecond', async ({ explorePage, page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  const ms = Date.now() - 120_000;
  const timesNS = range(0, 120).map((n) => `${ms}${String(100_000 + n)}`);
  await push([
    { labels: { run }, lines: numbered(0, 120), timesNS },
    { labels: { run }, lines: numbered(120, 121), timesNS: [`${ms + 50}000000`] },
  ]);
  await openPanes(explorePage, uid, { queries: [{ refId: 'A', expr: `{run="${run}"}`, maxLines: 100 }] });
  await expect(logRow(page, 'row 30.')).toBeVisible();
  await logRow(page, 'row 30.').hover();
  const asked = page.waitForRequest('**/api/short-urls');
  await page.getByRole('button', { name: 'Copy shortlink' }).first().click();
  const { path } = (await asked).postDataJSON();
  await page.goto(`/${path.replace(/^\/+/, '')}`);
  await expect(page.getByText('row 30.')).toBeInViewport();
});

for (const order of ['Descending', 'Ascending'] as const) {
  test(`scrolls through thousands of lines without a gap, ${order.toLowerCase()}`, async ({
    explorePage,
    page,
    readProvisionedDataSource,
  }) => {
    test.setTimeout(240_000);
    const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
    const run = newRun();
    const start = Date.now() - 600_000;
    const lines = numbered(0, 3000);
    const times = lines.map((_, n) => {
      if (n < 200) {
        return `${start + n}000000`; // Within the second at the end of the range that Explore does not scroll to.
      }
      if (n < 1100) {
        return `${start + 10_000}${String(100_000 + n)}`; // One millisecond.
      }
      return n < 2000 ? `${start + 20_000}000003` : `${start + 30_000 + (n - 2000) * 30}000009`; // One nanosecond, then spread.
    });
    const even = (_: unknown, index: number) => index % 2 === 0;
    const odd = (_: unknown, index: number) => index % 2 === 1;
    await push([
      { labels: { run, half: 'even' }, lines: lines.filter(even), timesNS: times.filter(even) },
      { labels: { run, half: 'odd' }, lines: lines.filter(odd), timesNS: times.filter(odd) },
    ]);
    const failures: string[] = [];
    page.on('pageerror', (error) => failures.push(error.message));
    await page.addInitScript((value) => window.localStorage.setItem('grafana.explore.logs.sortOrder', value), order);
    await openPanes(explorePage, uid, {
      queries: [{ refId: 'A', expr: `{run="${run}"}`, maxLines: 400 }],
      from: String(start),
      to: String(start + 60_500),
    });
    await expect(page.getByText(/\d+ lines (shown|displayed)/)).toBeVisible();
    await scrollUntil(page, 3000);

    const numbers = await rowNumbers(page);
    expect(ascending(numbers)).toEqual(range(0, 3000));
    const inTime = order === 'Ascending' ? numbers : [...numbers].reverse();
    expect(inTime.slice(0, 1100)).toEqual(range(0, 1100));
    expect(inTime.slice(2000)).toEqual(range(2000, 3000));
    expect(failures).toEqual([]);
  });
}

test('scrolls two queries whose lines lie differently dense', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  test.setTimeout(180_000);
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  const start = Date.now() - 300_000;
  await push([
    { labels: { run, app: 'a' }, lines: numbered(0, 200), timesMS: range(0, 200).map((n) => start + n * 500) },
    {
      labels: { run, app: 'b' },
      lines: numbered(200, 500),
      timesMS: range(0, 300).map((n) => start + 60_000 + n * 10),
    },
  ]);
  await openPanes(explorePage, uid, {
    queries: [
      { refId: 'A', expr: `{run="${run}", app="a"}`, maxLines: 60 },
      { refId: 'B', expr: `{run="${run}", app="b"}`, maxLines: 60 },
    ],
  });
  await expect(page.getByText(/120 lines/)).toBeVisible();
  await scrollUntil(page, 500);
  expect(ascending(await rowNumbers(page))).toEqual(range(0, 500));
});

test('asks again when the order of rows changes', async ({ explorePage, page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  const start = Date.now() - 60_000;
  await push([{ labels: { run }, lines: numbered(0, 10), timesMS: range(0, 10).map((n) => start + n * 2000) }]);
  await openPanes(explorePage, uid, { queries: [{ refId: 'A', expr: `{run="${run}"}`, maxLines: 3 }] });
  await expect(logRow(page, 'row 9.')).toBeVisible();
  expect(await rowNumbers(page)).toEqual([9, 8, 7]);
  await page.getByRole('button', { name: /Sorted by newest logs first/ }).click();
  await expect(logRow(page, 'row 0.')).toBeVisible();
  expect(await rowNumbers(page)).toEqual([0, 1, 2]);
});

test('counts all lines of all visible queries by level', async ({ explorePage, page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  const levels = ['info', 'error', 'warn', 'debug', 'trace', 'critical'].map((level) => `level=${level} n=1`);
  await push([
    { labels: { run, app: 'a' }, lines: [...levels, 'nothing to tell'] },
    { labels: { run, app: 'b' }, lines: ['level=error n=2', 'level=error n=1'] },
    { labels: { run, app: 'hidden' }, lines: ['level=info n=1'] },
  ]);
  const answered = page.waitForResponse(
    (response) => response.url().includes('/api/ds/query') && !!response.request().postData()?.includes('log-volume')
  );
  await openPanes(explorePage, uid, {
    queries: [
      { refId: 'A', expr: `{run="${run}", app="a"}`, maxLines: 2 },
      { refId: 'B', expr: `{run="${run}", app="b"} |= "level" | logfmt | n > 1` },
      { refId: 'C', expr: `{run="${run}", app="hidden"}`, hide: true },
    ],
  });
  const { results } = await (await answered).json();
  expect(Object.keys(results).sort()).toEqual(['log-volume-A', 'log-volume-B']);
  const total = (refId: string) =>
    results[refId].frames
      .flatMap((frame: { data: { values: number[][] } }) => frame.data.values[1])
      .reduce((sum: number, value: number) => sum + (value ?? 0), 0);
  expect(total('log-volume-A')).toBe(7);
  expect(total('log-volume-B')).toBe(1);
  for (const level of ['info', 'error', 'warning', 'debug', 'trace', 'critical', 'unknown']) {
    await expect(page.getByRole('button', { name: level, exact: true })).toBeVisible();
  }
});

test('shows the lines behind a graph', async ({ explorePage, page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  await push([{ labels: { run }, lines: ['msg=counted n=1', 'msg=other n=2'] }]);
  await openExplore(explorePage, uid, `sum(count_over_time({run="${run}"} |= "counted" | logfmt [1m]))`);
  await page.getByTestId('data-testid explorer scroll view').getByRole('button', { name: 'Logs sample' }).click();
  await expect(page.getByText('msg=counted n=1')).toBeVisible();
  await expect(page.getByText('msg=other n=2')).toBeHidden();
  await page.getByRole('button', { name: 'Open logs in split view' }).click();
  await expect(page.getByText('log-sample-A').first()).toBeVisible();
  await expect(page.getByText('1 line displayed')).toBeVisible();
});

test('tells what a query read', async ({ explorePage, page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  await push([{ labels: { run }, lines: ['a needle', 'some hay'] }]);
  await openExplore(explorePage, uid, `{run="${run}"} |= "needle"`);
  await expect(page.getByText('Total bytes processed')).toBeVisible();
  await expect(page.locator('mark').filter({ hasText: 'needle' }).first()).toBeVisible();
  await page.getByRole('button', { name: 'Query inspector' }).click();
  await page.getByRole('tab', { name: 'Stats' }).click();
  for (const name of ['total bytes processed', 'total lines processed', 'exec time', 'chunks read', 'chunks skipped']) {
    await expect(page.getByText(`Summary: ${name}`)).toBeVisible();
  }
});

test('keeps two panes apart', async ({ explorePage, page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  await push([
    { labels: { run, side: 'left' }, lines: ['left one', 'left two'] },
    { labels: { run, side: 'right' }, lines: ['right one', 'right two', 'right three'] },
  ]);
  await openPanes(
    explorePage,
    uid,
    { queries: [{ refId: 'A', expr: `{run="${run}", side="left"}` }] },
    { queries: [{ refId: 'A', expr: `{run="${run}", side="right"}` }] }
  );
  await expect(page.getByText('2 lines displayed')).toBeVisible();
  await expect(page.getByText('3 lines displayed')).toBeVisible();
  await expect(page.getByText('left one')).toHaveCount(1);
  await expect(page.getByText('right one')).toHaveCount(1);
  await logRow(page, 'right two').click();
  await detailButton(page, /^side.*right$/, /Filter out value/).click();
  await expect(page.getByText('3 lines displayed')).toBeHidden();
  await expect(page.getByText('2 lines displayed')).toBeVisible();
});

test('stands beside another data source, each row with its own', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  await push([{ labels: { run, pod: 'p1' }, lines: ['row 1.', 'row 2.', 'row 3.'] }]);
  const other = {
    name: 'Rows beside Woodshed',
    uid: 'rows-beside',
    type: 'grafana-testdata-datasource',
    access: 'proxy',
  };
  const created = await page.request.post('/api/datasources', { data: other });
  expect([200, 409]).toContain(created.status());
  await openPanes(explorePage, uid, {
    datasource: '-- Mixed --',
    queries: [
      { refId: 'A', expr: `{run="${run}"} |= "row"` },
      { refId: 'B', scenarioId: 'logs', lines: 4, datasource: { type: other.type, uid: other.uid } },
    ],
  });
  await expect(logRow(page, 'row 2.')).toBeVisible();
  await expect(page.getByText(/[37] lines displayed/)).toBeVisible();
  await expect(page.getByText('Rows beside Woodshed').first()).toBeVisible();
  await showContext(page, 'row 2.');
  await expect(page.getByRole('button', { name: 'pod="p1"' })).toBeVisible();
  await page.keyboard.press('Escape');
  await logRow(page, 'row 2.').click();
  await detailButton(page, /^pod.*p1$/, /Filter for value/).click();
  await expectQuery(page, `{run="${run}", pod="p1"} |= "row"`);
});
