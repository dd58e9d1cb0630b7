import { compile, foreignSyntax, LINE_CHARS_MAX, SlowMatchError } from './matcher';

const find = (expression: string, text: string) => compile(expression).matcher?.find(text);

describe('compile', () => {
  it('finds the first group, or without groups the whole match', () => {
    expect(find('trace_?id=(\\w+)', 'a traceid=7f3a b')).toBe('7f3a');
    expect(find('(?:order|cart) \\d+', 'an order 17')).toBe('order 17');
    expect(find('(?<id>\\d+)-(\\d+)', '17-18')).toBe('17');
    expect(find('trace', 'nothing')).toBeNull();
    expect(find('a(b)?', 'a')).toBeNull(); // as in Loki: an empty group is nothing
    expect(find('x*', 'aaa')).toBeNull();
  });

  it('understands what people write for RE2', () => {
    expect(find('(?i)TRACE=(?P<id>\\w+)', 'trace=7f')).toBe('7f');
    expect(find('(?is)a.b', 'A\nB')).toBe('A\nB');
    expect(compile('(?U)a').fault).toBe('the flags (?U) are not known to browsers; i, m and s are');
    expect(foreignSyntax('\\Ax\\z')).toMatch(/^\\A has another meaning/);
    expect(foreignSyntax('[[:alpha:]]+')).toMatch(/^\[\[:alpha:\]/);
    expect(foreignSyntax('\\pL')).toMatch(/^\\pL/);
    expect(foreignSyntax('trace=(\\w+)')).toBeUndefined();
  });

  it('says what is wrong', () => {
    expect(compile('trace=(\\w+').fault).toBe('the regular expression has a fault: Unterminated group');
    expect(compile('*').fault).toBe('the regular expression has a fault: Nothing to repeat');
    expect(compile('x'.repeat(2001)).fault).toBe('the regular expression is longer than 2000 characters');
    expect(compile('(\\w+\\s*)+x').fault).toMatch(/could hold up the browser for ever/);
  });

  it('looks at the beginning of a very long line', () => {
    expect(find('(\\d)', 'x'.repeat(LINE_CHARS_MAX - 1) + '7')).toBe('7');
    expect(find('(\\d)', 'x'.repeat(LINE_CHARS_MAX) + '7')).toBeNull();
  });

  it('gives up a text before it takes minutes', () => {
    const { matcher } = compile('.*.*.*.*.*.*=x');
    const begin = performance.now();
    expect(() => matcher?.find('a'.repeat(LINE_CHARS_MAX))).toThrow(SlowMatchError);
    expect(performance.now() - begin).toBeLessThan(20_000);
    expect(matcher?.find('key=x')).toBe('key=x');
  });

  it('finds the same by probing as at once', () => {
    const line = `${'word '.repeat(300)}id=7 ${'word '.repeat(300)}id=8`;
    expect(find('.*id=(\\d+).*', line)).toBe('8');
    expect(find('.*?id=(\\d+).*', line)).toBe('7');
  });
});
