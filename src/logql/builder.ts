/**
 * The builder's view of a query: the parts of the first selector's pipeline, and of what counts its lines, that it has fields
 * for. Each is read from the text and written back to it on its own; all else stays as it is, and is named as only in the text.
 */
import {
  BytesFilter,
  DurationFilter,
  Filter,
  Json,
  JsonExpressionParser,
  LabelFilter,
  LabelParser,
  LineComment,
  LineFilter,
  LineFilters,
  LogExpr,
  Logfmt,
  LogfmtExpressionParser,
  LogfmtParser,
  Matcher,
  MetricExpr,
  NumberFilter,
  Pattern,
  Pipe,
  UnitFilter,
} from '@grafana/lezer-logql';
import type { SyntaxNode } from '@lezer/common';
import { endOfStage, LABEL_MAKERS, stagesOf } from './modify';
import { findAll, findProblems, findSelectors, isBlank, parse, quote, type Span, tokenize, unquote } from './parse';
import { cut, isMatchOperator, quoteLike, splice } from './selector';

export const LINE_OPERATORS = ['|=', '!=', '|~', '!~'] as const;
export type LineOperator = (typeof LINE_OPERATORS)[number];

const PARSERS = [LabelParser, LogfmtParser, JsonExpressionParser, LogfmtExpressionParser];

export const WHERE_OPERATORS = ['=', '!=', '=~', '!~', '==', '>', '>=', '<', '<='] as const;
export type WhereOperator = (typeof WHERE_OPERATORS)[number];

export interface LineTest {
  op: LineOperator;
  value: string;
}

export interface LabelTest {
  name: string;
  op: WhereOperator;
  value: string;
}

export type Parser = { kind: 'none' | 'json' | 'logfmt' } | { kind: 'pattern'; pattern: string };

/** How lines are counted: not at all, over time by labels, or in a way that only the text can say. */
export type Count = { kind: 'none' | 'other' } | { kind: 'count'; by: string[] };

type Pieces = Span[];
type Placed<T> = T & Span & { pieces: Pieces };

export interface BuilderView {
  /** Why nothing can be built at the moment. */
  blocked?: 'empty' | 'unfinished';
  lines: Array<Placed<LineTest>>;
  /** Undefined when the text has a parser that the builder has no field for. */
  parser?: Parser;
  where: Array<Placed<LabelTest>>;
  count: Count;
  /** Pieces of the text that the builder does not show. */
  onlyInText: string[];
}

/** What a view is read from, and edits are made with. */
interface Reading extends BuilderView {
  selector?: SyntaxNode;
  parserStage?: SyntaxNode;
}

export function readQuery(text: string): BuilderView {
  const { blocked, lines, parser, where, count, onlyInText } = read(text);
  return { blocked, lines, parser, where, count, onlyInText };
}

function read(text: string): Reading {
  const reading: Reading = { lines: [], parser: { kind: 'none' }, where: [], count: { kind: 'none' }, onlyInText: [] };
  const selector = findSelectors(text)[0];
  if (!selector || findProblems(text).length > 0) {
    reading.blocked = isBlank(text) || /^\s*\{\s*\}/.test(text) ? 'empty' : 'unfinished';
  }
  if (!selector) {
    return reading;
  }
  reading.selector = selector;
  for (const stage of stagesOf(selector)) {
    if (!readStage(text, stage, reading)) {
      reading.onlyInText.push(text.slice(stage.from, stage.to));
    }
  }
  reading.count = readCount(text, reading);
  return reading;
}

/** Whether the builder shows a stage; of line filters it names itself those that it does not. */
function readStage(text: string, stage: SyntaxNode, reading: Reading): boolean {
  if (stage.getChild(LineFilters)) {
    for (const node of findAll(stage, LineFilter)) {
      const line = readLine(text, node);
      if (line) {
        reading.lines.push(line);
      } else {
        reading.onlyInText.push(text.slice(node.from, node.to));
      }
    }
    return true;
  }
  const parser = readParser(text, stage);
  if (parser && reading.parser?.kind === 'none') {
    reading.parser = parser;
    reading.parserStage = stage;
    return true;
  }
  if (PARSERS.some((type) => stage.getChild(type)) && !reading.parserStage) {
    reading.parser = undefined;
    return false;
  }
  const test = readWhere(text, stage);
  if (test) {
    reading.where.push(test);
  }
  return test !== undefined;
}

function piecesOf(node: SyntaxNode): SyntaxNode[] {
  const pieces: SyntaxNode[] = [];
  for (let child = node.firstChild; child; child = child.nextSibling) {
    if (child.type.id !== LineComment) {
      pieces.push(child);
    }
  }
  return pieces;
}

function spanOf({ from, to }: Span): Span {
  return { from, to };
}

function readLine(text: string, node: SyntaxNode): Placed<LineTest> | undefined {
  const pieces = piecesOf(node);
  const [op, value] = pieces.map(({ from, to }) => text.slice(from, to));
  const known = LINE_OPERATORS.find((operator) => operator === op);
  if (pieces.length !== 2 || pieces[0].type.id !== Filter || !known) {
    return undefined;
  }
  return { op: known, value: unquote(value), ...spanOf(node), pieces: pieces.map(spanOf) };
}

function readParser(text: string, stage: SyntaxNode): Parser | undefined {
  const parser = stage.getChild(LabelParser) ?? stage.getChild(LogfmtParser);
  const [first, second, ...more] = parser ? piecesOf(parser) : [];
  if (!first || more.length > 0) {
    return undefined;
  }
  if (first.type.id === Pattern && second) {
    return { kind: 'pattern', pattern: unquote(text.slice(second.from, second.to)) };
  }
  if (second) {
    return undefined;
  }
  return first.type.id === Json ? { kind: 'json' } : first.type.id === Logfmt ? { kind: 'logfmt' } : undefined;
}

function readWhere(text: string, stage: SyntaxNode): Placed<LabelTest> | undefined {
  const filter = stage.getChild(LabelFilter);
  const unit = filter?.getChild(UnitFilter);
  const leaf =
    filter?.getChild(Matcher) ??
    filter?.getChild(NumberFilter) ??
    unit?.getChild(DurationFilter) ??
    unit?.getChild(BytesFilter);
  if (!filter || !leaf || leaf.from !== filter.from || leaf.to !== filter.to) {
    return undefined;
  }
  const pieces = piecesOf(leaf);
  const [name, op, value] = pieces.map(({ from, to }) => text.slice(from, to));
  const known = WHERE_OPERATORS.find((operator) => operator === op);
  if (pieces.length !== 3 || !known) {
    return undefined;
  }
  const plain = isQuoted(value) ? unquote(value) : value;
  return { name, op: known, value: plain, ...spanOf(stage), pieces: pieces.map(spanOf) };
}

function isQuoted(literal: string): boolean {
  return /^["`]/.test(literal);
}

const COUNT_BEFORE = /^sum(?:\s+by\s*\(([\w\s,]*)\))?\s*\(\s*count_over_time\s*\(\s*$/;
const COUNT_BEHIND = /^\s*\[[^\]]*\]\s*\)\s*\)$/;

function readCount(text: string, { selector, onlyInText }: Reading): Count {
  const metric = findAll(parse(text).topNode, MetricExpr)[0];
  if (!metric || !selector) {
    return { kind: 'none' };
  }
  const before = text.slice(metric.from, selector.from);
  const behind = text.slice(endOfLines(selector), metric.to);
  const by = COUNT_BEFORE.exec(before);
  if (by && COUNT_BEHIND.test(behind)) {
    return { kind: 'count', by: (by[1] ?? '').split(',').flatMap((name) => name.trim() || []) };
  }
  onlyInText.push(`${before.trim()} … ${behind.trim()}`);
  return { kind: 'other' };
}

/** Where the part of a query ends that yields lines. */
function endOfLines(selector: SyntaxNode): number {
  const stages = stagesOf(selector);
  return stages[stages.length - 1]?.to ?? selector.to;
}

/** Changes the pieces of a part that differ. */
function setPieces(text: string, pieces: Pieces, wanted: string[]): string {
  return pieces.reduceRight((result, span, index) => splice(result, span, wanted[index]), text);
}

/** Removes a part with the blanks before it. A line that was only this part goes too, unless a comment needs its end. */
function removePart(text: string, { from, to }: Span): string {
  const before = text.slice(0, from);
  const trimmed = before.trimEnd();
  const tokens = tokenize(trimmed);
  const start = tokens[tokens.length - 1]?.kind === 'comment' ? before.replace(/[ \t]+$/, '') : trimmed;
  return cut(text, { from: start.length, to });
}

function insert(text: string, at: number, part: string): string {
  return splice(text, { from: at, to: at }, ` ${part}`);
}

/** The end of the line filters right behind the selector. */
function endOfLeadingLines(selector: SyntaxNode): number {
  const stages = stagesOf(selector);
  const next = stages.findIndex((stage) => !stage.getChild(LineFilters));
  return stages[(next < 0 ? stages.length : next) - 1]?.to ?? selector.to;
}

export function addLine(text: string, { op, value }: LineTest): string {
  const { selector } = read(text);
  return selector ? insert(text, endOfLeadingLines(selector), `${op} ${quote(value)}`) : text;
}

/** Changes the n-th line filter, or removes it. */
export function setLine(text: string, index: number, test: LineTest | undefined): string {
  const old = read(text).lines[index];
  if (!old) {
    return text;
  }
  if (!test) {
    return removePart(text, old);
  }
  const literal = text.slice(old.pieces[1].from, old.pieces[1].to);
  return setPieces(text, old.pieces, [test.op, test.value === old.value ? literal : quoteLike(literal, test.value)]);
}

function printParser(parser: Parser): string {
  return parser.kind === 'pattern' ? `pattern ${quote(parser.pattern)}` : parser.kind;
}

export function setParser(text: string, parser: Parser): string {
  const { selector, parserStage } = read(text);
  if (!selector || (parser.kind === 'none' && !parserStage)) {
    return text;
  }
  if (!parserStage) {
    return insert(text, endOfLeadingLines(selector), `| ${printParser(parser)}`);
  }
  if (parser.kind === 'none') {
    return removePart(text, parserStage);
  }
  const node = parserStage.getChild(Pipe)?.nextSibling ?? parserStage;
  return splice(text, node, printParser(parser));
}

const NUMBER = /^-?\d+(\.\d+)?$/;
const DURATION = /^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d|w|y))+$/;
const BYTES = /^\d+(\.\d+)?(B|[kKMGTPE]i?B)$/;

/** Whether the builder can write a test: names are words, and what is compared by size is a number, a duration or bytes. */
export function isWritable({ name, op, value }: LabelTest): boolean {
  if (!/^[a-zA-Z_]\w*$/.test(name)) {
    return false;
  }
  return isMatchOperator(op) || NUMBER.test(value) || DURATION.test(value) || BYTES.test(value);
}

function printWhere({ name, op, value }: LabelTest): string {
  return isMatchOperator(op) ? `${name}${op}${quote(value)}` : `${name} ${op} ${value}`;
}

/** Adds a test behind the parser and the filters that follow it, where labels of all kinds can be tested. */
export function addWhere(text: string, test: LabelTest): string {
  const { selector } = read(text);
  return selector && isWritable(test)
    ? insert(text, endOfStage(selector, LABEL_MAKERS), `| ${printWhere(test)}`)
    : text;
}

/** Changes the n-th test of a label, or removes it. */
export function setWhere(text: string, index: number, test: LabelTest | undefined): string {
  const old = read(text).where[index];
  if (!old || (test && !isWritable(test))) {
    return text;
  }
  return test ? setPieces(text, old.pieces, [test.name, test.op, literalOf(text, old, test)]) : removePart(text, old);
}

/** What is compared, as it is written: unchanged if it may stay, a number without quotes if it was one. */
function literalOf(text: string, old: Placed<LabelTest>, test: LabelTest): string {
  const literal = text.slice(old.pieces[2].from, old.pieces[2].to);
  const mayBeNumber = test.op === '!=' && !isQuoted(literal) && isWritable({ ...test, op: '>' });
  const quoted = isMatchOperator(test.op) && !mayBeNumber;
  if (quoted === isQuoted(literal) && test.value === old.value) {
    return literal;
  }
  return quoted ? quoteLike(literal, test.value) : test.value;
}

/** Counts the lines of a query over time by labels, or, with undefined, shows them. */
export function setCount(text: string, by: readonly string[] | undefined): string {
  const { selector, count } = read(text);
  if (!selector || count.kind === 'other') {
    return text;
  }
  const sum = by && by.length > 0 ? `sum by (${by.join(', ')}) ` : 'sum';
  if (count.kind === 'none') {
    const lines = findAll(parse(text).topNode, LogExpr)[0];
    return by && lines ? countLines(text, lines, sum) : text;
  }
  const metric = findAll(parse(text).topNode, MetricExpr)[0];
  if (!by) {
    const end = endOfLines(selector);
    return splice(splice(text, { from: end, to: metric.to }, ''), { from: metric.from, to: selector.from }, '');
  }
  const old = /^sum(?:\s+by\s*\([^)]*\))?\s*(?=\()/.exec(text.slice(metric.from))?.[0] ?? '';
  return splice(text, { from: metric.from, to: metric.from + old.length }, sum);
}

function countLines(text: string, { from, to }: Span, sum: string): string {
  return splice(splice(text, { from: to, to }, ' [$__auto]))'), { from, to: from }, `${sum}(count_over_time(`);
}

/** The query whose lines show which labels there are to test and count by: that of the first selector up to its parser. */
export function sampleQuery(text: string): string | undefined {
  const { selector, parserStage, blocked } = read(text);
  if (!selector || blocked) {
    return undefined;
  }
  return text.slice(selector.from, parserStage?.to ?? endOfLeadingLines(selector));
}
