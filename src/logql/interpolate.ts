/** Dashboard variables in LogQL: who replaces which, and how a value is written where it lands. */
import type { ScopedVars } from '@grafana/data';
import { quote, tokenize, unquote, VARIABLE } from './parse';
import { escapeRegex } from './selector';

/** Replaces the variables of a text; Grafana's template service has this shape. */
export type Replace = (text: string, scopedVars: ScopedVars, format: Format) => string;
export type Format = (value: unknown, variable?: { multi?: boolean; includeAll?: boolean }) => string;

/** The store replaces these itself, so that an alert rule and a panel ask the same question. */
const BACKEND_VARIABLES = [
  '__auto',
  '__interval',
  '__interval_ms',
  '__range',
  '__range_s',
  '__range_ms',
  '__rate_interval',
];

/** Variables in which those of the store stand for themselves: a dashboard offers values of its own for some of them. */
function keepBackendVariables(scopedVars: ScopedVars): ScopedVars {
  const own = BACKEND_VARIABLES.map((name) => [name, { text: `$${name}`, value: `$${name}` }]);
  return { ...scopedVars, ...Object.fromEntries(own) };
}

/**
 * Replaces the variables of a query. Inside strings a value is escaped for the kind of string; behind =~, !~ and |~ several
 * values become alternatives, each taken literally. A single value may be a regular expression that a person wrote.
 */
export function interpolate(expr: string, scopedVars: ScopedVars, replace: Replace): string {
  const variables = keepBackendVariables(scopedVars);
  let isRegex = false;
  return tokenize(expr)
    .map(({ kind, from, to }) => {
      const piece = expr.slice(from, to);
      if (kind === 'code') {
        // "or" continues the filter before it.
        isRegex = /\bor\s*$/.test(piece) ? isRegex : /(=~|!~|\|~|\bregexp)\s*$/.test(piece);
        return replace(piece, variables, formatCode);
      }
      return kind === 'string'
        ? replaceInString(piece, isRegex, (text, format) => replace(text, variables, format))
        : piece;
    })
    .join('');
}

function replaceInString(literal: string, isRegex: boolean, replace: (text: string, format: Format) => string): string {
  const content = literal.startsWith('`') ? unquote(literal) : literal.slice(1, -1);
  if (content.search(VARIABLE) === -1) {
    return literal;
  }
  const alone = new RegExp(`^(?:${VARIABLE.source})$`).test(content);
  const format: Format = (value, variable) => {
    return isRegex ? formatRegex(value, variable, alone) : list(value).join('|');
  };
  if (literal.startsWith('`')) {
    const text = content.replace(VARIABLE, (variable) => replace(variable, format));
    return text.includes('`') ? quote(text) : `\`${text}\``;
  }
  return `"${content.replace(VARIABLE, (variable) => replaceEscaped(variable, format, replace))}"`;
}

/** One variable inside double quotes. What replaces it is a text, and is escaped to mean itself there. */
function replaceEscaped(variable: string, format: Format, replace: (text: string, format: Format) => string): string {
  let formatted = false;
  const text = replace(variable, (...args) => {
    formatted = true;
    return escapeForQuotes(format(...args));
  });
  if (formatted || text === variable) {
    return text;
  }
  // Grafana wrote it: in a format that the variable names, or a custom value for All. The latter people write as it stands in
  // the query, and ${name:raw} asks for just that; both are left alone if they can stand here.
  const named = /:(?!raw\b)\w+/.test(variable);
  return named || !isLiteralContent(text) ? escapeForQuotes(text) : text;
}

function escapeForQuotes(text: string): string {
  return quote(text).slice(1, -1);
}

/** Whether a text may stand between double quotes as it is. */
function isLiteralContent(text: string): boolean {
  return /^(?:[^"\\\n]|\\(?:[abfnrtv\\"]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}))*$/.test(text);
}

function formatRegex(
  value: unknown,
  variable: { multi?: boolean; includeAll?: boolean } | undefined,
  alone: boolean
): string {
  const values = list(value);
  if (!Array.isArray(value) && !variable?.multi && !variable?.includeAll) {
    return values[0];
  }
  const alternatives = values.map(escapeRegex).join('|');
  return alone || values.length === 1 ? alternatives : `(${alternatives})`;
}

function formatCode(value: unknown): string {
  return list(value).join(', ');
}

function list(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [String(value)];
}
