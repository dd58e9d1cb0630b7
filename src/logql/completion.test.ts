import { complete, findSituation, type LabelSource, type Situation } from './completion';

/** The situation at the bar. */
function at(marked: string): Situation {
  const cursor = marked.indexOf('¦');
  return findSituation(marked.replace('¦', ''), cursor);
}

const source: LabelSource = {
  labelNames: async (matchers) =>
    ['app', 'env', 'stream'].filter((name) => !matchers.some((m) => m.name === name && m.value === 'none')),
  labelValues: async (name) => (name === 'app' ? ['api', 'we"b.1'] : []),
};

describe('findSituation', () => {
  const f = (marked: string, want: Partial<Situation>) => expect(at(marked)).toMatchObject(want);

  it('knows label names', () => {
    f('{¦', { at: 'labelName', from: 1 });
    f('{ap¦', { at: 'labelName', from: 1 });
    f('{app="api", s¦}', { at: 'labelName', from: 12 });
    f('rate({¦}[5m])', { at: 'labelName', from: 6 });
  });

  it('knows label values, in quotes and before them', () => {
    f('{app="¦"}', { at: 'labelValue', name: 'app', op: '=', quoted: true, from: 6 });
    f('{app=~"we"b.¦', { at: 'nowhere' });
    f('{env="x", app=~"ap¦', { at: 'labelValue', name: 'app', op: '=~', quoted: true, from: 16 });
    f('{app=¦}', { at: 'labelValue', name: 'app', quoted: false, from: 5 });
    f('{app!~¦', { at: 'labelValue', name: 'app', op: '!~', quoted: false });
  });

  it('narrows by the other labels', () => {
    f('{env="x", app="¦"}', { at: 'labelValue', matchers: [expect.objectContaining({ name: 'env', value: 'x' })] });
  });

  it('knows the rest of a query', () => {
    f('¦', { at: 'start', from: 0 });
    f('su¦', { at: 'start', from: 0 });
    f('sum(¦', { at: 'start', from: 4 });
    f('rate({a="b"}[5m]) / ¦', { at: 'start' });
    f('sum by (¦', { at: 'label', from: 8 });
    f('rate({a="b"}[¦', { at: 'duration', from: 13 });
    f('rate({a="b"}[$__a¦', { at: 'duration', from: 13 });
    f('{a="b"} ¦', { at: 'pipeline', from: 8 });
    f('{a="b"} | json ¦', { at: 'pipeline' });
    f('{a="b"} | ¦', { at: 'stage', from: 10 });
    f('{a="b"} | js¦', { at: 'stage', from: 10 });
    f('{a="b"} |= "¦', { at: 'nowhere' });
    f('{a="b"} # {¦', { at: 'nowhere' });
  });
});

describe('findSituation in pipelines', () => {
  const f = (marked: string, want: Partial<Situation>) => expect(at(marked)).toMatchObject(want);

  it('knows label filters', () => {
    f('{a="b"} | json | status ¦', { at: 'comparison' });
    f('{a="b"} | status >= 500 ¦', { at: 'join' });
    f('{a="b"} | status >= 500 and ¦', { at: 'label' });
    f('{a="b"} | (x="y" or ¦', { at: 'label' });
    f('{a="b"} | env="¦', { at: 'labelValue', name: 'env', quoted: true });
    f('{a="b"} | x="y" or env=~¦', { at: 'labelValue', name: 'env', op: '=~', quoted: false });
    f('{a="b"} | status > ¦', { at: 'nowhere' });
  });

  it('knows the arguments of stages', () => {
    f('{a="b"} | logfmt ¦', { at: 'pipeline', stage: 'logfmt' });
    f('{a="b"} | keep ¦', { at: 'label' });
    f('{a="b"} | drop x, ¦', { at: 'label' });
    f('{a="b"} | distinct us¦', { at: 'label' });
    f('{a="b"} | label_format x=¦', { at: 'label' });
    f('sum_over_time({a="b"} | json | unwrap ¦', { at: 'unwrap' });
    f('sum_over_time({a="b"} | json | unwrap bytes(¦', { at: 'label' });
    f('sum_over_time({a="b"} | json | unwrap bytes(size) ¦', { at: 'join', ranged: true });
    f('rate({a="b"} ¦', { at: 'pipeline', ranged: true });
  });

  it('knows templates', () => {
    f('{a="b"} | line_format "{{¦', { at: 'template', from: 25 });
    f('{a="b"} | line_format "{{.st¦}}"', { at: 'template', from: 25 });
    f('{a="b"} | label_format x=`{{ ToU¦', { at: 'template' });
    f('{a="b"} | line_format "{{.a}} ¦', { at: 'nowhere' });
    f('{a="b"} | line_format `{{ printf "¦', { at: 'nowhere' });
  });

  it('knows what follows an expression', () => {
    f('sum ¦', { at: 'aggregation' });
    f('sum(rate({a="b"}[5m])) ¦', { at: 'metric', aggregation: true });
    f('sum(rate({a="b"}[5m]) ¦', { at: 'metric', aggregation: false });
    f('sum(rate({a="b"}[5m])) by (a) ¦', { at: 'metric', aggregation: false });
    f('rate({a="b"}[5m] ¦', { at: 'afterRange' });
    f('sum(rate({a="b"} | (x="y") | json [5m])) / ¦', { at: 'start' });
  });

  it('looks at the selector that the cursor is in or behind', () => {
    const second = { matchers: [expect.objectContaining({ name: 'c' })] };
    f('sum(rate({a="b"}[1m])) / rate({c="d", ¦', { at: 'labelName', ...second });
    f('rate({a="b"}[1m]) / rate({c="d"} | ¦[1m])', { at: 'stage', ...second });
    f('rate({a="b"}[1m]) / sum by (¦) (rate({c="d"}[1m]))', { at: 'label', ...second });
    f('rate({a="b"}[1m]) / sum(rate({c="d"}[1m])) by (¦)', { at: 'label', ...second });
    f('rate({c="d"} | ¦[1m]) / rate({a="b"}[1m])', { at: 'stage', ...second });
  });

  it('knows the labels that stages before it made', () => {
    f('{a="b"} | json x="y.z" | ¦', { at: 'stage', made: ['x'] });
    f('{a="b"} | json x="y.z" | label_format w=¦', { at: 'label', made: ['x'] });
    f('sum by (¦) (rate({a="b"} | pattern "<ip> <_>" [1m]))', { at: 'label', made: ['ip'] });
    f('sum(rate({a="b"} | regexp "(?P<verb>x)" [1m])) by (¦)', { at: 'label', made: ['verb'] });
  });

  it('is not misled by variables', () => {
    f('rate({a="${b}"}[${c}]) / rate({c="d", ¦', {
      at: 'labelName',
      matchers: [expect.objectContaining({ name: 'c' })],
    });
    f('sum by (${group}) ¦', { at: 'metric' });
  });
});

describe('complete', () => {
  const f = async (marked: string) => (await complete(at(marked), source)).map(({ insert }) => insert);

  it('offers what is not there yet', async () => {
    expect(await f('{¦')).toEqual(['app=', 'env=', 'stream=']);
    expect(await f('{app="api", ¦}')).toEqual(['env=', 'stream=']);
  });

  it('writes values as the place needs them', async () => {
    expect(await f('{app=¦')).toEqual(['"api"', '"we\\"b.1"']);
    expect(await f('{app="¦"}')).toEqual(['api', 'we\\"b.1']);
    expect(await f('{app=~"¦"}')).toEqual(['api', 'we\\"b\\\\.1']);
  });

  it('offers stages, labels, durations and functions', async () => {
    expect(await f('{a="b"} | ¦')).toEqual(expect.arrayContaining(['json', 'app', 'detected_level']));
    expect(await f('{a="b"} ¦')).toEqual(expect.arrayContaining(['|= "$0"', '| logfmt']));
    expect(await f('rate({a="b"}[¦')).toContain('$__auto');
    expect(await f('sum by (¦')).toContain('detected_level');
    expect(await f('¦')).toEqual(expect.arrayContaining(['{', 'sum($0)', 'count_over_time($0)']));
    expect(await f('{a="b"} # ¦')).toEqual([]);
  });

  it('offers what a query makes, and what the last answer had', async () => {
    const answered = { ...source, answerLabels: () => ['trace_id'] };
    const inserts = async (marked: string) => (await complete(at(marked), answered)).map(({ insert }) => insert);
    const names = ['status', 'app', 'trace_id', 'detected_level'];
    expect(await inserts('{a="b"} | json status="s" | ¦')).toEqual(expect.arrayContaining(names));
    expect(await inserts('sum by (¦) (rate({a="b"} | json status="s" [1m]))')).toEqual(expect.arrayContaining(names));
    expect(await inserts('{a="b"} | json status="s" | line_format "{{.¦')).toEqual(
      expect.arrayContaining(['.status', 'ToUpper'])
    );
    expect(await inserts('{a="b"} | json status="s" | unwrap ¦')).toEqual(
      expect.arrayContaining(['status', 'bytes($0)'])
    );
  });

  it('offers operators, groupings and values behind a selector', async () => {
    expect(await f('{a="b"} | status ¦')).toEqual(expect.arrayContaining(['="$0"', '>= ']));
    expect(await f('sum ¦')).toEqual(['by ($0)', 'without ($0)']);
    expect(await f('rate({a="b"} ¦')).toContain('[$__auto]');
    expect(await f('{a="b"} | logfmt ¦')).toContain('--strict');
    expect(await f('{a="b"} | app="¦')).toEqual(['api', 'we\\"b.1']);
    expect(await f('{a="b"} | detected_level="¦')).toContain('error');
    expect(await f('{a="b"} | json app="x" | app="¦')).toEqual([]);
  });

  it('offers the labels of the query when the store does not answer', async () => {
    const silent = { labelNames: () => Promise.reject(new Error('no')), labelValues: async () => [] };
    const offered = await complete(at('{a="b"} | json x="y" | keep ¦'), silent);
    expect(offered.map(({ label }) => label)).toEqual(['x', 'detected_level']);
  });
});
