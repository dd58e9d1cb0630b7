import { useState } from 'react';
import { isBlank } from '../../logql/parse';
import type { EditorMode, WoodshedQuery } from '../../types';

const STORAGE_KEY = 'woodshed.editorMode';

/** Whether the builder is open: what the query says, else what the person chose last if the query was new and empty. */
export function useEditorMode(
  query: WoodshedQuery,
  onChange: (query: WoodshedQuery) => void
): [EditorMode, (mode: EditorMode) => void] {
  const [initial] = useState<EditorMode>(() => {
    return isBlank(query.expr ?? '') && readChoice() === 'builder' ? 'builder' : 'code';
  });
  const choose = (mode: EditorMode) => {
    writeChoice(mode);
    onChange({ ...query, editorMode: mode });
  };
  return [query.editorMode ?? initial, choose];
}

function readChoice(): string | null {
  try {
    return window.localStorage.getItem(STORAGE_KEY);
  } catch {
    return null; // A browser that keeps nothing.
  }
}

function writeChoice(mode: EditorMode): void {
  try {
    window.localStorage.setItem(STORAGE_KEY, mode);
  } catch {
    // A browser that keeps nothing: the query still remembers.
  }
}
