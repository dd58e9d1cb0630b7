import { MultiCombobox, RadioButtonGroup } from '@grafana/ui';
import React from 'react';
import { type Count, setCount } from '../../logql/builder';
import { BuilderRow } from './BuilderRow';
import type { AskFields } from './fields';
import { Labelled } from '../Labelled';

interface Props {
  expr: string;
  count: Count;
  disabled: boolean;
  askFields: AskFields;
  onChange: (expr: string) => void;
}

const OPTIONS: Array<{ value: 'none' | 'count'; label: string; description: string }> = [
  { value: 'none', label: 'Show lines', description: 'No counting' },
  { value: 'count', label: 'Over time', description: 'How many lines in each interval' },
];

/** Whether lines are shown or counted, and by which labels. */
export function CountRow({ expr, count, disabled, askFields, onChange }: Props) {
  const names = async (typed: string) => {
    const fields = [{ name: 'detected_level', origin: 'level of the line' }, ...(await askFields(expr))];
    return Array.from(new Map(fields.map((field) => [field.name, field])).values())
      .filter(({ name }) => name.toLowerCase().includes(typed.toLowerCase()))
      .map(({ name, origin }) => ({ value: name, label: name, description: origin }));
  };

  return (
    <BuilderRow title="Count">
      <RadioButtonGroup
        aria-label="Count"
        options={OPTIONS}
        value={count.kind === 'other' ? undefined : count.kind}
        disabled={disabled || count.kind === 'other'}
        onChange={(kind) => onChange(setCount(expr, kind === 'count' ? [] : undefined))}
      />
      {count.kind === 'count' && (
        <>
          <span>by</span>
          <Labelled label="Count by">
            {(id) => (
              <MultiCombobox
                aria-labelledby={id}
                placeholder="Nothing: one line for all"
                options={names}
                value={count.by.map((value) => ({ value, label: value }))}
                createCustomValue
                width="auto"
                minWidth={28}
                maxWidth={60}
                onChange={(picked) => onChange(setCount(expr, picked.map(({ value }) => value).filter(isName)))}
              />
            )}
          </Labelled>
        </>
      )}
    </BuilderRow>
  );
}

function isName(text: string): boolean {
  return /^[a-zA-Z_]\w*$/.test(text);
}
