/** What can be typed at a place in a query. Where the cursor stands is decided by the text alone; names and values are asked for. */
import { FUNCTIONS } from '@grafana/lezer-logql';
import { quote, type Token, tokenize } from './parse';
import {
  escapeRegex,
  isMatchOperator,
  isRegexOperator,
  type LabelMatcher,
  type MatchOperator,
  readMatchers,
} from './selector';

/** The place of the cursor. What is typed replaces the text from `from` to the cursor. */
export type Situation =
  | { at: 'nowhere' }
  | { at: 'start'; from: number }
  | { at: 'labelName'; from: number; matchers: LabelMatcher[] }
  | { at: 'labelValue'; from: number; name: string; op: MatchOperator; quoted: boolean; matchers: LabelMatcher[] }
  | { at: 'grouping'; from: number; matchers: LabelMatcher[] }
  | { at: 'duration'; from: number }
  | { at: 'pipeline'; from: number }
  | { at: 'stage'; from: number; matchers: LabelMatcher[] };

export interface Completion {
  label: string;
  insert: string;
  kind: 'label' | 'value' | 'function' | 'operator' | 'keyword' | 'duration';
  detail?: string;
  /** `insert` says with $0 where the cursor goes. */
  snippet?: boolean;
  /** The next thing to type has completions of its own. */
  goOn?: boolean;
}

/** Asks the store. `matchers` narrow what it answers. */
export interface LabelSource {
  labelNames(matchers: readonly LabelMatcher[]): Promise<string[]>;
  labelValues(name: string, matchers: readonly LabelMatcher[]): Promise<string[]>;
}

const DURATIONS = ['$__auto', '$__interval', '$__range', '1m', '5m', '10m', '30m', '1h', '1d'];

const LINE_FILTERS: Completion[] = [
  { label: '|=', insert: '|= "$0"', snippet: true, kind: 'operator', detail: 'line contains' },
  { label: '!=', insert: '!= "$0"', snippet: true, kind: 'operator', detail: 'line does not contain' },
  { label: '|~', insert: '|~ "$0"', snippet: true, kind: 'operator', detail: 'line matches a regular expression' },
  {
    label: '!~',
    insert: '!~ "$0"',
    snippet: true,
    kind: 'operator',
    detail: 'line does not match a regular expression',
  },
  { label: '|>', insert: '|> "$0"', snippet: true, kind: 'operator', detail: 'line has the shape of a pattern' },
  {
    label: '!>',
    insert: '!> "$0"',
    snippet: true,
    kind: 'operator',
    detail: 'line does not have the shape of a pattern',
  },
];

const STAGES: Completion[] = [
  ['json', 'json', 'labels from a JSON line'],
  ['logfmt', 'logfmt', 'labels from key=value pairs'],
  ['pattern', 'pattern "$0"', 'labels from the shape of a line'],
  ['regexp', 'regexp "$0"', 'labels from a regular expression'],
  ['unpack', 'unpack', 'labels from a packed line'],
  ['line_format', 'line_format "{{.$0}}"', 'rewrite the line'],
  ['label_format', 'label_format $0=', 'rename or compute a label'],
  ['decolorize', 'decolorize', 'remove terminal colours'],
  ['drop', 'drop ', 'forget labels'],
  ['keep', 'keep ', 'keep only these labels'],
  ['distinct', 'distinct ', 'the first line for each value of labels'],
  ['unwrap', 'unwrap ', 'take a label as the number to compute with'],
].map(([label, insert, detail]) => ({ label, insert, detail, kind: 'keyword', snippet: insert.includes('$0') }));

/** The text before the cursor with the content of strings and comments blanked, so that brackets can be counted. */
function blankStrings(text: string, tokens: Token[]): string {
  return tokens.map(({ kind, from, to }) => (kind === 'code' ? text.slice(from, to) : '"'.repeat(to - from))).join('');
}

/** The innermost bracket that is open at the end of a text. */
function openBracket(code: string): { bracket: string; at: number } | undefined {
  const open: Array<{ bracket: string; at: number }> = [];
  for (const { 0: bracket, index: at } of code.matchAll(/[{}()[\]]/g)) {
    if ('{(['.includes(bracket)) {
      open.push({ bracket, at });
    } else {
      open.pop();
    }
  }
  return open[open.length - 1];
}

export function findSituation(text: string, cursor: number): Situation {
  const before = text.slice(0, cursor);
  const tokens = tokenize(before);
  const last = tokens[tokens.length - 1];
  if (last?.kind === 'comment') {
    return { at: 'nowhere' };
  }
  const code = blankStrings(before, tokens);
  const open = openBracket(code);
  if (last?.kind === 'string' && isOpenString(before.slice(last.from))) {
    return open?.bracket === '{'
      ? valueSituation(text, code.slice(0, last.from), last.from + 1, true)
      : { at: 'nowhere' };
  }
  const from = cursor - (/[\w$.]*$/.exec(code)?.[0].length ?? 0);
  const upTo = code.slice(0, from).trimEnd();
  if (open?.bracket === '{') {
    return upTo.endsWith('{') || upTo.endsWith(',')
      ? { at: 'labelName', from, matchers: readMatchers(text) }
      : valueSituation(text, upTo, from, false);
  }
  if (open?.bracket === '[') {
    return { at: 'duration', from };
  }
  if (open?.bracket === '(' && /\b(by|without)\s*$/.test(code.slice(0, open.at))) {
    return { at: 'grouping', from, matchers: readMatchers(text) };
  }
  return outsideBrackets(text, code, upTo, from);
}

function outsideBrackets(text: string, code: string, upTo: string, from: number): Situation {
  if (/(^|[(+\-*/%^,]|\b(and|or|unless|bool)|[^|=!]=|[<>])$/.test(upTo)) {
    return { at: 'start', from };
  }
  if (upTo.endsWith('|')) {
    return { at: 'stage', from, matchers: readMatchers(text) };
  }
  // Behind a selector, a string, or a finished word comes the next stage; in the middle of a word nothing is sure.
  return /[}"\w)]$/.test(upTo) && upTo.includes('}') && /\s$/.test(code.slice(0, from)) && code.length === from
    ? { at: 'pipeline', from }
    : { at: 'nowhere' };
}

function isOpenString(literal: string): boolean {
  const closed = literal.startsWith('`') ? /^`[^`]*`$/ : /^"(?:[^"\\\n]|\\.)*"$/;
  return !closed.test(literal);
}

function valueSituation(text: string, code: string, from: number, quoted: boolean): Situation {
  const match = /([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*$/.exec(code);
  if (!match || !isMatchOperator(match[2])) {
    return { at: 'nowhere' };
  }
  const name = match[1];
  const matchers = readMatchers(text).filter((matcher) => matcher.name !== name);
  return { at: 'labelValue', from, name, op: match[2], quoted, matchers };
}

export async function complete(situation: Situation, source: LabelSource): Promise<Completion[]> {
  switch (situation.at) {
    case 'labelName': {
      const taken = new Set(situation.matchers.map(({ name }) => name));
      const names = await source.labelNames(situation.matchers);
      return names
        .filter((name) => !taken.has(name))
        .map((name) => ({ label: name, insert: `${name}=`, kind: 'label', goOn: true }));
    }
    case 'labelValue':
      return (await source.labelValues(situation.name, situation.matchers)).map((value) =>
        valueCompletion(value, situation)
      );
    case 'grouping':
      return labels(['detected_level', ...(await source.labelNames(situation.matchers))]);
    case 'stage':
      return [...STAGES, ...labels(['detected_level', ...(await source.labelNames(situation.matchers))])];
    case 'pipeline':
      return [
        ...LINE_FILTERS,
        ...STAGES.map((stage) => ({ ...stage, label: `| ${stage.label}`, insert: `| ${stage.insert}` })),
      ];
    case 'duration':
      return DURATIONS.map((duration) => ({ label: duration, insert: duration, kind: 'duration' }));
    case 'start':
      return [
        { label: '{…}', insert: '{', kind: 'operator', detail: 'choose streams by their labels', goOn: true },
        ...FUNCTIONS.map(({ label, documentation }): Completion => {
          return { label, insert: label, kind: 'function', detail: documentation };
        }),
      ];
    case 'nowhere':
      return [];
  }
}

function labels(names: string[]): Completion[] {
  return Array.from(new Set(names), (name) => ({ label: name, insert: name, kind: 'label' }));
}

function valueCompletion(value: string, { op, quoted }: { op: MatchOperator; quoted: boolean }): Completion {
  const literal = quote(isRegexOperator(op) ? escapeRegex(value) : value);
  return { label: value, insert: quoted ? literal.slice(1, -1) : literal, kind: 'value' };
}
