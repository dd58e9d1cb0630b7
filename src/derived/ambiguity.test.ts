import { shapeOf } from './ambiguity';

const ambiguous = (source: string, flags = '') => {
  new RegExp(source, flags); // an expression that browsers take
  return shapeOf(source, flags).ambiguous;
};

describe('shapeOf', () => {
  it.each([
    'trace_?id[=:]"?(\\w+)',
    '(?:traceID|trace_id)=(\\w+).*status=(\\d{3})',
    '([a-z]+\\.)+com',
    '(?:[^"\\\\]|\\\\.)*"',
    '"(?:[^",]*,)*end"',
    '(\\w+=\\w+,)+',
    '(?:\\w+=\\S+\\s+)+id',
    '(\\d{1,3}\\.){3}\\d{1,3}',
    '(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}',
    '([0-9a-f]{2}){16}',
    '(?=.*id)(?<id>\\w+)$',
    '^.*?(x*)y{,3}[]\\u0041\\x41\\cA\\/$',
    '(?:a|b|cd)+',
    '.*.*.*x',
    '',
  ])('lets %s pass', (source) => {
    expect(ambiguous(source)).toBe(false);
  });

  it.each([
    '(a+)+$',
    '(a*)*b',
    '(a|a)*b',
    '(\\w|\\d)+x',
    '(a|ab|b)*c',
    '(.*,)*x',
    '(?:[^"\\\\]+|\\\\.)*"',
    '(\\w+\\s*)+id=(\\w+)',
    '(a?b?)*c',
    '(a*a*b)+c',
    '((a|a)b){9,}c',
    '(a{1,50}){1,50}b',
    '(?=(a+)+b)c',
    '(?:(a+)\\1)*b',
    '([α-ω]+)+!',
    '(é|[^a])+x',
  ])('stops %s', (source) => {
    expect(ambiguous(source)).toBe(true);
  });

  it('looks at letters as the flags do', () => {
    expect(ambiguous('(a|A)+x')).toBe(false);
    expect(ambiguous('(a|A)+x', 'i')).toBe(true);
    expect(ambiguous('(.|\\n)*x')).toBe(false);
    expect(ambiguous('(.|\\n)*x', 's')).toBe(true);
  });

  it('counts what makes time grow with the length', () => {
    expect(shapeOf('.*a[b-d]+(e{1,9})f{3}g{2}h?', '').repetitions).toBe(3);
  });

  it('stops whatever takes a browser for ever on a short text', () => {
    // Random expressions of a few letters: those that pass must be quick on texts that nearly match.
    let seed = 20;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return Math.floor(seed / 65536) % below;
    };
    const atom = (depth: number): string => {
      const inner =
        depth > 0 && random(2) === 0 ? `(?:${alternatives(depth - 1)})` : ['a', 'b', '[ab]', '.'][random(4)];
      return inner + ['', '', '*', '+', '?', '{2,}'][random(6)];
    };
    const sequence = (depth: number) => Array.from({ length: 1 + random(3) }, () => atom(depth)).join('');
    const alternatives = (depth: number): string =>
      Array.from({ length: 1 + random(2) }, () => sequence(depth)).join('|');
    let passed = 0;
    for (let n = 0; n < 2_000; n++) {
      const source = `^(?:${alternatives(2)})c`;
      const { ambiguous: stopped, repetitions } = shapeOf(source, '');
      if (stopped || repetitions > 3) {
        continue;
      }
      passed++;
      const regex = new RegExp(source);
      for (const text of ['a'.repeat(60), 'ab'.repeat(30), 'b'.repeat(60), 'aab'.repeat(20)]) {
        regex.exec(text); // one that takes for ever fails the test by its time
      }
    }
    expect(passed).toBeGreaterThan(100);
  });
});
