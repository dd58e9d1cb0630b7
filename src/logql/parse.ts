/**
 * LogQL text as a tree: the one place that knows the grammar package. It masks what the grammar does not know (dashboard
 * variables, an offset behind a range) with text of the same length, so that every position in a tree is a position in the text.
 */
import { LogExpr, MetricExpr, PipelineExpr, parser, Selector } from '@grafana/lezer-logql';
import type { SyntaxNode, Tree } from '@lezer/common';

export interface Span {
  from: number;
  to: number;
}

/** One piece of LogQL text. A string token includes its quotes. */
export interface Token extends Span {
  kind: 'code' | 'string' | 'comment';
}

export interface SyntaxProblem extends Span {
  message: string;
}

/** $name, ${name}, ${name.field:format} and [[name:format]], the spellings that Grafana replaces. */
export const VARIABLE = /\$\{[^}]+\}|\$\w+|\[\[\w+(?::\w+)?\]\]/g;

const TOKEN = /"(?:[^"\\\n]|\\.)*"?|`[^`]*`?|#[^\n]*|[^"`#]+/g;

/** Splits text into strings, comments and code. An unclosed string reaches to the end of its line, or of the text. */
export function tokenize(text: string): Token[] {
  return Array.from(text.matchAll(TOKEN), (match) => {
    const first = match[0][0];
    const kind = first === '#' ? 'comment' : first === '"' || first === '`' ? 'string' : 'code';
    return { kind, from: match.index, to: match.index + match[0].length };
  });
}

/** The text with variables outside of strings replaced by something of equal length that can stand there. */
export function maskVariables(text: string): string {
  return mapCode(text, (piece) =>
    piece.replace(VARIABLE, (variable, offset: number) => {
      return placeholder(piece.slice(0, offset), piece.slice(offset + variable.length), variable.length);
    })
  );
}

function mapCode(text: string, change: (piece: string) => string): string {
  return tokenize(text)
    .map(({ kind, from, to }) => (kind === 'code' ? change(text.slice(from, to)) : text.slice(from, to)))
    .join('');
}

/** The text with variables and range offsets replaced by something of equal length that the grammar accepts. */
function mask(text: string): string {
  return mapCode(maskVariables(text), (piece) =>
    piece.replace(
      /(\])(\s+offset\s+-?\w+)/g,
      (_, bracket: string, offset: string) => bracket + ' '.repeat(offset.length)
    )
  );
}

/** What can stand where a variable stands: a duration in brackets, a number behind a comparison, else a name. */
function placeholder(before: string, after: string, length: number): string {
  if (/\[\s*$/.test(before) || /\boffset\s+-?$/.test(before)) {
    // Behind the variable may stand the unit: [${minutes}m].
    return /^[a-z]/.test(after) ? '1'.padStart(length, '0') : '1s'.padStart(length, '0');
  }
  if (
    /([<>]=?|==|[-+*/%^(])\s*$/.test(before) &&
    !/\b(by|without|on|ignoring|group_left|group_right)\s*\(\s*$/.test(before)
  ) {
    return '1'.repeat(length);
  }
  return 'v'.repeat(length);
}

let last: { text: string; tree: Tree } | undefined;

/** The tree of a text. The last one is kept, because one keystroke asks for the same tree several times. */
export function parse(text: string): Tree {
  if (last?.text !== text) {
    last = { text, tree: parser.parse(mask(text)) };
  }
  return last.tree;
}

/** Every node of a type below a node, in the order of the text. */
export function findAll(node: SyntaxNode, type: number): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  node.cursor().iterate((child) => {
    if (child.type.id === type) {
      found.push(child.node);
    }
  });
  return found;
}

/** The {…} parts of a text, in its order. */
export function findSelectors(text: string): SyntaxNode[] {
  return findAll(parse(text).topNode, Selector);
}

/** The outermost pipeline that belongs to a selector. */
export function pipelineOf(selector: SyntaxNode): SyntaxNode | null {
  return selector.parent?.getChild(PipelineExpr) ?? null;
}

export function isMetricQuery(text: string): boolean {
  return findAll(parse(text).topNode, MetricExpr).length > 0;
}

export function isLogsQuery(text: string): boolean {
  return !isMetricQuery(text) && findAll(parse(text).topNode, LogExpr).length > 0;
}

export function isBlank(text: string): boolean {
  return tokenize(text).every(({ kind, from, to }) => kind === 'comment' || text.slice(from, to).trim() === '');
}

/** A LogQL string literal. JSON's escapes are a subset of Go's, which LogQL follows. */
export function quote(value: string): string {
  return JSON.stringify(value);
}

const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/gs;
const ESCAPED: Record<string, string> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

/** The text that a string literal means. */
export function unquote(literal: string): string {
  if (literal.startsWith('`')) {
    return literal.slice(1, literal.endsWith('`') && literal.length > 1 ? -1 : undefined);
  }
  return literal.slice(1, -1).replace(ESCAPE, (_, hex, short, long, octal, char: string) => {
    if (char !== undefined) {
      return ESCAPED[char] ?? char;
    }
    const code = octal ? parseInt(octal, 8) : parseInt(hex ?? short ?? long, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
  });
}

/** Where a text stops being LogQL, and what a person can do about it. Empty text has no problem yet. */
export function findProblems(text: string): SyntaxProblem[] {
  const problems: SyntaxProblem[] = [];
  if (isBlank(text)) {
    return problems;
  }
  parse(text)
    .cursor()
    .iterate((cursor) => {
      // Errors inside an error, and errors that follow one without a gap, are the same mistake.
      const previous = problems[problems.length - 1];
      if (!cursor.type.isError || (previous && text.slice(previous.to, cursor.from).trim() === '')) {
        return !cursor.type.isError;
      }
      const span = { from: cursor.from, to: cursor.to };
      problems.push({ ...span, message: describeProblem(text, cursor.node, span) });
      return false;
    });
  return problems;
}

function describeProblem(text: string, node: SyntaxNode, { from, to }: Span): string {
  const line = text.slice(0, from).split('\n').length;
  const column = from - text.lastIndexOf('\n', from - 1);
  const found = text.slice(from, to).trim() || /^\s*(\w+|\S)/.exec(text.slice(to))?.[1];
  const unexpected = found ? `unexpected ${found}` : 'unexpected end of the query';
  const advice = adviceFor(text, node, found);
  return `Line ${line}, column ${column}: ${unexpected}${advice ? `: ${advice}` : ''}`;
}

function adviceFor(text: string, node: SyntaxNode, found: string | undefined): string | undefined {
  switch (node.parent?.name) {
    case 'LineFilter':
    case 'LineFilters':
    case 'Matcher':
      return found ? 'put the text in quotes' : 'a quoted text is missing here';
    case 'Selector':
      return node.parent.getChild('Matchers')
        ? 'close the selector with }'
        : 'name at least one label, such as {app="api"}';
    case 'LogQL':
      return /^\s*\{/.test(text) ? undefined : 'a query starts with a selector, such as {app="api"}';
    case 'Range':
      return 'give a duration, such as [5m]';
    default:
      return undefined;
  }
}
