/**
 * What the store's parser says of a text while it is typed. It sees placeholders of equal length where variables stand, so its
 * places are places in the text; what it says of a placeholder itself is not worth repeating.
 */
import { findProblems, maskVariables, type Span, type SyntaxProblem, tokenize, VARIABLE } from './parse';

/** The answer of the resource `check`. Lines and columns count from 1, columns in characters; the end is exclusive. */
export interface CheckAnswer {
  ok: boolean;
  error: string;
  hint: string;
  line: number;
  column: number;
  endLine: number;
  endColumn: number;
}

/** The text to ask about. */
export function checkedText(text: string): string {
  return maskVariables(text);
}

/** What is wrong with a text according to the answer about it. */
export function readProblems(text: string, answer: CheckAnswer): SyntaxProblem[] {
  if (answer.ok) {
    return [];
  }
  const from = offsetAt(text, answer.line, answer.column);
  const to = Math.max(from, offsetAt(text, answer.endLine, answer.endColumn));
  const message = answer.hint ? `${answer.error} (${answer.hint})` : answer.error;
  return isAboutVariable(text, { from, to }) ? [] : [{ from, to, message }];
}

/** Whether the text at fault has a variable in it, or one just before it that may stand for more than one word. */
function isAboutVariable(text: string, { from, to }: Span): boolean {
  const variables = Array.from(text.matchAll(VARIABLE), ({ 0: { length }, index }) => ({
    from: index,
    to: index + length,
  }));
  return variables.some((variable) => {
    const touches = variable.from < Math.max(to, from + 1) && variable.to > from;
    return touches || (variable.to <= from && text.slice(variable.to, from).trim() === '');
  });
}

function offsetAt(text: string, line: number, column: number): number {
  const lines = text.split('\n');
  const before = lines.slice(0, line - 1).reduce((sum, { length }) => sum + length + 1, 0);
  const characters = Array.from(lines[line - 1] ?? '').slice(0, column - 1);
  return Math.min(text.length, before + characters.join('').length);
}

/**
 * What is certainly wrong with a text, said before the store answers, or where it does not. The grammar package does not know
 * all of the store's language, so it is believed only where no text could be right.
 */
export function sureProblems(text: string): SyntaxProblem[] {
  const problems = findProblems(text);
  if (!isClosed(maskVariables(text))) {
    return problems.slice(-1);
  }
  return problems.filter(({ from }) => {
    const next = text.slice(from).trimStart();
    return /(\|=|\|~|\|>|!>)\s*$/.test(text.slice(0, from)) && !/^(["`$]|\[\[|ip\b)/i.test(next);
  });
}

const CLOSING: Record<string, string> = { '{': '}', '(': ')', '[': ']' };

/** Whether every string and bracket that is opened is closed, in order. */
function isClosed(text: string): boolean {
  const open: string[] = [];
  for (const { kind, from, to } of tokenize(text)) {
    const piece = text.slice(from, to);
    if (kind === 'string' && !isClosedString(piece)) {
      return false;
    }
    for (const bracket of kind === 'code' ? (piece.match(/[{}()[\]]/g) ?? []) : []) {
      if (CLOSING[bracket]) {
        open.push(CLOSING[bracket]);
      } else if (open.pop() !== bracket) {
        return false;
      }
    }
  }
  return open.length === 0;
}

/** Whether a string token has its closing quote. */
export function isClosedString(literal: string): boolean {
  return literal.startsWith('`') ? /^`[^`]*`$/.test(literal) : /^"(?:[^"\\\n]|\\.)*"$/.test(literal);
}
