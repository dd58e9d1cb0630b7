import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { type Monaco, type MonacoEditor, ReactMonacoEditor, useStyles2 } from '@grafana/ui';
import React, { useEffect, useRef, useState } from 'react';
import type { LabelSource } from '../logql/completion';
import type { SyntaxProblem } from '../logql/parse';
import { LANGUAGE_ID, markProblems, registerLanguage, setCompletionSource, smallestEdit } from './logqlLanguage';

interface Props {
  value: string;
  source: LabelSource;
  /** What is wrong with the value. */
  problems: SyntaxProblem[];
  /** Every change that is typed. */
  onChange: (text: string) => void;
  onBlur: (text: string) => void;
  /** Shift+Enter, or Ctrl/Cmd+Enter. */
  onRun: (text: string) => void;
}

const PLACEHOLDER = '{app="api"} |= "timeout"   (Shift+Enter runs the query, Ctrl+Space completes)';
const ECHOES_MAX = 100; // Typed texts that have not come back yet; more than a person types between two renders.

/** The LogQL text. Monaco owns it while a person types; a value from outside is applied as the smallest edit. */
export function LogQLField({ value, source, problems, onChange, onBlur, onRun }: Props) {
  const styles = useStyles2(getStyles);
  const [height, setHeight] = useState<number>();
  const editorRef = useRef<MonacoEditor | null>(null);
  const monacoRef = useRef<Monaco | null>(null);
  const echoes = useRef<string[]>([]);
  const latest = useRef({ value, source, problems, onChange, onBlur, onRun });
  useEffect(() => {
    latest.current = { value, source, problems, onChange, onBlur, onRun };
  });

  useEffect(() => {
    const editor = editorRef.current;
    const echo = echoes.current.indexOf(value);
    if (echo >= 0) {
      // This is what was typed, coming back, maybe after the next key: nothing to apply.
      echoes.current.splice(0, echo + 1);
    } else if (editor && editor.getValue() !== value) {
      applyText(editor, value);
    }
  }, [value]);

  // Behind the effect above: marks belong to the text that was applied.
  useEffect(() => {
    const model = editorRef.current?.getModel();
    // While a person types on, the text in the editor is newer than what is known of it; the next render marks that one.
    if (monacoRef.current && model && model.getValue() === value) {
      markProblems(monacoRef.current, model, problems);
    }
  }, [value, problems]);

  const onMount = (editor: MonacoEditor, monaco: Monaco) => {
    const model = editor.getModel();
    if (!model) {
      return;
    }
    editorRef.current = editor;
    monacoRef.current = monaco;
    setCompletionSource(model, () => latest.current.source);
    markProblems(monaco, model, latest.current.problems);
    editor.onDidBlurEditorWidget(() => latest.current.onBlur(editor.getValue()));
    editor.onDidContentSizeChange(() => setHeight(editor.getContentHeight()));
    setHeight(editor.getContentHeight());
    // A command would be shared by all editors of the page; a key handler is this editor's own.
    editor.onKeyDown((event) => {
      if (event.keyCode === monaco.KeyCode.Enter && (event.shiftKey || event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        event.stopPropagation();
        latest.current.onRun(editor.getValue());
      }
    });
  };

  const onType = (text: string | undefined = '') => {
    // Back at the value that we were given: what was typed in between will not come back on its own.
    echoes.current = text === latest.current.value ? [] : [...echoes.current, text].slice(-ECHOES_MAX);
    latest.current.onChange(text);
  };

  return (
    <div className={styles.field} style={{ height }} data-testid="logql-field">
      {value === '' && <div className={styles.placeholder}>{PLACEHOLDER}</div>}
      <ReactMonacoEditor
        language={LANGUAGE_ID}
        defaultValue={value}
        beforeMount={registerLanguage}
        onMount={onMount}
        onChange={onType}
        options={EDITOR_OPTIONS}
      />
    </div>
  );
}

function applyText(editor: MonacoEditor, text: string): void {
  const model = editor.getModel();
  if (!model) {
    return;
  }
  const { from, to, text: insert } = smallestEdit(model.getValue(), text);
  const start = model.getPositionAt(from);
  const end = model.getPositionAt(to);
  const range = {
    startLineNumber: start.lineNumber,
    startColumn: start.column,
    endLineNumber: end.lineNumber,
    endColumn: end.column,
  };
  editor.pushUndoStop();
  editor.executeEdits('woodshed', [{ range, text: insert }]);
  editor.pushUndoStop();
}

const EDITOR_OPTIONS = {
  ariaLabel: 'LogQL query',
  automaticLayout: true,
  contextmenu: false,
  fixedOverflowWidgets: true,
  folding: false,
  fontSize: 14,
  lineDecorationsWidth: 8,
  lineNumbers: 'off',
  minimap: { enabled: false },
  occurrencesHighlight: false,
  overviewRulerBorder: false,
  overviewRulerLanes: 0,
  padding: { top: 5, bottom: 6 },
  quickSuggestions: { other: true, strings: true, comments: false },
  renderLineHighlight: 'none',
  scrollBeyondLastLine: false,
  scrollbar: { vertical: 'hidden', alwaysConsumeMouseWheel: false, horizontal: 'hidden' },
  suggest: { showWords: false },
  suggestFontSize: 12,
  wordWrap: 'on',
} as const;

const getStyles = (theme: GrafanaTheme2) => ({
  field: css({
    position: 'relative',
    minHeight: theme.spacing(4),
    border: `1px solid ${theme.components.input.borderColor}`,
    borderRadius: theme.shape.radius.default,
    overflow: 'hidden',
  }),
  placeholder: css({
    position: 'absolute',
    inset: theme.spacing(0.75, 1),
    color: theme.colors.text.disabled,
    fontFamily: theme.typography.fontFamilyMonospace,
    pointerEvents: 'none',
    zIndex: 1,
  }),
});
