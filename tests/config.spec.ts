import { expect, test } from '@grafana/plugin-e2e';
import { DATASOURCE_FILE, newRun, push, shopLines } from './store';

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
  await expect(page.getByText(`${process.env.WOODSHED_PUSH_URL}/loki/api/v1/push`)).toBeVisible();
  await expect(page.getByText(/lines? in [\d,]+ streams?/)).toBeVisible();
  await expect(page.getByRole('spinbutton', { name: 'Maximum lines' })).toHaveValue('1000');
});
