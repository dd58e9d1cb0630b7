import { expect, test } from '@grafana/plugin-e2e';
import {
  addLabel,
  DATASOURCE_FILE,
  expectQuery,
  logRow,
  newRun,
  openExplore,
  option,
  pickerRow,
  push,
  queryField,
  shopLines,
  typeQuery,
} from './store';

test('shows the lines that were pushed, with their levels in the histogram', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  await push(shopLines(run));
  await openExplore(explorePage, uid, `{run="${run}"}`);

  for (const text of ['order placed', 'payment refused', 'page served']) {
    await expect(logRow(page, text)).toBeVisible();
  }
  await expect(page.getByText('5 lines displayed')).toBeVisible();
  await expect(page.getByText('Logs volume', { exact: true }).first()).toBeVisible();
  for (const level of ['info', 'debug', 'warning', 'error']) {
    await expect(page.getByRole('button', { name: level, exact: true })).toBeVisible();
  }
});

test('picks labels from the store, and the text and the rows follow', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  await push([...shopLines(run), { labels: { run: newRun(), container: 'elsewhere' }, lines: ['not of this run'] }]);
  await openExplore(explorePage, uid, `{run="${run}"} |= "order"`);
  await expect(logRow(page, 'order placed')).toBeVisible();

  await addLabel(page, 'container');
  await expect(option(page, 'catalogue')).toBeVisible();
  await expect(option(page, 'elsewhere')).toBeHidden();
  await option(page, 'catalogue').click();
  await expectQuery(page, `{run="${run}", container="catalogue"} |= "order"`);
  await expect(logRow(page, 'order placed')).toBeHidden();

  await option(page, 'checkout').click();
  await expectQuery(page, `{run="${run}", container=~"catalogue|checkout"} |= "order"`);
  await expect(logRow(page, 'order placed')).toBeVisible();
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: 'Remove label container' }).click();
  await expectQuery(page, `{run="${run}"} |= "order"`);
});

test('follows in the picker what is typed, and keeps the cursor', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  await push(shopLines(run));
  await openExplore(explorePage, uid, '');
  await typeQuery(page, `{run="${run}", stream="std`);
  await page.keyboard.insertText('err"} |= "paym');
  await page.keyboard.insertText('ent"');
  await expect(pickerRow(page, 'stream').getByText('stderr')).toBeVisible();
  await expectQuery(page, `{run="${run}", stream="stderr"} |= "payment"`);
  await page.keyboard.press('Shift+Enter');
  await expect(logRow(page, 'payment slow')).toBeVisible();
  await expect(page.getByText('2 lines displayed')).toBeVisible();
});

test('keeps only stderr with one click, shows it as active, and lets it go with the next', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  await push(shopLines(run));
  await openExplore(explorePage, uid, `{run="${run}"}`);
  await logRow(page, 'payment refused').click();

  const filter = page
    .getByRole('row')
    .filter({ hasText: /^stream.*stderr$/ })
    .getByRole('button', { name: /Filter for value|Remove filter/ });
  await filter.click();
  await expectQuery(page, `{run="${run}", stream="stderr"}`);
  await expect(logRow(page, 'order placed')).toBeHidden();
  await expect(page.getByText('2 lines displayed')).toBeVisible();
  await expect(filter).toHaveAttribute('aria-label', /Remove filter/);

  await filter.click();
  await expectQuery(page, `{run="${run}"}`);
  await expect(logRow(page, 'order placed')).toBeVisible();
});

test('shows what parsers find and formats write, and draws what is counted of it', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  await push(shopLines(run));
  await openExplore(
    explorePage,
    uid,
    `{run="${run}"} | logfmt | order > 1 | line_format "{{.msg}}, number {{.order}}"`
  );
  for (const text of ['cache filled, number 2', 'payment refused, number 3', 'payment slow, number 4']) {
    await expect(logRow(page, text)).toBeVisible();
  }
  await expect(page.getByText('3 lines displayed')).toBeVisible();
  await logRow(page, 'number 3').click();
  await expect(page.getByRole('row').filter({ hasText: /^order.*3$/ })).toBeVisible();
  await expect(page.getByRole('row').filter({ hasText: /^msg.*payment refused$/ })).toBeVisible();

  await openExplore(explorePage, uid, `sum by (stream) (sum_over_time({run="${run}"} | logfmt | unwrap order [1h]))`);
  for (const stream of ['stdout', 'stderr']) {
    await expect(page.getByRole('button', { name: new RegExp(stream) }).first()).toBeVisible();
  }
  await expect(page.locator('.uplot').first()).toBeVisible();
});

test('says in words what is wrong with a query', async ({ explorePage, page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  await openExplore(explorePage, uid, '');
  await typeQuery(page, '{run="x"} |= timeout');
  await expect(page.getByText(/^parse error at line 1, col 14: .* \(put the text in quotes\)$/)).toBeVisible();
  await expect(queryField(page).locator('.squiggly-error')).toBeVisible();
  await page.keyboard.press('Shift+Enter');
  await expect(page.getByText(/^parse error at line 1, col 14: .*expecting STRING or ip$/).first()).toBeVisible();
});

test('tells the first user where to push', async ({ explorePage, page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  // The other specs fill the store, so its own answer is emptied on the way.
  await page.route('**/resources/status*', async (route) => {
    const response = await route.fetch();
    const status = await response.json();
    await route.fulfill({ response, json: { ...status, streams: 0, entries: 0, bytes: 0 } });
  });
  await openExplore(explorePage, uid, '');
  await expect(
    page.getByText(`No logs yet. Push them to ${process.env.WOODSHED_PUSH_URL}/loki/api/v1/push`)
  ).toBeVisible();
  await page.getByRole('radio', { name: 'Alloy' }).check({ force: true });
  await expect(page.getByText(/loki\.write "woodshed"/)).toBeVisible();
});
