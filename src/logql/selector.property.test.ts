/** Edits of the picker on queries of all shapes: what it does not edit stays as it is, to the byte. */
import { Random } from '../testing/random';
import { findSelectors, tokenize } from './parse';
import {
  addMatcher,
  type LabelMatcher,
  MATCH_OPERATORS,
  quoteLike,
  readMatchers,
  removeMatcher,
  setMatcher,
} from './selector';

const ROUNDS = 250;
const VALUES = ['api', 'a.b', 'say "hi"', 'back\\slash', '}{', '# no comment', 'x|y', 'Ünï', '', 'a`b', 'one\ntwo'];
const GAPS = ['', '', '', ' ', '  ', '\n', ' # why, and {how}\n', '\t'];
const TAILS = [
  '',
  ' |= "x"',
  '|~ `a+` | json',
  '  # the end',
  ' | logfmt | x="y" # {a="b"}\n| line_format "{{.a}}"',
  ' |= "half',
  ' | ',
];
const AROUND = [
  ['', ''],
  ['  ', '\n'],
  ['# top\n', ' '],
  ['sum by (a) (count_over_time(', ' [5m]))'],
  ['rate( ', '[$__auto]) / rate({z="1"} [1m])'],
  ['count_over_time(', ''],
];

function literal(random: Random, value: string): string {
  return quoteLike(random.pick(['"', '`']), value);
}

function randomMatcher(random: Random): LabelMatcher {
  return { name: random.pick(['a', 'app', 'le_v1']), op: random.pick(MATCH_OPERATORS), value: random.pick(VALUES) };
}

/** A query, the place of its first selector, and what that holds. */
function randomQuery(random: Random) {
  const gap = () => random.pick(GAPS);
  const matchers = random.some(4, () => randomMatcher(random));
  const inside = matchers
    .map(({ name, op, value }) => `${gap()}${name}${gap()}${op}${gap()}${literal(random, value)}${gap()}`)
    .join(',');
  const halfTyped = matchers.length > 0 && random.below(8) === 0 ? random.pick([', ', ', x', ', x=']) : '';
  const [before, after] = random.pick(AROUND);
  const tail = random.pick(TAILS) + after;
  return { text: `${before}{${inside}${halfTyped}}${tail}`, before, tail, matchers };
}

const plain = ({ name, op, value }: LabelMatcher) => ({ name, op, value });
const comments = (text: string) =>
  tokenize(text).flatMap(({ kind, from, to }) => (kind === 'comment' ? text.slice(from, to) : []));
const sources = (text: string) => readMatchers(text).map(({ from, to }) => text.slice(from, to));

function checkEdits(random: Random): void {
  const { text, before, tail, matchers } = randomQuery(random);
  const index = random.below(Math.max(matchers.length, 1));
  const added = randomMatcher(random);
  const others = sources(text).filter((_, i) => i !== index);

  const check = (edited: string, want: LabelMatcher[], untouched: string[]) => {
    // The texts are there to be seen when this fails.
    expect({ text, edited, got: readMatchers(edited).map(plain) }).toEqual({ text, edited, got: want });
    expect([edited.slice(0, before.length), edited.slice(edited.length - tail.length)]).toEqual([before, tail]);
    expect(comments(edited)).toEqual(comments(text));
    expect(sources(edited)).toEqual(expect.arrayContaining(untouched));
    expect(findSelectors(edited)).toHaveLength(findSelectors(text).length);
  };

  check(text, matchers, []);
  const withAdded = addMatcher(text, added);
  check(withAdded, [...matchers, added], sources(text));
  expect(removeMatcher(withAdded, matchers.length)).toBe(/^\s*\{\s*\}\s*$/.test(text) ? '' : text);
  if (matchers.length === 0) {
    return;
  }
  const changed = matchers.map((matcher, i) => (i === index ? added : matcher));
  check(setMatcher(text, index, added), changed, others);
  check(setMatcher(setMatcher(text, index, added), index, matchers[index]), matchers, others);
  const removed = removeMatcher(text, index);
  if (removed !== '') {
    check(
      removed,
      matchers.filter((_, i) => i !== index),
      others
    );
  }
}

describe('edits of the picker', () => {
  it(`leave the rest of ${ROUNDS} queries as it is`, () => {
    for (let seed = 0; seed < ROUNDS; seed++) {
      checkEdits(new Random(seed));
    }
  });
});
