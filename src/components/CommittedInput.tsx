import { Input } from '@grafana/ui';
import React, { useState } from 'react';

interface Props {
  label: string;
  value: string;
  placeholder?: string;
  width?: number;
  type?: 'text' | 'number';
  autoFocus?: boolean;
  /** Says why a text cannot be taken. */
  check?: (text: string) => string | undefined;
  onCommit: (text: string) => void;
}

/** A field whose text counts when it is left or Enter is pressed, and only if it changed and can be taken. */
export function CommittedInput({
  label,
  value,
  placeholder,
  width = 30,
  type = 'text',
  autoFocus,
  check,
  onCommit,
}: Props) {
  const [edit, setEdit] = useState<{ over: string; text: string }>();
  // A value from outside replaces what was typed over another.
  const text = edit?.over === value ? edit.text : value;
  const problem = text === value ? undefined : check?.(text);
  const commit = () => {
    if (text !== value && !problem) {
      onCommit(text);
    }
  };
  return (
    <Input
      aria-label={label}
      type={type}
      min={1}
      placeholder={placeholder}
      width={width}
      autoFocus={autoFocus}
      value={text}
      invalid={Boolean(problem)}
      title={problem}
      onChange={({ currentTarget }) => setEdit({ over: value, text: currentTarget.value })}
      onBlur={commit}
      onKeyDown={({ key }) => key === 'Enter' && commit()}
    />
  );
}
