/** Where the cursor stands in a query. It is decided by the text alone, which is half typed as a rule. */
import { isClosedString } from './check';
import { madeLabels } from './made';
import { type Token, tokenize } from './parse';
import { isMatchOperator, type LabelMatcher, type MatchOperator, readMatchers } from './selector';
import { AGGREGATIONS, RANGE_FUNCTION_NAMES, STAGE_NAMES } from './words';

/** What is known of the lines at a place: the selector that they come from, and the labels that stages before it made. */
export interface Scope {
  matchers: LabelMatcher[];
  made: string[];
}

/** The place of the cursor. What is typed replaces the text from `from` to the cursor. */
export type Situation =
  | { at: 'nowhere' }
  | { at: 'start'; from: number }
  | { at: 'labelName'; from: number; matchers: LabelMatcher[] }
  | ({ at: 'labelValue'; from: number; name: string; op: MatchOperator; quoted: boolean } & Scope)
  | ({ at: 'label'; from: number } & Scope)
  | ({ at: 'unwrap'; from: number } & Scope)
  | { at: 'duration'; from: number }
  | { at: 'pipeline'; from: number; ranged: boolean; stage: string }
  | ({ at: 'stage'; from: number } & Scope)
  | { at: 'comparison'; from: number }
  | { at: 'join'; from: number; ranged: boolean }
  | { at: 'aggregation'; from: number }
  | { at: 'metric'; from: number; aggregation: boolean }
  | { at: 'afterRange'; from: number }
  | ({ at: 'template'; from: number } & Scope);

/** A text with the content of strings and comments blanked, so that brackets and bars can be counted. */
function blank(text: string, tokens: Token[]): string {
  const code = tokens.map(({ kind, from, to }) => (kind === 'code' ? text.slice(from, to) : '"'.repeat(to - from)));
  return code.join('').replace(/\$\{[^}]*\}|\[\[\w+(?::\w+)?\]\]/g, (variable) => 'v'.repeat(variable.length));
}

interface Bracket {
  bracket: string;
  at: number;
}

/** The brackets that are open at the end of a text, the innermost last. */
function openBrackets(code: string): Bracket[] {
  const open: Bracket[] = [];
  for (const { 0: bracket, index: at } of code.matchAll(/[{}()[\]]/g)) {
    if ('{(['.includes(bracket)) {
      open.push({ bracket, at });
    } else {
      open.pop();
    }
  }
  return open;
}

/** Everything that the text says of the cursor's place. */
interface Place {
  text: string;
  /** Blanked, up to the cursor. */
  code: string;
  /** Where the word begins that is being typed, and the code before it without the blanks at its end. */
  from: number;
  upTo: string;
  /** Whether a blank stands between that code and the word. */
  gap: boolean;
  open: Bracket[];
}

export function findSituation(text: string, cursor: number): Situation {
  const before = text.slice(0, cursor);
  const tokens = tokenize(before);
  const last = tokens[tokens.length - 1];
  if (last?.kind === 'comment') {
    return { at: 'nowhere' };
  }
  const code = blank(before, tokens);
  const open = openBrackets(code);
  if (last?.kind === 'string' && !isClosedString(before.slice(last.from))) {
    return inString({ text, code: code.slice(0, last.from), open }, before.slice(last.from), last.from);
  }
  const from = cursor - (/[\w$.]*$/.exec(code)?.[0].length ?? 0);
  const upTo = code.slice(0, from).trimEnd();
  const place: Place = { text, code, from, upTo, gap: /\s$/.test(code.slice(0, from)), open };
  const inner = open[open.length - 1];
  if (inner?.bracket === '{') {
    return /[{,]$/.test(upTo)
      ? { at: 'labelName', from, matchers: readMatchers(text.slice(inner.at)) }
      : valueSituation(text, upTo, from, false, inner.at);
  }
  if (inner?.bracket === '[') {
    return { at: 'duration', from };
  }
  if (
    inner?.bracket === '(' &&
    /\b(by|without|on|ignoring|group_left|group_right)\s*$/i.test(code.slice(0, inner.at))
  ) {
    return { at: 'label', from, ...groupingScope(text, cursor) };
  }
  return currentStage(place) === undefined ? outsidePipeline(place) : inPipeline(place);
}

function inString({ text, code, open }: Pick<Place, 'text' | 'code' | 'open'>, literal: string, at: number): Situation {
  const inner = open[open.length - 1];
  if (inner?.bracket === '{') {
    return valueSituation(text, code, at + 1, true, inner.at);
  }
  const stage = stageIn(code);
  if (stage === undefined) {
    return { at: 'nowhere' };
  }
  if (/^\s*(line_format|label_format)\b/i.test(stage)) {
    const action = /\{\{(?:(?!\}\}).)*$/s.exec(literal);
    const word = /[\w.]*$/.exec(literal)?.[0] ?? '';
    // In quotes of the template's own, such as {{ printf "…, a text is written.
    const quotes = (action?.[0].match(/\\?"|`/g) ?? []).length;
    return action && quotes % 2 === 0
      ? { at: 'template', from: at + literal.length - word.length, ...scopeAt(text, at) }
      : { at: 'nowhere' };
  }
  return valueSituation(text, code, at + 1, true);
}

/** A value that a label is compared with. In a selector the labels beside it narrow the values, behind it all of them do. */
function valueSituation(text: string, code: string, from: number, quoted: boolean, selector?: number): Situation {
  const match = /([a-zA-Z_\u0080-\uffff][\w\u0080-\uffff]*)\s*(=~|!~|!=|=)\s*$/.exec(code);
  if (!match || !isMatchOperator(match[2])) {
    return { at: 'nowhere' };
  }
  const name = match[1];
  const scope =
    selector === undefined ? scopeAt(text, from) : { matchers: readMatchers(text.slice(selector)), made: [] };
  const matchers = selector === undefined ? scope.matchers : scope.matchers.filter((matcher) => matcher.name !== name);
  return { at: 'labelValue', from, name, op: match[2], quoted, matchers, made: scope.made };
}

/** Where the selector begins that the lines at a place come from: the last one before it. */
function selectorBefore(code: string): number | undefined {
  const at = code.lastIndexOf('{');
  return at < 0 ? undefined : at;
}

function scopeAt(text: string, cursor: number): Scope {
  const before = text.slice(0, cursor);
  const code = blank(before, tokenize(before));
  const selector = selectorBefore(code);
  if (selector === undefined) {
    return { matchers: [], made: [] };
  }
  const end = code.indexOf('}', selector);
  // The stage that is being typed makes its labels only when it is done.
  const pipeline = end < 0 ? '' : before.slice(end + 1).replace(/\|[^|]*$/, '');
  return { matchers: readMatchers(text.slice(selector)), made: madeLabels(pipeline) };
}

/** The lines that a grouping is about: those of the expression behind it, as in sum by (…) (…), or else before it. */
function groupingScope(text: string, cursor: number): Scope {
  const code = blank(text, tokenize(text));
  const rest = code.slice(cursor);
  const next = /^[^()]*\)\s*\(/.test(rest) ? code.indexOf('{', cursor) : -1;
  const selector = next >= 0 ? next : (selectorBefore(code.slice(0, cursor)) ?? code.indexOf('{'));
  if (selector < 0) {
    return { matchers: [], made: [] };
  }
  const end = code.indexOf('}', selector);
  const pipelineEnd = code.slice(end).search(/[[)]/);
  const pipeline = end < 0 ? '' : text.slice(end + 1, pipelineEnd < 0 ? undefined : end + pipelineEnd);
  return { matchers: readMatchers(text.slice(selector)), made: madeLabels(pipeline) };
}

/** The text of the stage at the end of a piece of code: what follows the last bar behind the selector. */
function stageIn(code: string): string | undefined {
  const behind = code.slice(code.lastIndexOf('}') + 1);
  if (!code.includes('}') || behind.includes(']') || closesMore(behind)) {
    return undefined; // The lines were counted; this is behind that.
  }
  return /(?:^|\|(?![=~>]))((?:(?!\|(?![=~>])).)*)$/s.exec(behind)?.[1];
}

/** Whether more parentheses are closed than opened somewhere in a piece of code. */
function closesMore(code: string): boolean {
  let depth = 0;
  return Array.from(code).some((char) => {
    depth += char === '(' ? 1 : char === ')' ? -1 : 0;
    return depth < 0;
  });
}

function currentStage({ upTo }: Place): string | undefined {
  return stageIn(upTo);
}

/** Whether a range aggregation waits for its window: [5m]. */
function isRanged({ code, open }: Place): boolean {
  return open.some(({ bracket, at }) => {
    return bracket === '(' && RANGE_FUNCTION_NAMES.has(/(\w+)\s*$/.exec(code.slice(0, at))?.[1].toLowerCase() ?? '');
  });
}

function inPipeline(place: Place): Situation {
  const { text, upTo, from, gap } = place;
  const stage = (currentStage(place) ?? '').trimStart();
  const name = /^\w+/.exec(stage)?.[0].toLowerCase() ?? '';
  const ranged = isRanged(place);
  if (upTo.endsWith('|')) {
    return { at: 'stage', from, ...scopeAt(text, from) };
  }
  if (name === 'unwrap') {
    return unwrapSituation(place, stage);
  }
  if (
    /^(keep|drop|distinct|label_format)$/.test(name) &&
    /(^\w+|,|[^=!<>~]=)$/.test(stage) &&
    (gap || /[,=]$/.test(stage))
  ) {
    return { at: 'label', from, ...scopeAt(text, from) };
  }
  if (STAGE_NAMES.has(name) || !/^[\w(]/.test(stage)) {
    // Behind a finished stage comes the next; in the middle of a word nothing is sure.
    return gap && /[}"\w)]$/.test(upTo) ? { at: 'pipeline', from, ranged, stage: name } : { at: 'nowhere' };
  }
  return filterSituation(place, stage, ranged);
}

function unwrapSituation({ text, from, gap }: Place, stage: string): Situation {
  if (/^unwrap$/i.test(stage) && gap) {
    return { at: 'unwrap', from, ...scopeAt(text, from) };
  }
  if (/^unwrap\s+\w+\s*\($/i.test(stage)) {
    return { at: 'label', from, ...scopeAt(text, from) };
  }
  return gap && /^unwrap\s+(\w+|\w+\s*\(\s*\w+\s*\))$/i.test(stage)
    ? { at: 'join', from, ranged: true }
    : { at: 'nowhere' };
}

/** In a label filter: | status >= 500 and … */
function filterSituation({ text, upTo, from, gap }: Place, stage: string, ranged: boolean): Situation {
  if (/(\b(and|or)|[,(])$/i.test(stage)) {
    return { at: 'label', from, ...scopeAt(text, from) };
  }
  if (/(=~|!~|!=|[^=!<>]=)$/.test(stage)) {
    return valueSituation(text, upTo, from, false);
  }
  if (gap && /(^|\b(and|or)\s+|[,(]\s*)[a-zA-Z_\u0080-\uffff][\w\u0080-\uffff]*$/i.test(stage)) {
    return { at: 'comparison', from };
  }
  return gap && /["\w)]$/.test(stage) ? { at: 'join', from, ranged } : { at: 'nowhere' };
}

function outsidePipeline({ code, upTo, from, gap }: Place): Situation {
  if (/(^|[(+\-*/%^,]|\b(and|or|unless|bool)|[^|=!]=|[<>])$/i.test(upTo)) {
    return { at: 'start', from };
  }
  if (!gap) {
    return { at: 'nowhere' };
  }
  if (upTo.endsWith(']')) {
    return { at: 'afterRange', from };
  }
  if (AGGREGATIONS.has(/(\w+)$/.exec(upTo)?.[1].toLowerCase() ?? '')) {
    return { at: 'aggregation', from };
  }
  return upTo.endsWith(')')
    ? { at: 'metric', from, aggregation: closesAggregation(code.slice(0, upTo.length)) }
    : { at: 'nowhere' };
}

/** Whether the parenthesis at the end closes an aggregation that has no grouping yet. */
function closesAggregation(code: string): boolean {
  const open = openBrackets(code.slice(0, -1));
  const name = /(\w+)\s*$/.exec(code.slice(0, open[open.length - 1]?.at ?? 0))?.[1];
  return AGGREGATIONS.has(name?.toLowerCase() ?? '');
}
