import { randomUUID } from 'node:crypto';
import { type APIRequestContext, expect, test } from '@playwright/test';
import { DATASOURCE } from './dashboards';
import { newRun, push, shopLines } from './store';

// Grafana evaluates a group every ten seconds at best, each at a moment of its own.
const EVALUATED_MS = 60_000;

interface Rule {
  title: string;
  expr: string;
  queryType: 'range' | 'instant';
}

interface Expression {
  refId: string;
  type: string;
  expression: string;
  reducer?: string;
  conditions?: object[];
}

/** The queries of a rule that fires for every series above zero. A range is reduced to its largest value first. */
function ruleData({ expr, queryType }: Rule): object[] {
  const expression = (model: Expression) => ({ refId: model.refId, datasourceUid: '__expr__', model });
  const conditions = [{ evaluator: { type: 'gt', params: [0] } }];
  const query = {
    refId: 'A',
    datasourceUid: DATASOURCE.uid,
    relativeTimeRange: { from: 600, to: 0 },
    model: { refId: 'A', expr, queryType },
  };
  return queryType === 'instant'
    ? [query, expression({ refId: 'C', type: 'threshold', expression: 'A', conditions })]
    : [
        query,
        expression({ refId: 'R', type: 'reduce', reducer: 'max', expression: 'A' }),
        expression({ refId: 'C', type: 'threshold', expression: 'R', conditions }),
      ];
}

async function createRules(request: APIRequestContext, folder: string, rules: Rule[]): Promise<void> {
  const made = await request.post('/api/folders', { data: { uid: folder, title: `Spec ${folder}` } });
  expect(made.status(), await made.text()).toBe(200);
  const group = {
    title: folder,
    folderUid: folder,
    interval: 10,
    rules: rules.map((rule, index) => ({
      uid: `${folder}-${index}`,
      title: rule.title,
      ruleGroup: folder,
      folderUID: folder,
      orgID: 1,
      condition: 'C',
      for: '0s',
      noDataState: 'NoData',
      execErrState: 'Error',
      data: ruleData(rule),
    })),
  };
  const response = await request.put(`/api/v1/provisioning/folder/${folder}/rule-groups/${folder}`, { data: group });
  expect(response.status(), await response.text()).toBe(200);
}

interface RuleState {
  name: string;
  state: string;
  health: string;
  lastError?: string;
  alerts?: Array<{ state: string; labels: Record<string, string> }>;
}

async function ruleStates(request: APIRequestContext, folder: string): Promise<RuleState[]> {
  const response = await request.get(`/api/prometheus/grafana/api/v1/rules?folder_uid=${folder}`);
  const { data } = await response.json();
  return data.groups.flatMap(({ rules }: { rules: RuleState[] }) => rules);
}

let folder = '';
test.afterEach(async ({ request }) => {
  await request.delete(`/api/folders/${folder}?forceDeleteRules=true`);
});

test('rules fire on lines that were pushed, and say what is wrong with those that cannot', async ({ request }) => {
  const run = newRun();
  await push(shopLines(run));
  // Rules go on being evaluated until they are gone.
  folder = `spec-${randomUUID().slice(0, 8)}`;
  await createRules(request, folder, [
    { title: 'instant', queryType: 'instant', expr: `sum by (container) (count_over_time({run="${run}"}[10m]))` },
    {
      title: 'range',
      queryType: 'range',
      expr: `sum by (level) (count_over_time({run="${run}"} | logfmt | level="error" [$__interval]))`,
    },
    { title: 'nothing', queryType: 'instant', expr: `sum(count_over_time({run="${run}", container="gone"}[10m]))` },
    { title: 'nothing in a range', queryType: 'range', expr: `sum(rate({run="${run}", container="gone"}[1m]))` },
    { title: 'lines', queryType: 'range', expr: `{run="${run}"}` },
  ]);
  const find = async (title: string) => (await ruleStates(request, folder)).find(({ name }) => name === title);
  const options = { timeout: EVALUATED_MS };

  await expect.poll(async () => (await find('instant'))?.state, options).toBe('firing');
  const containers = (await find('instant'))?.alerts?.map(({ labels }) => labels.container);
  expect(containers?.sort()).toEqual(['catalogue', 'checkout']);

  await expect.poll(async () => (await find('range'))?.state, options).toBe('firing');
  expect((await find('range'))?.alerts?.map(({ labels }) => labels.level)).toEqual(['error']);

  for (const title of ['nothing', 'nothing in a range']) {
    await expect.poll(async () => (await find(title))?.health, options).toBe('nodata');
  }

  await expect.poll(async () => (await find('lines'))?.health, options).toBe('error');
  expect((await find('lines'))?.lastError).toContain(
    `An alert rule needs numbers, and this query returns log lines. Count them, for example: sum(count_over_time({run="${run}"} [5m]))`
  );
});
