/** The labels that the stages of a query make, read from its text, which may be half typed. */
import { tokenize, unquote } from './parse';
import { STAGE_NAMES } from './words';

/** One stage as written: its name and what follows, strings included. */
interface WrittenStage {
  name: string;
  rest: string;
}

/** Splits a pipeline at the bars between stages; those of line filters and inside of strings are none. */
export function writtenStages(pipeline: string): WrittenStage[] {
  const parts: string[] = [''];
  for (const { kind, from, to } of tokenize(pipeline)) {
    const piece = kind === 'comment' ? ' ' : pipeline.slice(from, to);
    const [first, ...more] = kind === 'code' ? piece.split(/\|(?![=~>])/) : [piece];
    parts[parts.length - 1] += first;
    parts.push(...more);
  }
  return parts.slice(1).flatMap((part) => {
    const match = /^\s*(\w+)(.*)$/s.exec(part);
    return match ? { name: match[1].toLowerCase(), rest: match[2] } : [];
  });
}

/** The names of labels that a pipeline makes by name. What `json` and `logfmt` find on their own is not known here. */
export function madeLabels(pipeline: string): string[] {
  const names = writtenStages(pipeline).flatMap(({ name, rest }) => {
    const literal = /^\s*("(?:[^"\\\n]|\\.)*"|`[^`]*`)/.exec(rest)?.[1];
    switch (name) {
      case 'json':
      case 'logfmt':
        return listed(rest, /^([a-zA-Z_\u0080-\uffff][\w\u0080-\uffff]*)\s*(?:=|$)/);
      case 'label_format':
        return listed(rest, /^([a-zA-Z_\u0080-\uffff][\w\u0080-\uffff]*)\s*=/);
      case 'regexp':
        return Array.from((literal ? unquote(literal) : '').matchAll(/\(\?P?<(\w+)>/g), (match) => match[1]);
      case 'pattern':
        return Array.from((literal ? unquote(literal) : '').matchAll(/<([a-zA-Z]\w*|_\w+)>/g), (match) => match[1]);
      default:
        return [];
    }
  });
  return Array.from(new Set(names)).filter((name) => !STAGE_NAMES.has(name));
}

/** The names at the beginning of each part of a list with commas; commas inside of strings part nothing. */
function listed(list: string, name: RegExp): string[] {
  const blanked = tokenize(list)
    .map(({ kind, from, to }) => (kind === 'string' ? '"'.repeat(to - from) : list.slice(from, to)))
    .join('');
  return blanked
    .replace(/--[\w-]+/g, '')
    .split(',')
    .flatMap((part) => name.exec(part.trim())?.[1] ?? []);
}
