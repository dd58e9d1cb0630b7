import { type CheckAnswer, checkedText, readProblems, sureProblems } from './check';

const place = { line: 1, column: 1, endLine: 1, endColumn: 1 };
const fine: CheckAnswer = { ok: true, error: '', hint: '', line: 0, column: 0, endLine: 0, endColumn: 0 };

describe('checkedText', () => {
  const f = (text: string, want: string) => {
    expect(checkedText(text)).toBe(want);
    expect(want).toHaveLength(text.length);
  };

  it('replaces variables by what can stand there, of equal length', () => {
    f('rate({a="b"}[$__auto])', 'rate({a="b"}[000001s])');
    f('rate({a="b"}[${range}] offset -$d)', 'rate({a="b"}[0000001s] offset -1s)');
    f('rate({a="b"}[${minutes}m])', 'rate({a="b"}[0000000001m])');
    f('{$label="b"} | status > $limit', '{vvvvvv="b"} | status > 111111');
    f('sum by ([[group:csv]]) (x)', 'sum by (vvvvvvvvvvvvv) (x)');
    f('topk(${n:raw}, x)', 'topk(11111111, x)');
  });

  it('leaves strings and comments as they are', () => {
    f('{app=~"${app:regex}"} |= `[[text]]` # $x', '{app=~"${app:regex}"} |= `[[text]]` # $x');
  });
});

describe('readProblems', () => {
  const refuse = (more: Partial<CheckAnswer>): CheckAnswer => {
    return { ...fine, ok: false, error: 'parse error at line 1', ...place, ...more };
  };

  it('finds nothing in what the store accepts', () => {
    expect(readProblems('{a="b"} | distinct c', fine)).toEqual([]);
  });

  it('says what the store says, and where', () => {
    const answer = refuse({ hint: 'put the text in quotes', column: 16, endColumn: 23 });
    expect(readProblems('{app="api"} |= timeout', answer)).toEqual([
      { from: 15, to: 22, message: 'parse error at line 1 (put the text in quotes)' },
    ]);
  });

  it('counts characters, not halves of them, and lines', () => {
    const answer = refuse({ line: 2, column: 7, endLine: 2, endColumn: 9 });
    expect(readProblems('{a="b"}\n|= "🪵" xx', answer)).toMatchObject([{ from: 15, to: 17 }]);
    expect(readProblems('{a', refuse({ line: 1, column: 99, endLine: 7, endColumn: 1 }))).toMatchObject([
      { from: 2, to: 2 },
    ]);
  });

  it('keeps silent about variables, whose values decide', () => {
    expect(readProblems('{$filters}', refuse({ column: 10, endColumn: 11 }))).toEqual([]);
    expect(readProblems('{a="b"} | pattern "$p"', refuse({ column: 19, endColumn: 23 }))).toEqual([]);
    expect(readProblems('$all', refuse({ column: 1, endColumn: 5 }))).toEqual([]);
    expect(readProblems('{a="$a"} |= oops', refuse({ column: 13, endColumn: 17 }))).toHaveLength(1);
  });
});

describe('sureProblems', () => {
  const f = (text: string, ...want: string[]) => {
    expect(sureProblems(text).map(({ message }) => message)).toEqual(want);
  };

  it('marks what no grammar could accept', () => {
    f('{app="api"} |= timeout', 'Line 1, column 16: unexpected timeout: put the text in quotes');
    f('{app="api"', 'Line 1, column 11: unexpected end of the query: close the selector with }');
  });

  // All of these are accepted by the store, and not by the grammar package.
  it.each([
    '{a="b"} | distinct c | distinct d, drop, d',
    '{json="a", by="b", sum="c", größe="d"}',
    '{a="b"} |= "c" or "d" or ip("10.0.0.0/8") != ip("::1") or "e"',
    '{a="b"} | c>5KB | d<1.5MiB | e==3B | f>=10GB | g<=1TiB | h>5k',
    '{a="b"} | c="1", d="2" e="3"',
    '{a="b"} | json="x" | (json != "x") | by > 5 | ip="1"',
    'COUNT_OVER_TIME({a="b"} |= "x" [1d12h])',
    'sum without (by, on)(rate({a="b"} [1m]))',
    'approx_topk(3, sum by (a) (rate({a="b"} |> "<_> x" [5m] offset 1h)))',
    '{a="b"} |= $needle',
    '{a="b"} |= IP("10.0.0.1")',
  ])('never marks what the store accepts: %s', (text) => f(text));
});
