import { dateTime, type ScopedVars } from '@grafana/data';
import { WoodshedApi } from '../api';
import type { Format } from '../logql/interpolate';
import { findVariableValues } from './run';

const from = dateTime(0);
const to = dateTime(60_000);
const range = { from, to, raw: { from, to } };

const dashboard: Record<string, { value: unknown; multi?: boolean }> = {
  app: { value: ['a.b', 'c"d'], multi: true },
  one: { value: 'x' },
  all: { value: '.*' },
  label: { value: 'env' },
};

function replace(text: string, scopedVars: ScopedVars, format: Format): string {
  return text.replace(/\$\{?(\w+)\}?/g, (whole, name: string) => {
    const scoped = scopedVars[name];
    const variable = dashboard[name];
    return scoped ? format(scoped.value) : variable ? format(variable.value, variable) : whole;
  });
}

async function asked(stored: unknown, scopedVars?: ScopedVars) {
  const getResource = jest.fn(async () => ({ data: ['v1', 'v2'] }));
  const found = await findVariableValues(stored, { api: new WoodshedApi(getResource), replace, range, scopedVars });
  const [path, params]: [string?, Record<string, string>?] = getResource.mock.calls[0] ?? [];
  return { found, path, params };
}

describe('findVariableValues', () => {
  const f = async (stored: unknown, path: string, query?: string, scopedVars?: ScopedVars) => {
    const got = await asked(stored, scopedVars);
    expect(got.path).toBe(path);
    expect(got.params).toEqual({ start: '0000000', end: '60000000000', ...(query ? { query } : {}) });
    expect(got.found).toEqual([
      { text: 'v1', value: 'v1' },
      { text: 'v2', value: 'v2' },
    ]);
  };

  it('asks for names and values in the time range', async () => {
    await f('label_names()', 'labels');
    await f({ type: 0, refId: 'V' }, 'labels');
    await f('label_values(app)', 'label/app/values');
    await f({ type: 1, label: 'app', stream: '{env="x"} |= "y"' }, 'label/app/values', '{env="x"}');
    await f({ type: 1, label: '$label', stream: ' # none' }, 'label/env/values');
  });

  it('narrows by other variables', async () => {
    await f('label_values({a="$one"}, b)', 'label/b/values', '{a="x"}');
    await f('label_values({a=~"$app"}, b)', 'label/b/values', '{a=~"a\\\\.b|c\\"d"}');
  });

  it('takes a selector that leaves everything in', async () => {
    await f('label_values({a=~"$all"}, b)', 'label/b/values');
    await f('label_values({}, b)', 'label/b/values');
    await f('label_names({a=~"$all"})', 'labels');
    await f('label_values({a=~"$all", c!="$one"}, b)', 'label/b/values', '{c!="x", b=~".+"}');
  });

  it('leaves it to the store to say what is wrong with a selector', async () => {
    await f('label_values({a=, b)', 'label/b/values', '{a=');
  });

  it('narrows by what is typed into the list', async () => {
    const stored = 'label_values({a="b", c=~"$__searchFilter"}, c)';
    await f(stored, 'label/c/values', '{a="b", c=~".*"}'.replace(', c=~".*"', ''));
    await f(stored, 'label/c/values', '{a="b", c=~"x\\\\..*"}', { __searchFilter: { text: 'x.', value: 'x.' } });
  });

  it('asks nothing when nothing is wanted', async () => {
    for (const stored of ['', undefined, { type: 1, label: '' }, 'query_result(x)']) {
      expect(await asked(stored)).toEqual({ found: [], path: undefined, params: undefined });
    }
  });
});
