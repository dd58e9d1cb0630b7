/**
 * Changes to a query that Explore asks for: label filters from the details of a row, text filters from a selection, and the
 * query behind the volume histogram.
 */
import {
  DecolorizeExpr,
  DropLabelsExpr,
  JsonExpressionParser,
  KeepLabelsExpr,
  LabelFilter,
  LabelFormatExpr,
  LabelParser,
  LineFilters,
  LineFormatExpr,
  LogfmtExpressionParser,
  LogfmtParser,
  Matcher,
  PipelineStage,
} from '@grafana/lezer-logql';
import type { SyntaxNode } from '@lezer/common';
import { findAll, findSelectors, isLogsQuery, isMetricQuery, pipelineOf, quote, type Span, tokenize } from './parse';
import {
  addMatcher,
  type LabelMatcher,
  printMatcher,
  readMatcher,
  readSelectors,
  removeMatcher,
  sameMatcher,
} from './selector';

/** Where a label of a row comes from, as the frame's labelTypes say: the stream's labels, the entry's metadata, or a parser. */
export type LabelType = 'I' | 'S' | 'P';

export const LABEL_MAKERS = [LabelParser, LogfmtParser, JsonExpressionParser, LogfmtExpressionParser, LabelFormatExpr];
const FILTERS = [LineFilters, LabelFilter];
const LINE_MAKERS = [LineFormatExpr, DecolorizeExpr];

/** The stages of a selector's pipeline, in order. Each has one child that says what it is, behind its pipe. */
export function stagesOf(selector: SyntaxNode): SyntaxNode[] {
  const pipeline = pipelineOf(selector);
  return pipeline ? findAll(pipeline, PipelineStage) : [];
}

export function isA(stage: SyntaxNode, types: number[]): boolean {
  return types.some((type) => stage.getChild(type) !== null);
}

/** The end of the last stage of these types and of the filters behind it; without one, of the filters behind the selector. */
export function endOfStage(selector: SyntaxNode, types: number[]): number {
  const stages = stagesOf(selector);
  let next = stages.reduce((found, stage, index) => (isA(stage, types) ? index + 1 : found), 0);
  while (next < stages.length && isA(stages[next], FILTERS)) {
    next++;
  }
  return next > 0 ? stages[next - 1].to : selector.to;
}

/** Inserts the same stage in every pipeline, last first so that earlier positions stay true. */
function insertStage(text: string, stage: string, after: (selector: SyntaxNode) => number): string {
  return findSelectors(text).reduceRight((result, selector) => {
    const at = after(selector);
    return `${result.slice(0, at)} ${stage}${result.slice(at)}`;
  }, text);
}

/** The stages that consist of just this label filter. One inside an "or" is another question and stays. */
function findFilterStages(text: string, filter: LabelMatcher): Span[] {
  return findSelectors(text)
    .flatMap(stagesOf)
    .filter((stage) => {
      const node = stage.getChild(LabelFilter)?.getChild(Matcher);
      const found = node && readMatcher(text, node);
      return found && sameMatcher(found, filter);
    });
}

export function hasLabelFilter(text: string, filter: LabelMatcher): boolean {
  return (
    readSelectors(text).some((matchers) => matchers.some((matcher) => sameMatcher(matcher, filter))) ||
    findFilterStages(text, filter).length > 0
  );
}

/**
 * Adds a label filter to every selector (stream labels) or behind every parser (all others). A label of unknown origin is
 * filtered in the pipeline, where labels of all three kinds can be tested.
 */
export function addLabelFilter(text: string, filter: LabelMatcher, type?: LabelType): string {
  if (hasLabelFilter(text, filter)) {
    return text;
  }
  if (type !== 'I') {
    return insertStage(text, `| ${printMatcher(filter)}`, (selector) => endOfStage(selector, LABEL_MAKERS));
  }
  return findSelectors(text).reduceRight((result, _, index) => addMatcher(result, filter, index), text);
}

export function removeLabelFilter(text: string, filter: LabelMatcher): string {
  const withoutStages = findFilterStages(text, filter).reduceRight((result, { from, to }) => {
    return result.slice(0, from).trimEnd() + result.slice(to);
  }, text);
  return readSelectors(withoutStages).reduceRight((result, matchers, selectorIndex) => {
    const index = matchers.findIndex((matcher) => sameMatcher(matcher, filter));
    return index < 0 ? result : removeMatcher(result, index, selectorIndex);
  }, withoutStages);
}

/** Adds a filter, or removes it when it is there; its opposite, when there, gives way. */
export function toggleLabelFilter(text: string, filter: LabelMatcher, type?: LabelType): string {
  if (hasLabelFilter(text, filter)) {
    return removeLabelFilter(text, filter);
  }
  const opposite: LabelMatcher = { ...filter, op: filter.op === '=' ? '!=' : '=' };
  return addLabelFilter(removeLabelFilter(text, opposite), filter, type);
}

/** Adds a filter on the line as it is shown: behind the stages that rewrite lines, if there are any. */
export function addLineFilter(text: string, op: '|=' | '!=', value: string): string {
  return insertStage(text, `${op} ${quote(value)}`, (selector) => endOfStage(selector, LINE_MAKERS));
}

/** Whether the lines of a query depend on their content, so that the store has to read them to answer. */
export function readsLines(text: string): boolean {
  return findSelectors(text).some((selector) => {
    return stagesOf(selector).some((stage) => !isA(stage, [DropLabelsExpr, KeepLabelsExpr]));
  });
}

const PARSERS = [...LABEL_MAKERS, ...LINE_MAKERS, DropLabelsExpr, KeepLabelsExpr];

/** The stages of a logs query that shape its lines and labels, without those that leave lines out. */
export function contextPipeline(text: string): string {
  return findSelectors(text)
    .slice(0, 1)
    .flatMap(stagesOf)
    .filter((stage) => isA(stage, PARSERS))
    .map(({ from, to }) => text.slice(from, to).trim())
    .join(' ');
}

export function hasParsers(text: string): boolean {
  return contextPipeline(text) !== '';
}

/** The lines that a metric query is computed from, of its first selector; undefined for anything else. */
export function sampleQuery(text: string): string | undefined {
  const selector = isMetricQuery(text) ? findSelectors(text)[0] : undefined;
  // The range may stand between the two.
  const parts = selector && [selector, pipelineOf(selector)];
  return parts
    ?.map((part) => (part ? text.slice(part.from, part.to).trim() : ''))
    .join(' ')
    .trim();
}

/** The query that counts the lines of a logs query by level; undefined for anything else. */
export function volumeQuery(text: string): string | undefined {
  if (!isLogsQuery(text)) {
    return undefined;
  }
  const trimmed = text.trim();
  const tokens = tokenize(trimmed);
  // A comment would swallow the rest of the line, which is ours.
  const gap = tokens[tokens.length - 1]?.kind === 'comment' ? '\n' : ' ';
  return `sum by (detected_level) (count_over_time(${trimmed}${gap}[$__auto]))`;
}
