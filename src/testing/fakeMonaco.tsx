/** A text area that behaves, for tests, like the part of Monaco that we use. jsdom cannot run the real one. */
import React, { useEffect, useState } from 'react';

interface Position {
  lineNumber: number;
  column: number;
}

interface Edit {
  range: { startLineNumber: number; startColumn: number; endLineNumber: number; endColumn: number };
  text: string;
}

interface Marker {
  message: string;
  startColumn: number;
  endColumn: number;
}

interface KeyEvent {
  keyCode: number;
  shiftKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  preventDefault: () => void;
  stopPropagation: () => void;
}

interface Suggestion {
  label: string;
  insertText: string;
  range: unknown;
}

interface Provider {
  provideCompletionItems: (model: FakeModel, position: Position) => Promise<{ suggestions: Suggestion[] }>;
}

const ENTER = 3;

export class FakeModel {
  constructor(public text: string) {}
  getValue = () => this.text;
  setValue = (text: string) => {
    this.text = text;
  };
  getOffsetAt = ({ lineNumber, column }: Position) => {
    const lines = this.text.split('\n').slice(0, lineNumber - 1);
    return lines.reduce((offset, line) => offset + line.length + 1, 0) + column - 1;
  };
  getPositionAt = (offset: number): Position => {
    const lines = this.text.slice(0, offset).split('\n');
    return { lineNumber: lines.length, column: lines[lines.length - 1].length + 1 };
  };
}

export class FakeMonaco {
  markers: Marker[] = [];
  registered: string[] = [];
  providers: Provider[] = [];
  KeyCode = { Enter: ENTER };
  MarkerSeverity = { Error: 8 };
  Range = { fromPositions: (start: Position, end: Position) => ({ start, end }) };
  languages = {
    CompletionItemKind: { Field: 1, Value: 2, Function: 3, Operator: 4, Keyword: 5, Unit: 6 },
    CompletionItemInsertTextRule: { InsertAsSnippet: 4 },
    register: ({ id }: { id: string }) => this.registered.push(id),
    setLanguageConfiguration: () => {},
    setMonarchTokensProvider: () => {},
    registerCompletionItemProvider: (_: string, provider: Provider) => this.providers.push(provider),
  };
  editor = {
    setModelMarkers: (_: FakeModel, __: string, markers: Marker[]) => {
      this.markers = markers;
    },
  };
}

export const fakeMonaco = new FakeMonaco();

interface EditorProps {
  defaultValue: string;
  beforeMount: (monaco: unknown) => void;
  onMount: (editor: unknown, monaco: unknown) => void;
  onChange: (text: string) => void;
  options: { ariaLabel: string };
}

export function FakeMonacoEditor({ defaultValue, beforeMount, onMount, onChange, options }: EditorProps) {
  const [model] = useState(() => new FakeModel(defaultValue));
  const [, redraw] = useState(0);
  const [listeners] = useState(() => ({
    change: [] as Array<() => void>,
    blur: [] as Array<() => void>,
    key: [] as Array<(event: KeyEvent) => void>,
  }));
  const area = React.useRef<HTMLTextAreaElement>(null);

  const setText = (text: string) => {
    model.setValue(text);
    redraw((count) => count + 1);
    listeners.change.forEach((listener) => listener());
    onChange(text);
  };

  useEffect(() => {
    beforeMount(fakeMonaco);
    onMount(
      {
        getModel: () => model,
        getValue: model.getValue,
        getContentHeight: () => 32,
        onDidChangeModelContent: (listener: () => void) => listeners.change.push(listener),
        onDidBlurEditorWidget: (listener: () => void) => listeners.blur.push(listener),
        onDidContentSizeChange: () => {},
        onKeyDown: (listener: (event: KeyEvent) => void) => listeners.key.push(listener),
        pushUndoStop: () => {},
        executeEdits: (_: string, [{ range, text }]: Edit[]) => {
          const from = model.getOffsetAt({ lineNumber: range.startLineNumber, column: range.startColumn });
          const to = model.getOffsetAt({ lineNumber: range.endLineNumber, column: range.endColumn });
          setText(model.text.slice(0, from) + text + model.text.slice(to));
        },
      },
      fakeMonaco
    );
    // Monaco mounts once.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  return (
    <textarea
      ref={area}
      aria-label={options.ariaLabel}
      value={model.text}
      onChange={({ currentTarget }) => setText(currentTarget.value)}
      onBlur={() => listeners.blur.forEach((listener) => listener())}
      onKeyDown={(event) => {
        const keyCode = event.key === 'Enter' ? ENTER : 0;
        const { shiftKey, ctrlKey, metaKey } = event;
        const preventDefault = () => event.preventDefault();
        const stopPropagation = () => event.stopPropagation();
        listeners.key.forEach((listener) =>
          listener({ keyCode, shiftKey, ctrlKey, metaKey, preventDefault, stopPropagation })
        );
      }}
    />
  );
}
