import { expect, test } from '@grafana/plugin-e2e';
import { createDatasource, removeDatasource } from './datasources';
import { logRow, newRun, openExplore, push } from './store';

const WOODSHED = 'woodshed-logs-datasource';

const made: string[] = [];

test.afterEach(async ({ page }) => {
  for (const uid of made.splice(0)) {
    await removeDatasource(page, uid);
  }
});

test('a row links to where a derived field leads', async ({ explorePage, page }) => {
  const run = newRun();
  const uid = await createDatasource(page, {
    type: WOODSHED,
    jsonData: {
      derivedFields: [
        {
          name: 'traceID',
          matcherRegex: 'traceID=(\\w+)',
          url: 'https://traces.example/${__value.raw}',
          urlDisplayLabel: 'See the trace',
        },
        { name: 'runLink', matcherType: 'label', matcherRegex: 'run', url: 'https://ci.example/?run=${__value.raw}' },
      ],
    },
  });
  made.push(uid);
  await push([{ labels: { run, app: 'checkout' }, lines: ['first traceID=7f3a2b', 'second without'] }]);
  await openExplore(explorePage, uid, `{run="${run}"}`);

  await logRow(page, 'first traceID').click();
  await expect(page.getByRole('link', { name: 'See the trace' })).toHaveAttribute(
    'href',
    'https://traces.example/7f3a2b'
  );
  await expect(page.locator(`a[href="https://ci.example/?run=${run}"]`)).toBeVisible();
  await logRow(page, 'first traceID').click();
  await logRow(page, 'second without').click();
  await expect(page.locator(`a[href="https://ci.example/?run=${run}"]`)).toBeVisible();
  await expect(page.getByRole('link', { name: 'See the trace' })).toBeHidden();
});

test('an internal link opens the other data source beside the logs', async ({ explorePage, page }) => {
  const run = newRun();
  const tempo = await createDatasource(page, { type: 'tempo', url: 'http://127.0.0.1:9' });
  made.push(tempo);
  const uid = await createDatasource(page, {
    type: WOODSHED,
    jsonData: {
      derivedFields: [{ name: 'traceID', matcherRegex: 'traceID=(\\w+)', url: '${__value.raw}', datasourceUid: tempo }],
    },
  });
  made.push(uid);
  await push([{ labels: { run }, lines: ['a line with traceID=7f3a2b'] }]);
  await openExplore(explorePage, uid, `{run="${run}"}`);
  await logRow(page, 'a line with').click();
  await page
    .getByRole('link', { name: tempo })
    .or(page.getByRole('button', { name: tempo }))
    .first()
    .click();
  await expect.poll(() => decodeURIComponent(page.url())).toContain(`"datasource":"${tempo}"`);
  const panes = Object.values<{ datasource: string; queries: Array<{ query?: string; queryType?: string }> }>(
    JSON.parse(new URL(page.url()).searchParams.get('panes') ?? '{}')
  );
  expect(panes.find(({ datasource }) => datasource === tempo)?.queries[0]).toMatchObject({
    query: '7f3a2b',
    queryType: 'traceql',
  });
  await expect(logRow(page, 'a line with')).toBeVisible();
});

test('says which link does not work, and shows the rows', async ({ explorePage, page }) => {
  const run = newRun();
  const uid = await createDatasource(page, {
    type: WOODSHED,
    jsonData: {
      maxLines: { odd: true },
      derivedFields: [{ name: 'bad', matcherRegex: '(\\w+\\s*)+x', url: 'https://a' }, 7],
    },
  });
  made.push(uid);
  await push([{ labels: { run }, lines: ['still shown'] }]);
  await openExplore(explorePage, uid, `{run="${run}"}`);
  await expect(logRow(page, 'still shown')).toBeVisible();
  await expect(page.getByText(/Link bad: .* could hold up the browser for ever/).first()).toBeVisible();
});
