import {
  addMatcher,
  escapeRegex,
  isSelective,
  type LabelMatcher,
  type MatchOperator,
  printSelector,
  readAlternatives,
  readMatchers,
  readSelectors,
  removeMatcher,
  setMatcher,
  splitAlternatives,
  withAlternatives,
  withOperator,
} from './selector';

const m = (name: string, op: MatchOperator, value: string): LabelMatcher => ({ name, op, value });
const plain = ({ name, op, value }: LabelMatcher) => m(name, op, value);

describe('readMatchers', () => {
  const f = (text: string, ...want: LabelMatcher[]) => expect(readMatchers(text).map(plain)).toEqual(want);

  it('reads the first selector, wherever it stands', () => {
    f('');
    f('{}');
    f('{a="b"}', m('a', '=', 'b'));
    f(
      '{a="b", c!="d",e=~"f|g" , h!~`i.*`} |= "x"',
      m('a', '=', 'b'),
      m('c', '!=', 'd'),
      m('e', '=~', 'f|g'),
      m('h', '!~', 'i.*')
    );
    f('sum(rate({a="b\\"c"}[5m])) / sum(rate({d="e"}[5m]))', m('a', '=', 'b"c'));
    f('{a="$app"}', m('a', '=', '$app'));
  });

  it('leaves out what is half typed', () => {
    f('{a="b", c', m('a', '=', 'b'));
    f('{a="b", c=', m('a', '=', 'b'));
    f('{a="b", c=}', m('a', '=', 'b'));
    f('{a=b}');
  });

  it('does not take a label filter for a matcher', () => f('{a="b"} | c="d"', m('a', '=', 'b')));
});

describe('readSelectors', () => {
  it('reads every selector', () => {
    const found = readSelectors('rate({a="b"}[5m]) / rate({c="d", e="f"}[5m])');
    expect(found.map((matchers) => matchers.map(plain))).toEqual([
      [m('a', '=', 'b')],
      [m('c', '=', 'd'), m('e', '=', 'f')],
    ]);
  });
});

describe('addMatcher', () => {
  const f = (text: string, matcher: LabelMatcher, want: string) => expect(addMatcher(text, matcher)).toBe(want);

  it('adds behind the last matcher and touches nothing else', () => {
    f('', m('a', '=', 'b'), '{a="b"}');
    f('  ', m('a', '=', 'b'), '{a="b"}');
    f('{}', m('a', '=', 'b'), '{a="b"}');
    f('{a="b"}', m('c', '=~', 'd|e'), '{a="b", c=~"d|e"}');
    f('{ a = "b" } |= "x" # why', m('c', '=', 'd'), '{ a = "b", c="d" } |= "x" # why');
    f('rate({a="b"} | json [5m])', m('c', '=', 'd'), 'rate({a="b", c="d"} | json [5m])');
    f('|= "x"', m('a', '=', 'b'), '{a="b"} |= "x"');
  });

  it('escapes values', () => f('{}', m('a', '=', 'say "hi" \\ bye\n'), '{a="say \\"hi\\" \\\\ bye\\n"}'));

  it('adds to the selector that it is told', () => {
    expect(addMatcher('rate({a="b"}[5m]) / rate({c="d"}[5m])', m('e', '=', 'f'), 1)).toBe(
      'rate({a="b"}[5m]) / rate({c="d", e="f"}[5m])'
    );
  });
});

describe('setMatcher', () => {
  it('replaces one matcher', () => {
    expect(setMatcher('{a="b", c="d"} | json', 1, m('c', '=~', 'd|e'))).toBe('{a="b", c=~"d|e"} | json');
    expect(setMatcher('{a="b"}', 3, m('c', '=', 'd'))).toBe('{a="b"}');
  });

  it('counts only finished matchers', () => {
    expect(setMatcher('{a="b", c, d="e"}', 1, m('d', '=', 'f'))).toBe('{a="b", c, d="f"}');
  });
});

describe('removeMatcher', () => {
  const f = (text: string, index: number, want: string) => expect(removeMatcher(text, index)).toBe(want);

  it('removes one matcher with its comma', () => {
    f('{a="b", c="d", e="f"} |= "x"', 0, '{c="d", e="f"} |= "x"');
    f('{a="b", c="d", e="f"} |= "x"', 1, '{a="b", e="f"} |= "x"');
    f('{a="b", c="d", e="f"} |= "x"', 2, '{a="b", c="d"} |= "x"');
    f('{a="b"} |= "x"', 0, '{} |= "x"');
    f('{a="b"}', 0, '');
    f('{a="b"}', 1, '{a="b"}');
  });
});

describe('printSelector', () => {
  it('is LogQL', () => {
    expect(printSelector([])).toBe('{}');
    expect(printSelector([m('a', '=', 'b'), m('c', '!~', 'd\\.e')])).toBe('{a="b", c!~"d\\\\.e"}');
  });
});

describe('isSelective', () => {
  const f = (want: boolean, ...matchers: LabelMatcher[]) => expect(isSelective(matchers)).toBe(want);

  it('needs a matcher that no stream without the label passes', () => {
    f(false);
    f(true, m('a', '=', 'b'));
    f(false, m('a', '=', ''));
    f(false, m('a', '!=', 'b'));
    f(false, m('a', '!~', 'b'));
    f(true, m('a', '=~', 'b.+'));
    f(false, m('a', '=~', '.*'));
    f(true, m('a', '!=', 'b'), m('c', '=', 'd'));
    f(false, m('a', '=~', '(?P<x>b)'));
  });
});

describe('splitAlternatives', () => {
  const f = (regex: string, ...want: Array<[string, boolean]>) => {
    expect(splitAlternatives(regex)).toEqual(want.map(([text, literal]) => ({ text, literal })));
  };

  it('splits at the top level and tells texts from patterns', () => {
    f('a', ['a', true]);
    f('a|b', ['a', true], ['b', true]);
    f('a\\.b|c', ['a.b', true], ['c', true]);
    f('a\\|b', ['a|b', true]);
    f('a.*|b', ['a.*', false], ['b', true]);
    f('(a|b)c|d', ['(a|b)c', false], ['d', true]);
    f('[a|b]|c', ['[a|b]', false], ['c', true]);
    f('\\d+|x', ['\\d+', false], ['x', true]);
    f('my\\-app', ['my-app', true]);
    f('\\\\|x', ['\\', true], ['x', true]);
    f('', ['', true]);
    f('\\Qa|b\\E', ['\\Qa|b\\E', false]);
  });

  it('reads back what escapeRegex wrote', () => {
    for (const text of ['a.b', 'x|y', '(1+1)*2', '$[^]{}?', 'c:\\logs\\*']) {
      expect(splitAlternatives(escapeRegex(text))).toEqual([{ text, literal: true }]);
    }
  });
});

describe('withAlternatives', () => {
  const f = (before: LabelMatcher, texts: string[], want: LabelMatcher) => {
    expect(
      withAlternatives(
        before,
        texts.map((text) => ({ text, literal: true }))
      )
    ).toEqual(want);
  };

  it('takes the operator that several values need, and returns', () => {
    f(m('a', '=', ''), ['x.y'], m('a', '=', 'x.y'));
    f(m('a', '=', 'x'), ['x', 'y.z'], m('a', '=~', 'x|y\\.z'));
    f(m('a', '!=', 'x'), ['x', 'y'], m('a', '!~', 'x|y'));
    f(m('a', '=~', 'x|y'), ['x'], m('a', '=', 'x'));
    f(m('a', '!~', 'x|y'), ['y'], m('a', '!=', 'y'));
    f(m('a', '=~', 'x'), ['y.'], m('a', '=~', 'y\\.'));
  });

  it('keeps a pattern as it is', () => {
    expect(
      withAlternatives(m('a', '=~', 'x.*'), [
        { text: 'x.*', literal: false },
        { text: 'y.z', literal: true },
      ])
    ).toEqual(m('a', '=~', 'x.*|y\\.z'));
  });
});

describe('withOperator', () => {
  it('keeps what the matcher names', () => {
    expect(withOperator(m('a', '=', 'x.y'), '!=')).toEqual(m('a', '!=', 'x.y'));
    expect(withOperator(m('a', '=', 'x.y'), '=~')).toEqual(m('a', '=~', 'x\\.y'));
    expect(withOperator(m('a', '=~', 'x\\.y|z'), '=')).toEqual(m('a', '=', 'x.y'));
    expect(withOperator(m('a', '=~', 'x|y'), '!~')).toEqual(m('a', '!~', 'x|y'));
  });
});

describe('readAlternatives', () => {
  it('splits only what is a regular expression', () => {
    expect(readAlternatives(m('a', '=', 'x|y'))).toEqual([{ text: 'x|y', literal: true }]);
    expect(readAlternatives(m('a', '!~', 'x|y'))).toHaveLength(2);
  });
});
