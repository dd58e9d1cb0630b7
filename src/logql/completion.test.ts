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
    f('sum by (¦', { at: 'grouping', from: 8 });
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
    expect(await f('¦')).toEqual(expect.arrayContaining(['{', 'sum', 'count_over_time']));
    expect(await f('{a="b"} # ¦')).toEqual([]);
  });
});
