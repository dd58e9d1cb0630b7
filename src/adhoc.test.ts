import { type AdHocVariableFilter, dateTime } from '@grafana/data';
import { addAdHocFilters, AdHocFilters } from './adhoc';
import { WoodshedApi } from './api';
import { isSelective, type LabelMatcher, printSelector } from './logql/selector';

const indexed = new Set(['app', 'env', 'level']);

function filter(key: string, operator: string, value: string, values?: string[]): AdHocVariableFilter {
  return { key, operator, value, values };
}

describe('addAdHocFilters', () => {
  const f = (expr: string, filters: AdHocVariableFilter[], want: string) => {
    expect(addAdHocFilters(expr, filters, indexed)).toBe(want);
  };

  it('writes labels of streams into every selector', () => {
    f('{run="1"}', [filter('app', '=', 'api')], '{run="1", app="api"}');
    f('{run="1"} |= "x"', [filter('app', '!=', 'api')], '{run="1", app!="api"} |= "x"');
    f('{run="1"}', [filter('app', '=~', 'a.*'), filter('env', '!~', 'b')], '{run="1", app=~"a.*", env!~"b"}');
    f(
      'sum(rate({a="1"}[1m])) / sum(rate({a="2"}[$__auto] offset 1h))',
      [filter('app', '=', 'api')],
      'sum(rate({a="1", app="api"}[1m])) / sum(rate({a="2", app="api"}[$__auto] offset 1h))'
    );
    f('{}', [filter('app', '=', 'api')], '{app="api"}');
  });

  it('writes it into the selectors that do not have it yet', () => {
    f('{app="api"}', [filter('app', '=', 'api')], '{app="api"}');
    f(
      'rate({app="api"}[1m]) / rate({a="2"}[1m])',
      [filter('app', '=', 'api')],
      'rate({app="api"}[1m]) / rate({a="2", app="api"}[1m])'
    );
  });

  it('writes several values as literal alternatives', () => {
    f('{a="1"}', [filter('app', '=|', 'a.b', ['a.b', 'c|"d"'])], '{a="1", app=~"a\\\\.b|c\\\\|\\"d\\""}');
    f('{a="1"}', [filter('app', '!=|', 'x', ['x', 'y'])], '{a="1", app!~"x|y"}');
    f('{a="1"}', [filter('app', '=|', 'x')], '{a="1", app=~"x"}');
  });

  it('writes all others behind the last parser', () => {
    f('{a="1"}', [filter('trace', '=', '1')], '{a="1"} | trace="1"');
    f(
      '{a="1"} | json |= "x" | line_format "y"',
      [filter('status', '=', '5')],
      '{a="1"} | json |= "x" | status="5" | line_format "y"'
    );
    f(
      'rate({a="1"} | logfmt | unwrap d [1m])',
      [filter('d', '>', '10ms')],
      'rate({a="1"} | logfmt | d > 10ms | unwrap d [1m])'
    );
    f('{a="1"} | logfmt', [filter('size', '<=', '1.5KB')], '{a="1"} | logfmt | size <= 1.5KB');
    f('{a="1"} | logfmt', [filter('size', '>', 'big "x"')], '{a="1"} | logfmt | size > "big \\"x\\""');
    f('{a="1"}', [filter('app', '>', '3')], '{a="1"} | app > 3');
  });

  it('tests a label of streams behind a parser that may make it too', () => {
    f('{a="1"} | logfmt', [filter('level', '=', 'error')], '{a="1"} | logfmt | level="error"');
    f(
      'rate({a="1"} | logfmt [1m]) / rate({a="1"}[1m])',
      [filter('level', '=', 'error')],
      'rate({a="1"} | logfmt | level="error" [1m]) / rate({a="1", level="error"}[1m])'
    );
  });

  it('escapes values', () => {
    f('{a="1"}', [filter('app', '=', 'a"b\\c\n')], '{a="1", app="a\\"b\\\\c\\n"}');
    f('{a="1"}', [filter('x', '=', '"} or {b="')], '{a="1"} | x="\\"} or {b=\\""');
  });

  it('is not led astray by comments and strings', () => {
    f('{a="{b=1}"} |= "{c}" # {d="1"}', [filter('app', '=', 'x')], '{a="{b=1}", app="x"} |= "{c}" # {d="1"}');
    f('{a="1" # last\n} # end', [filter('t', '=', 'x')], '{a="1" # last\n} | t="x" # end');
    f('# {a="1"}', [filter('app', '=', 'x')], '# {a="1"}');
  });

  it('leaves alone what asks for nothing', () => {
    f('', [filter('app', '=', 'x')], '');
    f('{a="1"}', [filter('', '=', 'x'), filter('app', '', 'x')], '{a="1"}');
    expect(addAdHocFilters('{a="1"}', undefined, indexed)).toBe('{a="1"}');
  });
});

const from = dateTime(0);
const to = dateTime(60_000);
const timeRange = { from, to, raw: { from, to } };

describe('AdHocFilters', () => {
  function setup(answers: Record<string, string[]> = {}) {
    const asked: Array<string | undefined> = [];
    const getResource = async (path: string, { query }: Record<string, string | number>) => {
      const selector = query === undefined ? undefined : String(query);
      asked.push(selector === undefined ? path : `${path} ${selector}`);
      return { data: path === 'labels' && !selector ? ['app', 'env'] : (answers[selector ?? ''] ?? ['v']) };
    };
    const text = (matchers: readonly LabelMatcher[]) => (isSelective(matchers) ? printSelector(matchers) : undefined);
    return { asked, adhoc: new AdHocFilters(new WoodshedApi(getResource), text) };
  }
  const texts = (found: Array<{ text: string }>) => found.map(({ text }) => text);

  it('offers labels and the level', async () => {
    const { adhoc } = setup();
    expect(texts(await adhoc.keys({ timeRange }))).toEqual(['app', 'env', 'detected_level']);
    expect(texts(await adhoc.values({ key: 'detected_level', filters: [], timeRange }))).toContain('error');
    expect(adhoc.indexed).toEqual(new Set(['app', 'env']));
  });

  it('narrows by the other filters', async () => {
    const { asked, adhoc } = setup();
    const filters = [filter('app', '=', 'api'), filter('env', '!=|', 'x', ['x', 'y']), filter('trace', '=', '1')];
    await adhoc.values({ key: 'env', filters, timeRange });
    await adhoc.values({ key: 'app', filters, timeRange });
    await adhoc.keys({ filters, timeRange });
    await adhoc.keys({ filters: [filter('app', '!=', 'api')], timeRange });
    expect(asked).toEqual([
      'labels',
      'label/env/values {app="api", env=~".+"}',
      'label/app/values {env!~"x|y", app=~".+"}',
      'labels {app="api", env!~"x|y"}',
    ]);
  });

  it('narrows by the queries of the dashboard, when every one of them narrows', async () => {
    const { asked, adhoc } = setup({ '{run="1", app=~".+"}': ['b', 'a'], '{run="2", app=~".+"}': ['b', 'c'] });
    const queries = ['{run="1"} |= "x"', 'rate({run="2"}[1m])'].map((expr, n) => ({ refId: `${n}`, expr }));
    const hidden = { refId: 'H', expr: '{run="3"}', hide: true };
    const found = await adhoc.values({ key: 'app', filters: [], timeRange, queries: [...queries, hidden] });
    expect(texts(found)).toEqual(['a', 'b', 'c']);
    const open = { refId: 'O', expr: '{run!="1"}' };
    await adhoc.values({ key: 'app', filters: [], timeRange, queries: [...queries, open] });
    expect(asked.at(-1)).toBe('label/app/values');
  });

  it('does without the names when the store does not tell', async () => {
    const adhoc = new AdHocFilters(new WoodshedApi(() => Promise.reject(new Error('gone'))), () => undefined);
    await adhoc.learn(timeRange);
    expect(adhoc.indexed.size).toBe(0);
  });
});
