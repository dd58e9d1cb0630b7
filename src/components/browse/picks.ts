/** What a person ticks in the dialog that browses labels: values by label name, and the selector that they make. */
import {
  addMatcher,
  type LabelMatcher,
  readAlternatives,
  readMatchers,
  removeMatcher,
  setMatcher,
  withAlternatives,
} from '../../logql/selector';

export type Picks = ReadonlyMap<string, readonly string[]>;

/** Whether a matcher is one that ticking values makes: of some plain values. */
function isPick(matcher: LabelMatcher): boolean {
  return (
    (matcher.op === '=' || matcher.op === '=~') &&
    readAlternatives(matcher).every(({ text, literal }) => literal && text !== '')
  );
}

/** The places of those matchers of the first selector that are ticked values; of a name that stands twice, the first. */
function findPicks(text: string): Map<string, number> {
  const places = new Map<string, number>();
  readMatchers(text).forEach((matcher, index) => {
    if (isPick(matcher) && !places.has(matcher.name)) {
      places.set(matcher.name, index);
    }
  });
  return places;
}

/** The values that a query names; all other matchers stay as they are. */
export function readPicks(text: string): Picks {
  const matchers = readMatchers(text);
  const valuesAt = (index: number) => readAlternatives(matchers[index]).map(({ text: value }) => value);
  return new Map(Array.from(findPicks(text), ([name, index]) => [name, valuesAt(index)]));
}

/** The picks with a value ticked, or no more. */
export function togglePick(picks: Picks, name: string, value: string): Picks {
  const before = picks.get(name) ?? [];
  const values = before.includes(value) ? before.filter((other) => other !== value) : [...before, value];
  const rest = Array.from(picks).filter(([other]) => other !== name || values.length > 0);
  const known = rest.map(([other, old]): [string, readonly string[]] => [other, other === name ? values : old]);
  return new Map(picks.has(name) ? known : [...known, [name, values]]);
}

/** The query that names these values. Only matchers of ticked values change. */
export function writePicks(text: string, picks: Picks): string {
  const places = findPicks(text);
  const matchers = readMatchers(text);
  const before = readPicks(text);
  const added = Array.from(picks).filter(([name, values]) => !places.has(name) && values.length > 0);
  // Added first and changed from the end: so a selector is never empty in between, and places stay true.
  const withAdded = added.reduce((result, [name, values]) => addMatcher(result, matcherOf(name, values)), text);
  return Array.from(places)
    .reverse()
    .reduce((result, [name, index]) => {
      const values = picks.get(name) ?? [];
      if (values.join('\0') === before.get(name)?.join('\0')) {
        return result;
      }
      return values.length === 0
        ? removeMatcher(result, index)
        : setMatcher(result, index, withAlternatives(matchers[index], values.map(literal)));
    }, withAdded);
}

/** What narrows the values of a label: all matchers but its own ticked values. */
export function matchersBeside(text: string, name: string): LabelMatcher[] {
  const own = findPicks(text).get(name);
  return readMatchers(text).filter((_, index) => index !== own);
}

function literal(text: string) {
  return { text, literal: true };
}

function matcherOf(name: string, values: readonly string[]): LabelMatcher {
  return withAlternatives({ name, op: '=', value: '' }, values.map(literal));
}
