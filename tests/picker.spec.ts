import type { ExplorePage } from '@grafana/plugin-e2e';
import { expect, test } from '@grafana/plugin-e2e';
import type { Locator, Page } from '@playwright/test';
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
  shopLines,
  typeQuery,
} from './store';

/** Opens Explore on the lines of a run of its own. */
async function openShop(explorePage: ExplorePage, uid: string, rest = ''): Promise<string> {
  const run = newRun();
  await push([...shopLines(run), { labels: { run: newRun(), container: 'elsewhere' }, lines: ['not of this run'] }]);
  await openExplore(explorePage, uid, `{run="${run}"}${rest}`);
  return run;
}

async function openBuilder(page: Page): Promise<Locator> {
  await page.getByRole('radio', { name: 'Builder' }).check({ force: true });
  return page.getByRole('group', { name: 'Builder', exact: true });
}

async function choose(page: Page, box: Locator, text: string): Promise<void> {
  await box.click();
  await option(page, text).click();
}

test('names and values carry counts, narrowed by what is picked elsewhere', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = await openShop(explorePage, uid);
  await expect(logRow(page, 'order placed')).toBeVisible();

  await page.getByRole('button', { name: 'Add label' }).click();
  await page.getByRole('group', { name: 'New label' }).getByRole('combobox', { name: 'Label name' }).click();
  await expect(option(page, 'container')).toContainText('2 values');
  await expect(option(page, 'stream')).toContainText('2 values');
  await option(page, 'container').click();
  const values = pickerRow(page, 'container').getByRole('combobox', { name: 'Values' });
  await values.click();
  await expect(option(page, 'checkout')).toContainText('2 streams');
  await expect(option(page, 'catalogue')).toContainText('1 stream');
  await expect(option(page, 'elsewhere')).toBeHidden();
  await option(page, 'checkout').click();
  await expectQuery(page, `{run="${run}", container="checkout"}`);
  await page.keyboard.press('Escape');

  await addLabel(page, 'stream');
  await expect(option(page, 'stderr')).toContainText('1 stream');
  await expect(option(page, 'stdout')).toContainText('1 stream');
});

test('a label with very many values is searched in the store', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = newRun();
  const pods = Array.from({ length: 1200 }, (_, n) => `pod-${String(n).padStart(4, '0')}`);
  await push(pods.map((pod) => ({ labels: { run, pod }, lines: [`${pod} is ready`] })));
  // One line is enough to look at.
  await openExplore(explorePage, uid, `{run="${run}"} |= "pod-1199"`);
  await addLabel(page, 'pod');
  await expect(option(page, 'The first 1,000 of 1,200, type to narrow')).toBeVisible();
  await page.keyboard.type('POD-1199', { delay: 60 }); // as fast as a person
  await option(page, 'pod-1199').click();
  await expectQuery(page, `{run="${run}", pod="pod-1199"} |= "pod-1199"`);
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: 'Browse' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('listbox', { name: 'Labels' }).getByRole('option', { name: /^pod / }).click();
  await expect(dialog.getByText('The first 1,000 of 1,200, type to narrow')).toBeVisible();
  const list = dialog.getByRole('listbox', { name: 'Values of pod' });
  // Of a long list only what is in view is in the page.
  expect(await list.getByRole('option').count()).toBeLessThan(40);
  await list.press('End');
  await expect(list.getByRole('option', { name: 'pod-0999' })).toBeVisible();
});

test('Browse walks labels, says what is left over, and shows the logs', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = await openShop(explorePage, uid, ' |= "order" # keep');
  await expect(logRow(page, 'order placed')).toBeVisible();
  await page.getByRole('button', { name: 'Browse' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByLabel('Resulting selector')).toHaveText(`{run="${run}"}`);
  await expect(dialog.getByText(/^3 streams, /)).toBeVisible();

  await dialog.getByRole('textbox', { name: 'Search labels' }).fill('contain');
  await dialog.getByRole('listbox', { name: 'Labels' }).getByRole('option', { name: 'container' }).click();
  const values = dialog.getByRole('listbox', { name: 'Values of container' });
  await expect(values.getByRole('option', { name: 'elsewhere' })).toBeHidden();
  await values.getByRole('option', { name: /catalogue 1 stream/ }).click();
  await expect(dialog.getByText(/^1 stream,/)).toBeVisible();
  await values.getByRole('option', { name: /checkout 2 streams/ }).click();
  await expect(dialog.getByText(/^3 streams, /)).toBeVisible();
  await values.press('Home');
  await values.press(' ');
  await expect(dialog.getByLabel('Resulting selector')).toHaveText(`{run="${run}", container="checkout"}`);
  await dialog.getByRole('button', { name: 'Show logs' }).click();
  await expect(dialog).toBeHidden();
  await expectQuery(page, `{run="${run}", container="checkout"} |= "order" # keep`);
  await expect(logRow(page, 'order placed')).toBeVisible();
});

test('the builder writes LogQL and reads it back', async ({ explorePage, page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = await openShop(explorePage, uid);
  await expect(logRow(page, 'page served')).toBeVisible();
  const builder = await openBuilder(page);

  await builder.getByRole('button', { name: 'Add line filter' }).click();
  await builder.getByRole('textbox', { name: 'Line filter 1 text' }).fill('order');
  await page.keyboard.press('Enter');
  await expectQuery(page, `{run="${run}"} |= "order"`);
  await expect(logRow(page, 'page served')).toBeHidden();

  await builder.getByRole('radio', { name: 'logfmt' }).check({ force: true });
  await expectQuery(page, `{run="${run}"} |= "order" | logfmt`);

  await builder.getByRole('button', { name: 'Add label filter' }).click();
  const test1 = builder.getByRole('group', { name: 'Label filter 1' });
  await test1.getByRole('combobox', { name: 'Label filter 1 name' }).click();
  await expect(option(page, 'order')).toContainText('parsed field');
  await option(page, 'order').click();
  await choose(page, test1.getByRole('combobox', { name: 'Label filter 1 operator' }), '>=');
  await test1.getByRole('combobox', { name: 'Label filter 1 value' }).click();
  await option(page, '3').click();
  await expectQuery(page, `{run="${run}"} |= "order" | logfmt | order >= 3`);
  await expect(page.getByText('2 lines displayed')).toBeVisible();

  await builder.getByRole('radio', { name: 'Over time' }).check({ force: true });
  await choose(page, builder.getByRole('combobox', { name: 'Count by' }), 'level');
  await page.keyboard.press('Escape');
  const counted = `sum by (level) (count_over_time({run="${run}"} |= "order" | logfmt | order >= 3 [$__auto]))`;
  await expectQuery(page, counted);
  await expect(page.getByRole('button', { name: 'error' }).first()).toBeVisible();

  await builder.getByRole('radio', { name: 'Show lines' }).check({ force: true });
  await builder.getByRole('button', { name: 'Remove label filter 1' }).click();
  await builder.getByRole('radio', { name: 'None' }).check({ force: true });
  await builder.getByRole('button', { name: 'Remove line filter 1' }).click();
  await expectQuery(page, `{run="${run}"}`);
});

test('the builder leaves alone what only the text can say', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = await openShop(explorePage, uid);
  const builder = await openBuilder(page);
  await typeQuery(page, `{ run = "${run}" }  |= "order" or "page" | logfmt | line_format "{{.msg}}" # why`);
  await expect(builder.getByText('These parts are only in the text:')).toContainText('| line_format "{{.msg}}"');
  await builder.getByRole('button', { name: 'Add line filter' }).click();
  await builder.getByRole('textbox', { name: 'Line filter 1 text' }).fill('p');
  await page.keyboard.press('Enter');
  await expectQuery(page, `{ run = "${run}" }  |= "order" or "page" |= "p" | logfmt | line_format "{{.msg}}" # why`);

  await typeQuery(page, `{run="${run}"} |= "half`);
  await page.keyboard.press('Delete'); // the quote that the field closed by itself
  await expect(builder.getByText(/not a whole query yet/)).toBeVisible();
  await expect(builder.getByRole('button', { name: 'Add line filter' })).toBeDisabled();
  await expectQuery(page, `{run="${run}"} |= "half`);
});

test('the picker says which of several selectors it shows', async ({
  explorePage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const run = await openShop(explorePage, uid);
  await typeQuery(page, `sum(rate({run="${run}"} [5m])) / sum(rate({run="${run}", stream="stderr"}[5m])) # ratio`);
  await expect(page.getByText('the first of 2 selectors')).toBeVisible();
  await addLabel(page, 'container');
  await option(page, 'checkout').click();
  await expectQuery(
    page,
    `sum(rate({run="${run}", container="checkout"} [5m])) / sum(rate({run="${run}", stream="stderr"}[5m])) # ratio`
  );
});
