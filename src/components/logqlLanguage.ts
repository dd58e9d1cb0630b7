/** LogQL in Monaco: colours, completion and error marks. Grafana's Monaco is shared by all editors of a page. */
import { languageConfiguration, monarchlanguage } from '@grafana/monaco-logql';
import type { Monaco, monacoTypes } from '@grafana/ui';
import type { Completion, LabelSource } from '../logql/completion';
import type { SyntaxProblem } from '../logql/parse';

export const LANGUAGE_ID = 'woodshed-logql';

type Model = monacoTypes.editor.ITextModel;
type Kinds = typeof monacoTypes.languages.CompletionItemKind;

/** Which source answers for which text. Monaco knows one provider for a language, not one for an editor. */
const sources = new WeakMap<Model, () => LabelSource>();
const prepared = new WeakSet<object>();

export function setCompletionSource(model: Model, source: () => LabelSource): void {
  sources.set(model, source);
}

export function registerLanguage(monaco: Monaco): void {
  if (prepared.has(monaco.languages)) {
    return;
  }
  prepared.add(monaco.languages);
  monaco.languages.register({ id: LANGUAGE_ID });
  monaco.languages.setLanguageConfiguration(LANGUAGE_ID, languageConfiguration);
  monaco.languages.setMonarchTokensProvider(LANGUAGE_ID, monarchlanguage);
  monaco.languages.registerCompletionItemProvider(LANGUAGE_ID, {
    triggerCharacters: ['{', ',', '[', '(', '=', '~', ' ', '"', '`', '|', '.'],
    provideCompletionItems: async (model, position) => {
      const source = sources.get(model);
      return { suggestions: source ? await suggest(monaco, model, position, source()) : [] };
    },
  });
}

async function suggest(
  monaco: Monaco,
  model: Model,
  position: monacoTypes.Position,
  source: LabelSource
): Promise<monacoTypes.languages.CompletionItem[]> {
  // Loaded with the first completion: most people who look at a dashboard never type.
  const { complete, findSituation } = await import('../logql/completion');
  const cursor = model.getOffsetAt(position);
  const situation = findSituation(model.getValue(), cursor);
  if (situation.at === 'nowhere') {
    return [];
  }
  const range = monaco.Range.fromPositions(model.getPositionAt(situation.from), position);
  // A store that does not answer is no reason for an error while typing.
  const completions = await complete(situation, source).catch(() => []);
  const width = String(completions.length).length;
  return completions.map((completion, index) => ({
    label: completion.label,
    insertText: completion.insert,
    insertTextRules: completion.snippet ? monaco.languages.CompletionItemInsertTextRule.InsertAsSnippet : undefined,
    filterText: completion.label,
    detail: completion.detail,
    kind: kindOf(monaco.languages.CompletionItemKind, completion),
    range,
    sortText: String(index).padStart(width, '0'),
    command: completion.goOn ? { id: 'editor.action.triggerSuggest', title: '' } : undefined,
  }));
}

function kindOf(kinds: Kinds, { kind }: Completion): monacoTypes.languages.CompletionItemKind {
  switch (kind) {
    case 'label':
      return kinds.Field;
    case 'value':
      return kinds.Value;
    case 'function':
      return kinds.Function;
    case 'operator':
      return kinds.Operator;
    case 'keyword':
      return kinds.Keyword;
    case 'duration':
      return kinds.Unit;
  }
}

/** Underlines what is wrong with a text. */
export function markProblems(monaco: Monaco, model: Model, problems: SyntaxProblem[]): void {
  const markers = problems.map(({ from, to, message }) => {
    // A mark needs a width: at the end of the text it covers the last character.
    const start = model.getPositionAt(from === to ? Math.max(0, from - 1) : from);
    const end = model.getPositionAt(to);
    return {
      severity: monaco.MarkerSeverity.Error,
      message,
      startLineNumber: start.lineNumber,
      startColumn: start.column,
      endLineNumber: end.lineNumber,
      endColumn: end.column,
    };
  });
  monaco.editor.setModelMarkers(model, LANGUAGE_ID, markers);
}

/** The smallest edit that turns one text into another, so that a cursor outside of it stays where it is. */
export function smallestEdit(before: string, after: string): { from: number; to: number; text: string } {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) {
    start++;
  }
  let end = 0;
  while (
    end < before.length - start &&
    end < after.length - start &&
    before[before.length - 1 - end] === after[after.length - 1 - end]
  ) {
    end++;
  }
  return { from: start, to: before.length - end, text: after.slice(start, after.length - end) };
}
