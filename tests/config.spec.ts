import { expect, test } from '@grafana/plugin-e2e';
import { createDatasource, removeDatasource } from './datasources';
import { DATASOURCE_FILE, newRun, push, shopLines } from './store';

const WOODSHED = 'woodshed-logs-datasource';

test('a provisioned datasource is healthy', async ({ gotoDataSourceConfigPage, page, readProvisionedDataSource }) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  const configPage = await gotoDataSourceConfigPage(uid);
  await expect(configPage.saveAndTest()).toBeOK();
  await expect(page.getByText(/Woodshed .* is running/).first()).toBeVisible();
});

test('the settings show what the store says of itself', async ({
  gotoDataSourceConfigPage,
  page,
  readProvisionedDataSource,
}) => {
  const { uid } = await readProvisionedDataSource({ fileName: DATASOURCE_FILE });
  await push(shopLines(newRun()));
  await gotoDataSourceConfigPage(uid);
  const pushURL = `${process.env.WOODSHED_PUSH_URL}/loki/api/v1/push`;
  await expect(page.getByText(pushURL, { exact: true })).toBeVisible();
  await expect(page.getByText(/lines? in [\d,]+ streams?/)).toBeVisible();
  await expect(page.getByText('Data directory')).toBeVisible();
  await page.getByRole('radio', { name: 'Fluent Bit' }).check({ force: true });
  await expect(page.getByText(/name {3}loki/)).toBeVisible();
  await expect(page.getByText('fake, the only one that is open to this organisation.')).toBeVisible();
  await expect(page.getByRole('spinbutton', { name: /Default lines/ })).toHaveValue('1000');

  const answered = page.waitForResponse(/resources\/status/);
  await page.getByRole('button', { name: 'Refresh', exact: true }).click();
  expect((await answered).status()).toBe(200);
});

test('links are written, tried and kept', async ({ gotoDataSourceConfigPage, page }) => {
  const uid = await createDatasource(page, { type: WOODSHED });
  const configPage = await gotoDataSourceConfigPage(uid);
  await page.getByRole('button', { name: 'Add link' }).click();
  await page.getByRole('group', { name: 'Link 1' }).getByRole('textbox', { name: 'Name' }).fill('traceID');
  const link = page.getByRole('group', { name: 'traceID' });
  await link.getByRole('textbox', { name: 'Regular expression' }).fill('traceID=(\\w+');
  await expect(link.getByText(/has a fault: Unterminated group/)).toBeVisible();
  await link.getByRole('textbox', { name: 'Regular expression' }).fill('traceID=(\\w+)');
  await link.getByRole('textbox', { name: 'URL' }).fill('https://traces.example/${__value.raw}');
  await page.getByRole('textbox', { name: /Try it on a line/ }).fill('order placed traceID=7f3a2b');
  await expect(page.getByRole('row', { name: 'traceID 7f3a2b https://traces.example/7f3a2b' })).toBeVisible();
  await page.getByRole('spinbutton', { name: /Default lines/ }).fill('9000');
  await expect(page.getByText(/9000 is not a whole number from 1 to 5,000/)).toBeVisible();
  await page.getByRole('spinbutton', { name: /Default lines/ }).fill('250');

  await expect(configPage.saveAndTest()).toBeOK();
  const saved = await (await page.request.get(`/api/datasources/uid/${uid}`)).json();
  expect(saved.jsonData).toMatchObject({
    maxLines: 250,
    derivedFields: [
      {
        name: 'traceID',
        matcherRegex: 'traceID=(\\w+)',
        matcherType: 'regex',
        url: 'https://traces.example/${__value.raw}',
      },
    ],
  });
  await removeDatasource(page, uid);
});

test('a link can lead to a data source, chosen from a list', async ({ gotoDataSourceConfigPage, page }) => {
  const jaeger = await createDatasource(page, { type: 'jaeger', url: 'http://127.0.0.1:9' });
  const uid = await createDatasource(page, {
    type: WOODSHED,
    jsonData: { derivedFields: [{ name: 'trace', matcherRegex: 'trace_id', matcherType: 'label' }] },
  });
  const configPage = await gotoDataSourceConfigPage(uid);
  const link = page.getByRole('group', { name: 'trace' });
  await link.getByRole('radio', { name: 'Data source' }).check({ force: true });
  await expect(link.getByText('Choose the data source that the link opens.')).toBeVisible();
  await link.locator('input[id$="-datasource"]').fill(jaeger);
  await page.getByRole('option', { name: jaeger }).first().click();
  await expect(link.getByText('Choose the data source that the link opens.')).toBeHidden();
  await expect(configPage.saveAndTest()).toBeOK();
  const saved = await (await page.request.get(`/api/datasources/uid/${uid}`)).json();
  expect(saved.jsonData.derivedFields[0]).toMatchObject({ name: 'trace', datasourceUid: jaeger });
  await removeDatasource(page, uid);
  await removeDatasource(page, jaeger);
});

test('wrong settings are said in words', async ({ gotoDataSourceConfigPage, page }) => {
  const uid = await createDatasource(page, {
    type: WOODSHED,
    jsonData: { tenant: 'team-x', maxLines: -5, derivedFields: [{ name: 'a', matcherRegex: '(' }] },
  });
  const configPage = await gotoDataSourceConfigPage(uid);
  await expect(page.getByText(/Tenant team-x is stored here, but it is not open to this organisation/)).toBeVisible();
  await expect(page.getByText(/^-5 is not a whole number/)).toBeVisible();
  await expect(configPage.saveAndTest()).not.toBeOK();
  await expect(
    page.getByText(/Tenant "team-x" is not open to organisation 1.*The line limit.*Link 1 from logs/s).first()
  ).toBeVisible();
  await removeDatasource(page, uid);
});
