/** Regular expressions of people, run in the browser so that none can hold it up. */
import { shapeOf } from './ambiguity';

export const LINE_CHARS_MAX = 16_384; // A search that is quadratic in this takes some tenths of a second, not minutes.
const SOURCE_CHARS_MAX = 2_000; // Far longer than any that a person reads; bounds the look at its shape.
const PROBE_CHARS_MIN = 16;
const PROBE_GROWTH = 16; // By which time may grow from one probe to the next.
const PROBE_MS_MAX = 20;

export interface Matcher {
  /** What the expression finds in a text: its first group, or without groups the whole match; null for nothing. */
  find(text: string): string | null;
  /** The expression itself, for the names of labels. */
  test(text: string): boolean;
}

/** The text took too long; the next may take for ever. */
export class SlowMatchError extends Error {}

export type Compiled = { matcher: Matcher; fault?: undefined } | { matcher?: undefined; fault: string };

/**
 * Compiles an expression of JavaScript. Two things of RE2, which Loki's users write, are translated: flags at the start,
 * and (?P<name>…). A fault is a part of a sentence.
 */
export function compile(expression: string, now: () => number = () => performance.now()): Compiled {
  if (expression.length > SOURCE_CHARS_MAX) {
    return { fault: `the regular expression is longer than ${SOURCE_CHARS_MAX} characters` };
  }
  const [leading = '', flags = ''] = /^\(\?([a-zA-Z]+)\)/.exec(expression) ?? [];
  const source = expression.slice(leading.length).replaceAll('(?P<', '(?<');
  if (/[^ims]/.test(flags)) {
    return { fault: `the flags ${leading} are not known to browsers; i, m and s are` };
  }
  let regex: RegExp;
  try {
    regex = new RegExp(source, [...new Set(flags)].join(''));
  } catch (error) {
    return { fault: `the regular expression has a fault: ${reason(error)}` };
  }
  const shape = shapeOf(source, regex.flags);
  if (shape.ambiguous) {
    return {
      fault:
        'the regular expression repeats what can match the same text in several ways, as (a+)+ does, ' +
        'and could hold up the browser for ever; let each repetition end with a character that cannot be in it',
    };
  }
  const hasGroup = (new RegExp(`${source}|`).exec('')?.length ?? 0) > 1;
  const group = hasGroup ? 1 : 0;
  return {
    matcher: {
      find: (text) => search(regex, text.slice(0, LINE_CHARS_MAX), shape.repetitions, now)?.[group] || null,
      test: (text) => regex.test(text.slice(0, LINE_CHARS_MAX)),
    },
  };
}

/** What an expression of RE2 has that a browser reads as something else, in a sentence. */
export function foreignSyntax(expression: string): string | undefined {
  const found = /\\[AzQEC]|\\[pP][{A-Z]|\[\[:\^?\w+:\]/.exec(expression)?.[0];
  return found && `${found} has another meaning in browsers, which run the regular expression.`;
}

/**
 * Runs an expression whose time can grow with a high power of the length on the beginning of the text first, and on more of
 * it only while that is quick.
 */
function search(regex: RegExp, text: string, repetitions: number, now: () => number): RegExpExecArray | null {
  if (repetitions > 1) {
    const growth = PROBE_GROWTH ** (1 / (repetitions + 1));
    for (let length = PROBE_CHARS_MIN; length < text.length; length *= growth) {
      const begin = now();
      regex.exec(text.slice(0, length));
      if (now() - begin > PROBE_MS_MAX) {
        throw new SlowMatchError();
      }
    }
  }
  return regex.exec(text);
}

/** The browser's words without the expression, which stands beside them. */
function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^Invalid regular expression: /, '').replace(/^\/.*\/\w*: /s, '');
}
