/**
 * The picker's view of a query: the label matchers of a selector, read from the text and written back to it. Every edit touches
 * only the matcher that it names, so pipelines, comments, spacing and half-typed text stay as they are.
 */
import { LineComment, Matcher } from '@grafana/lezer-logql';
import type { SyntaxNode } from '@lezer/common';
import { findAll, findSelectors, isBlank, quote, type Span, tokenize, unquote } from './parse';

export const MATCH_OPERATORS = ['=', '!=', '=~', '!~'] as const;
export type MatchOperator = (typeof MATCH_OPERATORS)[number];

export interface LabelMatcher {
  name: string;
  op: MatchOperator;
  /** What is compared: the text for = and !=, the regular expression for =~ and !~. */
  value: string;
}

/** A matcher and where it stands, as a whole and piece by piece. */
export interface PlacedMatcher extends LabelMatcher, Span {
  pieces: { name: Span; op: Span; value: Span };
}

/** One of the alternatives of a matcher's value: a plain text, or a piece of regular expression that only a person can read. */
export interface Alternative {
  text: string;
  literal: boolean;
}

export function isMatchOperator(text: string): text is MatchOperator {
  return MATCH_OPERATORS.some((op) => op === text);
}

export function isRegexOperator(op: MatchOperator): boolean {
  return op === '=~' || op === '!~';
}

/** Reads a node of type Matcher; a half-typed one is null. */
export function readMatcher(text: string, node: SyntaxNode): PlacedMatcher | null {
  const parts: Span[] = [];
  for (let child = node.firstChild; child; child = child.nextSibling) {
    if (!child.type.isError && child.type.id !== LineComment) {
      parts.push({ from: child.from, to: child.to });
    }
  }
  const [name, op, literal] = parts.map(({ from, to }) => text.slice(from, to));
  if (parts.length !== 3 || !isMatchOperator(op)) {
    return null;
  }
  const pieces = { name: parts[0], op: parts[1], value: parts[2] };
  return { name, op, value: unquote(literal), from: node.from, to: node.to, pieces };
}

function matchersOf(text: string, selector: SyntaxNode): PlacedMatcher[] {
  return findAll(selector, Matcher).flatMap((node) => readMatcher(text, node) ?? []);
}

/** The matchers of every selector of a query. */
export function readSelectors(text: string): PlacedMatcher[][] {
  return findSelectors(text).map((selector) => matchersOf(text, selector));
}

/** The matchers of the first selector: the rows of the picker. */
export function readMatchers(text: string): PlacedMatcher[] {
  return readSelectors(text)[0] ?? [];
}

export function printMatcher({ name, op, value }: LabelMatcher): string {
  return `${name}${op}${quote(value)}`;
}

export function printSelector(matchers: readonly LabelMatcher[]): string {
  return `{${matchers.map(printMatcher).join(', ')}}`;
}

/** Whether a selector may be asked for on its own: the store refuses one that every stream without labels would match. */
export function isSelective(matchers: readonly LabelMatcher[]): boolean {
  return matchers.some(({ op, value }) => (op === '=' && value !== '') || (op === '=~' && !matchesEmpty(value)));
}

function matchesEmpty(regex: string): boolean {
  try {
    return new RegExp(`^(?:${regex})$`).test('');
  } catch {
    return true; // RE2 syntax that this engine does not know: the careful answer.
  }
}

export function sameMatcher(a: LabelMatcher, b: LabelMatcher): boolean {
  return a.name === b.name && a.op === b.op && a.value === b.value;
}

/** Replaces a piece of text. */
export function splice(text: string, { from, to }: Span, insert: string): string {
  return text.slice(0, from) + insert + text.slice(to);
}

/** A text as a string literal with the quotes that another literal has, as far as they can hold it. */
export function quoteLike(literal: string, value: string): string {
  return literal.startsWith('`') && !/[`\r]/.test(value) ? `\`${value}\`` : quote(value);
}

/** The text with comments blanked and strings filled, so that each comma in it is one, at the same places. */
function codeOf(text: string): string {
  const fill = { code: undefined, string: '"', comment: ' ' };
  return tokenize(text)
    .map(({ kind, from, to }) => fill[kind]?.repeat(to - from) ?? text.slice(from, to))
    .join('');
}

/** Removes a piece of text, but no comment in it. */
export function cut(text: string, { from, to }: Span): string {
  const comments = tokenize(text).filter((token) => token.kind === 'comment' && token.from >= from && token.to <= to);
  return splice(text, { from, to }, comments.map((comment) => ` ${text.slice(comment.from, comment.to)}\n`).join(''));
}

/** Adds a matcher to the n-th selector, or starts a selector in a text that has none. */
export function addMatcher(text: string, matcher: LabelMatcher, selectorIndex = 0): string {
  const selector = findSelectors(text)[selectorIndex];
  if (!selector) {
    return startSelector(text, printSelector([matcher]));
  }
  const matchers = matchersOf(text, selector);
  const last = matchers[matchers.length - 1];
  if (last) {
    return splice(text, { from: last.to, to: last.to }, `, ${printMatcher(matcher)}`);
  }
  const from = selector.from + 1;
  const halfTyped = !/^\s*(}|$)/.test(codeOf(text).slice(from));
  return splice(text, { from, to: from }, `${printMatcher(matcher)}${halfTyped ? ', ' : ''}`);
}

function startSelector(text: string, selector: string): string {
  if (text.trim() === '') {
    return selector;
  }
  if (isBlank(text)) {
    return `${text}${text.endsWith('\n') ? '' : '\n'}${selector}`; // Behind a comment only the next line is free.
  }
  return `${selector}${/^\s/.test(text) ? '' : ' '}${text}`;
}

/** Changes the n-th matcher of the first selector, and of it just the pieces that differ. */
export function setMatcher(text: string, index: number, matcher: LabelMatcher): string {
  const old = readMatchers(text)[index];
  if (!old) {
    return text;
  }
  const { name, op, value } = old.pieces;
  const changes = [
    {
      span: value,
      insert: quoteLike(text.slice(value.from, value.to), matcher.value),
      differs: old.value !== matcher.value,
    },
    { span: op, insert: matcher.op, differs: old.op !== matcher.op },
    { span: name, insert: matcher.name, differs: old.name !== matcher.name },
  ];
  return changes.reduce((result, { span, insert, differs }) => (differs ? splice(result, span, insert) : result), text);
}

/** Removes the n-th matcher of a selector with its comma. A query that was only this matcher becomes empty. */
export function removeMatcher(text: string, index: number, selectorIndex = 0): string {
  const old = readSelectors(text)[selectorIndex]?.[index];
  if (!old) {
    return text;
  }
  const code = codeOf(text);
  // The comma before it is the one that adding it wrote.
  const before = /,\s*$/.exec(code.slice(0, old.from))?.[0].length ?? 0;
  const behind = before ? 0 : (/^\s*,\s*/.exec(code.slice(old.to))?.[0].length ?? 0);
  const rest = cut(text, { from: old.from - before, to: old.to + behind });
  return /^\s*\{\s*\}\s*$/.test(rest) ? '' : rest;
}

const REGEX_META = /[\\.+*?()|[\]{}^$]/g;

/** A text as a regular expression (RE2 and JavaScript alike) that matches only it. */
export function escapeRegex(text: string): string {
  return text.replace(REGEX_META, '\\$&');
}

/** The alternatives of a regular expression: split at each | outside of groups, classes and \Q…\E. */
export function splitAlternatives(regex: string): Alternative[] {
  const pieces: string[] = [];
  let depth = 0;
  let start = 0;
  for (const match of regex.matchAll(/\\Q[\s\S]*?(?:\\E|$)|\\[\s\S]|\[\^?\]?(?:\\[\s\S]|[^\]\\])*\]|[()|]/g)) {
    if (match[0] === '(') {
      depth++;
    } else if (match[0] === ')') {
      depth--;
    } else if (match[0] === '|' && depth === 0) {
      pieces.push(regex.slice(start, match.index));
      start = match.index + 1;
    }
  }
  pieces.push(regex.slice(start));
  return pieces.map(readAlternative);
}

function readAlternative(piece: string): Alternative {
  // A backslash before a letter or digit is a class (\d) or an anchor, before anything else it is that character itself.
  const text = piece.replace(/\\([^a-zA-Z0-9\s])/g, '$1');
  const literal = piece.replace(/\\[^a-zA-Z0-9\s]/g, '').search(REGEX_META) === -1;
  return { text: literal ? text : piece, literal };
}

/** The values that a matcher names. */
export function readAlternatives({ op, value }: LabelMatcher): Alternative[] {
  return isRegexOperator(op) ? splitAlternatives(value) : [{ text: value, literal: true }];
}

/**
 * The matcher that names these values. Several values need a regular expression, so = becomes =~ and != becomes !~; back at one
 * plain value, the operator that the person meant returns.
 */
export function withAlternatives(matcher: LabelMatcher, alternatives: readonly Alternative[]): LabelMatcher {
  const plain = alternatives.length === 1 && alternatives[0].literal;
  const before = isRegexOperator(matcher.op) ? splitAlternatives(matcher.value).length : 1;
  let op = matcher.op;
  if (plain && before > 1) {
    op = op === '=~' ? '=' : op === '!~' ? '!=' : op;
  } else if (!plain) {
    op = op === '=' ? '=~' : op === '!=' ? '!~' : op;
  }
  const value = isRegexOperator(op)
    ? alternatives.map(({ text, literal }) => (literal ? escapeRegex(text) : text)).join('|')
    : (alternatives[0]?.text ?? '');
  return { name: matcher.name, op, value };
}

/** The matcher with another operator that names the same values, as far as that operator can. */
export function withOperator(matcher: LabelMatcher, op: MatchOperator): LabelMatcher {
  if (isRegexOperator(op) === isRegexOperator(matcher.op)) {
    return { ...matcher, op };
  }
  if (isRegexOperator(op)) {
    return { ...matcher, op, value: escapeRegex(matcher.value) };
  }
  const [first] = splitAlternatives(matcher.value);
  return { ...matcher, op, value: first.text };
}
