import { Button, Combobox, IconButton, Stack } from '@grafana/ui';
import React, { useState } from 'react';
import { addLine, LINE_OPERATORS, type LineOperator, type LineTest, setLine } from '../../logql/builder';
import { BuilderRow } from './BuilderRow';
import { CommittedInput } from './CommittedInput';
import { Labelled } from './Labelled';

interface Props {
  expr: string;
  lines: readonly LineTest[];
  onChange: (expr: string) => void;
}

const TITLES: Record<LineOperator, string> = {
  '|=': 'contains',
  '!=': 'does not contain',
  '|~': 'matches regex',
  '!~': 'does not match regex',
};

const OPTIONS = LINE_OPERATORS.map((value) => ({ value, label: TITLES[value] }));

/** What lines must contain. A new test is in the text once it has one. */
export function LineRow({ expr, lines, onChange }: Props) {
  const [draft, setDraft] = useState<LineOperator>();

  const addDraft = (op: LineOperator, value: string) => {
    setDraft(undefined);
    onChange(addLine(expr, { op, value }));
  };

  return (
    <BuilderRow title="Line">
      {lines.map((line, index) => (
        <LineFields
          key={index}
          line={line}
          number={index + 1}
          onChange={(next) => onChange(setLine(expr, index, next.value === '' ? undefined : next))}
          onRemove={() => onChange(setLine(expr, index, undefined))}
        />
      ))}
      {draft && (
        <LineFields
          line={{ op: draft, value: '' }}
          number={lines.length + 1}
          autoFocus
          onChange={({ op, value }) => (value === '' ? setDraft(op) : addDraft(op, value))}
          onRemove={() => setDraft(undefined)}
        />
      )}
      <Button
        variant="secondary"
        fill="outline"
        icon="plus"
        aria-label="Add line filter"
        disabled={draft !== undefined}
        onClick={() => setDraft('|=')}
      >
        text
      </Button>
    </BuilderRow>
  );
}

interface FieldsProps {
  line: LineTest;
  number: number;
  autoFocus?: boolean;
  onChange: (line: LineTest) => void;
  onRemove: () => void;
}

function LineFields({ line, number, autoFocus, onChange, onRemove }: FieldsProps) {
  return (
    <div role="group" aria-label={`Line filter ${number}`}>
      <Stack direction="row" gap={0.5} alignItems="center">
        <Labelled label={`Line filter ${number} operator`}>
          {(id) => (
            <Combobox
              aria-labelledby={id}
              options={OPTIONS}
              value={line.op}
              width={22}
              onChange={({ value: op }) => onChange({ ...line, op })}
            />
          )}
        </Labelled>
        <CommittedInput
          key={line.value}
          label={`Line filter ${number} text`}
          placeholder="Text to find"
          value={line.value}
          autoFocus={autoFocus}
          onCommit={(value) => onChange({ ...line, value })}
        />
        <IconButton name="times" aria-label={`Remove line filter ${number}`} onClick={onRemove} />
      </Stack>
    </div>
  );
}
