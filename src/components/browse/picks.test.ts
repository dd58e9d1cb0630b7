import { matchersBeside, readPicks, togglePick, writePicks } from './picks';

const read = (text: string) => Object.fromEntries(readPicks(text));

describe('picks', () => {
  it('are the plain values of a query', () => {
    expect(read('{a="b", c=~"d|e\\\\.f", g!="h", i=~"j.*", k="", a="z"} |= "x"')).toEqual({
      a: ['b'],
      c: ['d', 'e.f'],
    });
    expect(read('')).toEqual({});
  });

  it('are ticked and let go', () => {
    const picks = readPicks('{a="b"}');
    expect(Object.fromEntries(togglePick(picks, 'a', 'c'))).toEqual({ a: ['b', 'c'] });
    expect(Object.fromEntries(togglePick(picks, 'a', 'b'))).toEqual({});
    expect(Object.fromEntries(togglePick(picks, 'd', 'e'))).toEqual({ a: ['b'], d: ['e'] });
  });

  it('are written into a query and leave the rest alone', () => {
    const f = (text: string, picks: Record<string, string[]>, want: string) => {
      expect(writePicks(text, new Map(Object.entries(picks)))).toBe(want);
    };
    f('', { a: ['b'] }, '{a="b"}');
    f('', {}, '');
    f('{a="b"} | json', {}, '{} | json');
    f('{a="b"} |= "x" # c', { a: ['b', 'c.d'] }, '{a=~"b|c\\\\.d"} |= "x" # c');
    f('{a="b", c!="d"}', { e: ['f'] }, '{c!="d", e="f"}');
    f('{a=`b`, c="d"}', { a: ['b'], c: ['e'] }, '{a=`b`, c="e"}');
    f('{a="b", i=~"j.*"}', { a: ['b'], i: ['k'] }, '{a="b", i=~"j.*", i="k"}');
  });

  it('of other labels narrow the values of one', () => {
    const names = (name: string) => matchersBeside('{a="b", c="d", a!="x"}', name).map((m) => m.name + m.op);
    expect(names('a')).toEqual(['c=', 'a!=']);
    expect(names('e')).toEqual(['a=', 'c=', 'a!=']);
  });
});
