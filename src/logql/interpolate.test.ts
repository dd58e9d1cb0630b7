import type { ScopedVars } from '@grafana/data';
import { type Format, interpolate } from './interpolate';

interface Variable {
  value: unknown;
  multi?: boolean;
  /** What Grafana writes by itself for All, without asking for a format. */
  all?: string;
}

/** Replaces like Grafana's template service, as far as these tests go. */
function replacer(variables: Record<string, Variable>) {
  return (text: string, scopedVars: ScopedVars, format: Format) =>
    text.replace(/\$\{(\w+)(?::(\w+))?\}|\$(\w+)/g, (whole, braced: string, named: string, bare: string) => {
      const name = braced ?? bare;
      if (named === 'regex') {
        return String(variables[name].value).replace(/[.|]/g, '\\$&');
      }
      if (named === 'raw') {
        return String(variables[name].value);
      }
      if (variables[name]?.all !== undefined) {
        return variables[name].all;
      }
      if (scopedVars[name]) {
        return format(scopedVars[name].value);
      }
      return name in variables ? format(variables[name].value, variables[name]) : whole;
    });
}

describe('interpolate', () => {
  const f = (text: string, variables: Record<string, Variable>, want: string) => {
    expect(interpolate(text, { __interval: { text: '15s', value: '15s' } }, replacer(variables))).toBe(want);
  };

  it('writes one value into a string', () => {
    f('{app="$app"}', { app: { value: 'api' } }, '{app="api"}');
    f('{app="x-${app}-y"} |= "$app"', { app: { value: 'a"b\\' } }, '{app="x-a\\"b\\\\-y"} |= "a\\"b\\\\"');
    f('|= `$app`', { app: { value: 'a"b' } }, '|= `a"b`');
    f('|= `$app`', { app: { value: 'a`b"' } }, '|= "a`b\\""');
  });

  it('writes several values behind a regular expression operator as literal alternatives', () => {
    const app: Variable = { value: ['a.b', 'c|d'], multi: true };
    f('{app=~"$app"}', { app }, '{app=~"a\\\\.b|c\\\\|d"}');
    f('{app!~`$app`}', { app }, '{app!~`a\\.b|c\\|d`}');
    f('{app=~"x-$app"}', { app }, '{app=~"x-(a\\\\.b|c\\\\|d)"}');
    f('{app=~"$app"}', { app: { value: ['a.b'], multi: true } }, '{app=~"a\\\\.b"}');
    f('{app=~"$app"}', { app: { value: 'a.b', multi: true } }, '{app=~"a\\\\.b"}');
    f('|~ "x" or "$app"', { app }, '|~ "x" or "a\\\\.b|c\\\\|d"');
  });

  it('lets a person write a regular expression into a variable of one value', () => {
    f('{app=~"$app"}', { app: { value: 'api.*' } }, '{app=~"api.*"}');
    f('|~ "$text"', { text: { value: '\\d+' } }, '|~ "\\\\d+"');
  });

  it('does not escape for a regular expression where there is none', () => {
    f('{app="$app"}', { app: { value: 'a.b', multi: true } }, '{app="a.b"}');
    f('|~ "x" |= "$app"', { app: { value: ['a.b'], multi: true } }, '|~ "x" |= "a.b"');
  });

  it('escapes what Grafana formats itself, unless it can stand as it is', () => {
    const app: Variable = { value: 'a.b' };
    f('{app=~"${app:regex}"}', { app }, '{app=~"a\\\\.b"}');
    f('{app=~`${app:regex}`}', { app }, '{app=~`a\\.b`}');
    f('{app=~"${app:raw}"}', { app }, '{app=~"a.b"}');
    f('{app=~"$app"}', { app: { value: ['a'], all: '.+' } }, '{app=~".+"}');
    f('{app=~"$app"}', { app: { value: ['a'], all: 'a\\\\.b' } }, '{app=~"a\\\\.b"}');
    f('{app=~"$app"}', { app: { value: ['a'], all: '\\d+' } }, '{app=~"\\\\d+"}');
    f('|~ "$app"', { app: { value: ['a'], all: 'a"b' } }, '|~ "a\\"b"');
  });

  it('replaces in every position of a pipeline', () => {
    const v: Variable = { value: 'say "a\\b"' };
    f('{a="b"} | json | msg="$v"', { v }, '{a="b"} | json | msg="say \\"a\\\\b\\""');
    f('{a="b"} | json | msg=~"$v"', { v: { value: ['x+', 'y'], multi: true } }, '{a="b"} | json | msg=~"x\\\\+|y"');
    f('{a="b"} != "$v" !~ "x$v"', { v }, '{a="b"} != "say \\"a\\\\b\\"" !~ "xsay \\"a\\\\b\\""');
    f('{a="b"} |= ip("$v")', { v: { value: '10.0.0.0/8' } }, '{a="b"} |= ip("10.0.0.0/8")');
    f('{a="b"} | logfmt | unwrap $v', { v: { value: 'duration' } }, '{a="b"} | logfmt | unwrap duration');
    f('sum by ($v) (rate({a="b"} | $v="x" [1m]))', { v: { value: 'c' } }, 'sum by (c) (rate({a="b"} | c="x" [1m]))');
    f('topk($v, rate({a="b"}[${r}]))', { v: { value: 3 }, r: { value: '1m' } }, 'topk(3, rate({a="b"}[1m]))');
    f(
      'label_replace(rate({a="b"}[1m]), "x", "$1-${v}", "a", "(.*)")',
      { v },
      'label_replace(rate({a="b"}[1m]), "x", "$1-say \\"a\\\\b\\"", "a", "(.*)")'
    );
  });

  it('replaces outside of strings', () => {
    f(
      'sum by ($by) (rate({a="b"}[$range])) > $limit',
      { by: { value: ['x', 'y'] }, range: { value: '5m' }, limit: { value: 3 } },
      'sum by (x, y) (rate({a="b"}[5m])) > 3'
    );
  });

  it('leaves to the store what the store replaces, and comments to the reader', () => {
    f('rate({a="b"}[$__interval]) # $app', { app: { value: 'api' } }, 'rate({a="b"}[$__interval]) # $app');
    f('rate({a="b"}[$__auto]) + ${__range_s}', {}, 'rate({a="b"}[$__auto]) + $__range_s');
  });

  it('leaves text without variables exactly as it is', () => {
    const text = '{a="b\\x41"} |~ `c$` |= "\\$" # d';
    f(text, {}, text);
  });
});
