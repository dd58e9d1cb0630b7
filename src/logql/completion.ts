/** What can be typed at a place in a query. Words are known here; names and values are asked for. */
import { quote } from './parse';
import { escapeRegex, isRegexOperator, type LabelMatcher, type MatchOperator } from './selector';
import type { Scope, Situation } from './situation';
import {
  BINARY_OPERATORS,
  COMPARISONS,
  CONVERSIONS,
  DURATIONS,
  FUNCTIONS,
  GROUPINGS,
  JOINS,
  LEVELS,
  LINE_FILTERS,
  LOGFMT_FLAGS,
  OFFSET,
  STAGES,
  TEMPLATE_FUNCTIONS,
} from './words';

export { findSituation, type Situation } from './situation';

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
  /** Labels that the last answer had besides those of streams: structured metadata and parsed fields. */
  answerLabels?(): string[];
}

const LEVEL = 'detected_level';

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
      return (await values(situation, source)).map((value) => valueCompletion(value, situation));
    case 'label':
      return labels(situation, source);
    case 'unwrap':
      return [...(await labels(situation, source)), ...CONVERSIONS];
    case 'stage':
      return [...STAGES, ...(await labels(situation, source))];
    case 'pipeline':
      return [
        ...(situation.stage === 'logfmt' ? LOGFMT_FLAGS : []),
        ...(situation.ranged ? windows() : []),
        ...LINE_FILTERS,
        ...nextStages(),
      ];
    case 'comparison':
      return COMPARISONS;
    case 'join':
      return [...JOINS, ...(situation.ranged ? windows() : []), ...nextStages()];
    case 'duration':
      return DURATIONS;
    case 'afterRange':
      return [OFFSET];
    case 'aggregation':
      return GROUPINGS;
    case 'metric':
      return [...(situation.aggregation ? GROUPINGS : []), ...BINARY_OPERATORS];
    case 'template':
      return [
        ...(await labels(situation, source)).map(({ label }): Completion => {
          return { label: `.${label}`, insert: `.${label}`, kind: 'label' };
        }),
        ...TEMPLATE_FUNCTIONS,
      ];
    case 'start':
      return [
        { label: '{…}', insert: '{', kind: 'operator', detail: 'choose streams by their labels', goOn: true },
        ...FUNCTIONS,
      ];
    case 'nowhere':
      return [];
  }
}

/** Every label that a line can have at a place: its stream's, what stages made, and what the last answer had. */
async function labels({ matchers, made }: Scope, source: LabelSource): Promise<Completion[]> {
  // What the query itself says is known even when the store does not answer.
  const stored = await source.labelNames(matchers).catch(() => []);
  const names = new Set([...made, LEVEL, ...stored, ...(source.answerLabels?.() ?? [])]);
  return Array.from(names, (name) => ({ label: name, insert: name, kind: 'label' }));
}

async function values(situation: { name: string } & Scope, source: LabelSource): Promise<string[]> {
  if (situation.name === LEVEL) {
    return LEVELS;
  }
  return situation.made.includes(situation.name) ? [] : source.labelValues(situation.name, situation.matchers);
}

function nextStages(): Completion[] {
  return STAGES.map((stage) => ({ ...stage, label: `| ${stage.label}`, insert: `| ${stage.insert}` }));
}

/** The window of a range aggregation. */
function windows(): Completion[] {
  return ['[$__auto]', '[5m]', '[1h]'].map((window) => ({ label: window, insert: window, kind: 'duration' }));
}

function valueCompletion(value: string, { op, quoted }: { op: MatchOperator; quoted: boolean }): Completion {
  const literal = quote(isRegexOperator(op) ? escapeRegex(value) : value);
  return { label: value, insert: quoted ? literal.slice(1, -1) : literal, kind: 'value' };
}
