import { expect as patient, test } from '@playwright/test';
import { createDashboard, DATASOURCE, panel, queryVariable } from './dashboards';
import { expectQuery, newRun, push, queryField, shopLines } from './store';

// A dashboard loads much more than Explore does before its first panel shows.
const expect = patient.configure({ timeout: 60_000 });
test.describe.configure({ timeout: 240_000 });

const logsPanel = (title: string, expr: string) => ({ title, type: 'logs', targets: [{ refId: 'A', expr }] });

test('variables that were made for Loki list names and values, narrow each other and find what they hold', async ({
  page,
  request,
}) => {
  const run = newRun();
  const odd = 'say "a\\b" (x|y).*';
  await push([...shopLines(run), { labels: { run, container: odd, stream: 'stdout' }, lines: ['odd one out'] }]);
  const loki = (label: string, stream: string) => ({
    refId: 'LokiVariableQueryEditor-VariableQuery',
    type: 1,
    label,
    stream,
  });
  const uid = await createDashboard(request, {
    variables: [
      { type: 'constant', name: 'run', query: run, current: { text: run, value: run }, hide: 2 },
      queryVariable('name', 'label_names()', { regex: '/^(container|stream)$/' }),
      queryVariable('container', loki('container', '{run="$run"}'), { multi: true, includeAll: true }),
      queryVariable('stream', 'label_values({run="$run", container=~"$container"}, stream)', {
        multi: true,
        includeAll: true,
        allValue: '.*',
      }),
    ],
    panels: [
      logsPanel('Regex', '{run="$run", container=~"$container", stream=~"$stream"} |~ "."'),
      logsPanel('Equal', '{run="$run"} | container="$container"'),
      {
        title: 'By name',
        type: 'timeseries',
        targets: [
          { refId: 'A', expr: 'sum by ($name) (count_over_time({run="$run"}[$__auto]))', legendFormat: '{{$name}}' },
        ],
      },
    ],
  });

  await page.goto(`/d/${uid}?var-container=${encodeURIComponent(odd)}&var-stream=$__all&var-name=container`);
  await expect(panel(page, 'Regex').getByText('odd one out')).toBeVisible();
  await expect(panel(page, 'Regex').getByText('order placed')).toBeHidden();
  await expect(panel(page, 'Equal').getByText('odd one out')).toBeVisible();
  await expect(panel(page, 'By name').getByRole('button', { name: 'checkout' })).toBeVisible();

  // All without a value of its own is every value; a choice narrows the variable behind it.
  await page.goto(`/d/${uid}?var-container=$__all&var-stream=$__all`);
  for (const text of ['odd one out', 'order placed', 'payment refused', 'page served']) {
    await expect(panel(page, 'Regex').getByText(text)).toBeVisible();
  }
  await page.goto(`/d/${uid}?var-container=${encodeURIComponent(odd)}&var-container=catalogue`);
  await expect(panel(page, 'Regex').getByText('odd one out')).toBeVisible();
  await expect(panel(page, 'Regex').getByText('page served')).toBeVisible();
  await expect(panel(page, 'Regex').getByText('order placed')).toBeHidden();
  // The list of the third variable.
  await page.getByRole('main').getByRole('combobox').nth(2).click();
  await expect(page.getByText('stdout', { exact: true })).toBeVisible();
  await expect(page.getByText('stderr', { exact: true })).toBeHidden();
});

test('a variable is made in its editor', async ({ page, request }) => {
  const run = newRun();
  await push(shopLines(run));
  const uid = await createDashboard(request, { panels: [], variables: [queryVariable('container', '')] });
  await page.goto(`/d/${uid}?editview=variables&editIndex=0`);
  await page.getByRole('textbox', { name: 'In streams' }).fill(`{run="${run}", stream=~".+"`);
  await expect(page.getByRole('alert').getByText('close the selector')).toBeVisible();
  await page.getByRole('textbox', { name: 'In streams' }).fill(`{run="${run}", stream=~".+"}`);
  await page.keyboard.press('Enter');
  await page.getByRole('combobox', { name: 'Label' }).click();
  await page.getByRole('option', { name: 'container', exact: true }).click();
  await page.getByRole('button', { name: 'Run query' }).or(page.getByText('Preview of values')).first().click();
  const preview = page.getByTestId('data-testid Variable editor Preview of Values option');
  await expect(preview.filter({ hasText: 'checkout' })).toBeVisible();
  await expect(preview).toHaveCount(2);
  await page.getByRole('radio', { name: 'Label names' }).check({ force: true });
  await expect(preview.filter({ hasText: 'stream' })).toBeVisible();
});

test('ad hoc filters offer what is there, and narrow every query of a dashboard', async ({ page, request }) => {
  const run = newRun();
  await push(shopLines(run));
  const filters = { type: 'adhoc', name: 'filters', datasource: DATASOURCE, filters: [] };
  const uid = await createDashboard(request, {
    variables: [filters],
    panels: [
      logsPanel('Lines', `{run="${run}"} # all of them`),
      {
        title: 'Counts',
        type: 'stat',
        targets: [{ refId: 'A', queryType: 'instant', expr: `sum(count_over_time({run="${run}"} | logfmt [1h]))` }],
      },
    ],
  });
  await page.goto(`/d/${uid}`);
  await expect(panel(page, 'Counts').getByText('5', { exact: true })).toBeVisible();

  const field = page
    .getByRole('combobox', { name: 'Filter by label values' })
    .or(page.getByPlaceholder('Filter by label values'));
  await field.first().click();
  await expect(page.getByRole('option', { name: 'run', exact: true })).toBeVisible();
  await page.getByRole('option', { name: 'stream', exact: true }).click();
  await page.getByRole('option', { name: '= Equals', exact: true }).click();
  await page.getByRole('option', { name: 'stderr', exact: true }).click();
  await expect(panel(page, 'Counts').getByText('2', { exact: true })).toBeVisible();
  await expect(panel(page, 'Lines').getByText('order placed')).toBeHidden();
  await expect(panel(page, 'Lines').getByText('payment refused')).toBeVisible();

  const count = async (filters: string[], want: string) => {
    const params = filters.map((filter) => `var-filters=${encodeURIComponent(filter)}`);
    await page.goto(`/d/${uid}?${params.join('&')}`);
    await expect(panel(page, 'Counts').getByText(want, { exact: true })).toBeVisible();
  };
  // Grafana writes the bar of the operators "one of" and "not one of" as __gfp__.
  await count(['container|=__gfp__|catalogue|checkout', 'order|>|2'], '2');
  await count(['container|!=__gfp__|catalogue', 'level|=__gfp__|error|warn', 'detected_level|=|error'], '1');
  await count(['container|!~|cat.*', 'stream|=~|std.*'], '4');
});

test('annotations that were made for Loki mark their lines, and series their times', async ({ page, request }) => {
  const run = newRun();
  await push(shopLines(run));
  const uid = await createDashboard(request, {
    panels: [
      {
        title: 'Graph',
        type: 'timeseries',
        targets: [{ refId: 'A', expr: `sum(count_over_time({run="${run}"}[1m]))` }],
      },
    ],
    annotations: [
      {
        name: 'Failures',
        enable: true,
        iconColor: 'red',
        datasource: DATASOURCE,
        expr: `{run="${run}", stream="stderr"} |= "refused" | logfmt`,
        titleFormat: '{{msg}} in {{container}}',
        textFormat: 'order {{order}}',
        tagKeys: 'level',
      },
    ],
  });
  await page.goto(`/d/${uid}?from=now-5m&to=now`);
  const marker = panel(page, 'Graph').getByTestId('data-testid annotation-marker');
  await expect(marker).toHaveCount(1);
  await marker.hover();
  await expect(page.getByText('payment refused in checkout')).toBeVisible();
  await expect(page.getByText('order 3')).toBeVisible();
  await expect(page.getByText('error', { exact: true })).toBeVisible();

  await page.goto(`/d/${uid}?editview=annotations&editIndex=1`);
  await expect(page.getByRole('textbox', { name: 'Title' })).toHaveValue('{{msg}} in {{container}}');
  await expect(queryField(page)).toContainText('refused');
  // Two requests of Grafana's own may share a number here, and the first of them is aborted; the button asks anew.
  await page.getByRole('button', { name: 'Test annotation query' }).click();
  await expect(page.getByText(/1 events? \(from/)).toBeVisible();
});

test('numbers have legends, columns and steps that panels and transformations can use', async ({ page, request }) => {
  const run = newRun();
  await push(shopLines(run));
  const byContainer = `sum by (container) (count_over_time({run="${run}"}[1h]))`;
  const uid = await createDashboard(request, {
    variables: [
      queryVariable('container', `label_values({run="${run}"}, container)`, {
        multi: true,
        includeAll: true,
        current: { text: 'All', value: '$__all' },
      }),
    ],
    panels: [
      {
        title: 'Labels',
        type: 'timeseries',
        targets: [
          {
            refId: 'A',
            expr: `sum by (container) (count_over_time({run="${run}", container="checkout"}[$__auto]))`,
            step: '1m',
          },
        ],
      },
      {
        title: 'Legend',
        type: 'stat',
        targets: [{ refId: 'A', queryType: 'instant', expr: byContainer, legendFormat: 'in {{container}}' }],
      },
      {
        title: 'Table',
        type: 'table',
        targets: [
          { refId: 'A', queryType: 'instant', expr: byContainer },
          {
            refId: 'B',
            queryType: 'instant',
            expr: `sum by (container) (count_over_time({run="${run}", stream="stderr"}[$__range]))`,
          },
        ],
        transformations: [
          { id: 'merge', options: {} },
          {
            id: 'organize',
            options: { excludeByName: { Time: true }, renameByName: { 'Value #A': 'Lines', 'Value #B': 'Errors' } },
          },
        ],
      },
      {
        title: 'Rate',
        type: 'stat',
        targets: [{ refId: 'A', expr: `sum(rate({run="${run}"}[$__rate_interval])) > 0` }],
      },
      { ...logsPanel('Repeated $container', `{run="${run}", container="$container"}`), repeat: 'container' },
    ],
  });
  await page.goto(`/d/${uid}`);
  await expect(panel(page, 'Labels').getByRole('button', { name: '{container="checkout"}' })).toBeVisible();
  await expect(panel(page, 'Legend').getByText('in checkout')).toBeVisible();
  await expect(panel(page, 'Legend').getByText('in catalogue')).toBeVisible();
  const table = panel(page, 'Table');
  for (const name of ['container', 'Lines', 'Errors']) {
    await expect(table.getByRole('columnheader', { name })).toBeVisible();
  }
  await expect(table.getByRole('row', { name: /checkout\s*4\s*2/ })).toBeVisible();
  await expect(panel(page, 'Rate').getByText('No data')).toBeHidden();
  await expect(panel(page, 'Repeated catalogue').getByText('page served')).toBeVisible();
  await expect(panel(page, 'Repeated checkout').getByText('order placed')).toBeVisible();
  await expect(panel(page, 'Repeated checkout').getByText('page served')).toBeHidden();
});

test('a public dashboard answers without a login', async ({ request, playwright, baseURL }) => {
  const run = newRun();
  await push(shopLines(run));
  const uid = await createDashboard(request, {
    panels: [
      logsPanel('Lines', `{run="${run}"}`),
      {
        title: 'Counts',
        type: 'timeseries',
        targets: [{ refId: 'A', expr: `sum(count_over_time({run="${run}"}[$__interval]))` }],
      },
    ],
  });
  const made = await request.post(`/api/dashboards/uid/${uid}/public-dashboards`, {
    data: { isEnabled: true, annotationsEnabled: true, timeSelectionEnabled: true, share: 'public' },
  });
  expect(made.status(), await made.text()).toBe(200);
  const { accessToken } = await made.json();
  const stranger = await playwright.request.newContext({ baseURL, storageState: { cookies: [], origins: [] } });
  for (const [id, field] of [
    [1, 'body'],
    [2, 'Value'],
  ]) {
    const answer = await stranger.post(`/api/public/dashboards/${accessToken}/panels/${id}/query`, {
      data: { intervalMs: 60_000, maxDataPoints: 100, timeRange: { from: 'now-1h', to: 'now', timezone: 'UTC' } },
    });
    expect(answer.status(), await answer.text()).toBe(200);
    const { results } = await answer.json();
    const names = results.A.frames[0].schema.fields.map(({ name }: { name: string }) => name);
    expect(names).toContain(field);
    expect(results.A.frames[0].data.values[0].length).toBeGreaterThan(0);
  }
  await stranger.dispose();
});

test('a dashboard that is exported for others names no datasource of this Grafana', async ({ page, request }) => {
  const uid = await createDashboard(request, {
    variables: [
      queryVariable('container', 'label_values(container)'),
      { type: 'adhoc', name: 'filters', datasource: DATASOURCE, filters: [] },
    ],
    panels: [logsPanel('Lines', '{container="$container"}')],
    annotations: [
      { name: 'Failures', enable: true, iconColor: 'red', datasource: DATASOURCE, expr: '{container="x"}' },
    ],
  });
  await page.goto(`/d/${uid}?shareView=export`);
  await page.locator('#export-externally-toggle').check({ force: true });
  await expect(page.getByText('DS_WOODSHED').first()).toBeVisible();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download file' }).click();
  const stream = await (await download).createReadStream();
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    chunks.push(Buffer.from(chunk));
  }
  const text = Buffer.concat(chunks).toString();
  expect(text).toContain('${DS_WOODSHED}');
  expect(text).not.toContain(`"uid": "${DATASOURCE.uid}"`);
});

test("Loki's queries come over whole, and labels go back", async ({ page, request }) => {
  const run = newRun();
  await push(shopLines(run));
  const name = `Loki ${run}`;
  const made = await request.post('/api/datasources', {
    data: { name, type: 'loki', access: 'proxy', url: 'http://127.0.0.1:9' },
  });
  expect(made.status(), await made.text()).toBe(200);
  const { datasource } = await made.json();
  const query = {
    refId: 'A',
    datasource: { type: 'loki', uid: datasource.uid },
    expr: `{run="${run}"} |= "payment" | logfmt`,
    maxLines: 7,
  };
  const pane = { datasource: datasource.uid, queries: [query], range: { from: 'now-1h', to: 'now' } };
  await page.goto(`/explore?schemaVersion=1&orgId=1&panes=${encodeURIComponent(JSON.stringify({ a: pane }))}`);

  const choose = async (title: string) => {
    await page.getByTestId('data-testid Select a data source').first().click();
    await page.getByTestId('data-testid Select a data source').first().fill(title);
    await page.getByTestId('data-source-card').filter({ hasText: title }).first().click();
  };
  await choose('Woodshed');
  await expectQuery(page, `{run="${run}"} |= "payment" | logfmt`);
  await expect(page.getByText('Lines: 7')).toBeVisible();
  await expect(page.getByText('2 lines displayed')).toBeVisible();

  await choose(name);
  await expect(page.getByText(`{run="${run}"}`).first()).toBeVisible();
  await request.delete(`/api/datasources/uid/${datasource.uid}`);
});
