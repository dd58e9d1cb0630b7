/**
 * The picker's view of a query: the label matchers of a selector, read from the text and written back to it. Every edit touches
 * only the matcher that it names, so pipelines, comments, spacing and half-typed text stay as they are.
 */
import { Matcher } from '@grafana/lezer-logql';
import type { SyntaxNode } from '@lezer/common';
import { findAll, findSelectors, isBlank, quote, type Span, unquote } from './parse';

export const MATCH_OPERATORS = ['=', '!=', '=~', '!~'] as const;
export type MatchOperator = (typeof MATCH_OPERATORS)[number];

export interface LabelMatcher {
  name: string;
  op: MatchOperator;
  /** What is compared: the text for = and !=, the regular expression for =~ and !~. */
  value: string;
}

export interface PlacedMatcher extends LabelMatcher, Span {}

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
  const parts: string[] = [];
  for (let child = node.firstChild; child; child = child.nextSibling) {
    if (!child.type.isError) {
      parts.push(text.slice(child.from, child.to));
    }
  }
  const [name, op, literal] = parts;
  if (parts.length !== 3 || !isMatchOperator(op)) {
    return null;
  }
  return { name, op, value: unquote(literal), from: node.from, to: node.to };
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

function splice(text: string, { from, to }: Span, insert: string): string {
  return text.slice(0, from) + insert + text.slice(to);
}

/** Adds a matcher to the n-th selector, or starts a selector in a text that has none. */
export function addMatcher(text: string, matcher: LabelMatcher, selectorIndex = 0): string {
  const selector = findSelectors(text)[selectorIndex];
  if (!selector) {
    return isBlank(text) ? printSelector([matcher]) : `${printSelector([matcher])} ${text.trimStart()}`;
  }
  const nodes = findAll(selector, Matcher);
  const end = nodes[nodes.length - 1]?.to;
  return end === undefined
    ? splice(text, { from: selector.from + 1, to: selector.from + 1 }, printMatcher(matcher))
    : splice(text, { from: end, to: end }, `, ${printMatcher(matcher)}`);
}

/** Replaces the n-th matcher of the first selector. */
export function setMatcher(text: string, index: number, matcher: LabelMatcher): string {
  const old = readMatchers(text)[index];
  return old ? splice(text, old, printMatcher(matcher)) : text;
}

/** Removes the n-th matcher of a selector with its comma. A query that was only this matcher becomes empty. */
export function removeMatcher(text: string, index: number, selectorIndex = 0): string {
  const old = readSelectors(text)[selectorIndex]?.[index];
  if (!old) {
    return text;
  }
  const comma = /^\s*,\s*/.exec(text.slice(old.to))?.[0].length ?? 0;
  const commaBefore = comma ? 0 : (/,\s*$/.exec(text.slice(0, old.from))?.[0].length ?? 0);
  const rest = splice(text, { from: old.from - commaBefore, to: old.to + comma }, '');
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
