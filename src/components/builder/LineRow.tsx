import { Button, Combobox, IconButton, Stack } from '@grafana/ui';
import React, { useState } from 'react';
import { addLine, LINE_OPERATORS, type LineOperator, type LineTest, setLine } from '../../logql/builder';
import { useChoice } from '../useChoice';
import { BuilderRow } from './BuilderRow';
import { CommittedInput } from '../CommittedInput';
import { Labelled } from '../Labelled';

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

  // A new test stays in its place when it gets into the text, so that the focus does too.
  const shown = draft ? [...lines, { op: draft, value: '' }] : lines;

  const change = (index: number, line: LineTest) => {
    if (index < lines.length) {
      onChange(setLine(expr, index, line.value === '' ? undefined : line));
    } else {
      setDraft(line.value === '' ? line.op : undefined);
      if (line.value !== '') {
        onChange(addLine(expr, line));
      }
    }
  };

  const remove = (index: number) => {
    if (index < lines.length) {
      onChange(setLine(expr, index, undefined));
    } else {
      setDraft(undefined);
    }
  };

  return (
    <BuilderRow title="Line">
      {shown.map((line, index) => (
        <LineFields
          key={index}
          line={line}
          number={index + 1}
          onChange={(next) => change(index, next)}
          onRemove={() => remove(index)}
        />
      ))}
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
  onChange: (line: LineTest) => void;
  onRemove: () => void;
}

function LineFields({ line, number, onChange, onRemove }: FieldsProps) {
  const onOperator = useChoice(line.op, (op: LineTest['op']) => onChange({ ...line, op }));
  return (
    <div role="group" aria-label={`Line filter ${number}`}>
      <Stack direction="row" gap={0.5} alignItems="center">
        <Labelled label={`Line filter ${number} operator`}>
          {(id) => <Combobox aria-labelledby={id} options={OPTIONS} value={line.op} width={22} onChange={onOperator} />}
        </Labelled>
        <CommittedInput
          label={`Line filter ${number} text`}
          placeholder="Text to find"
          value={line.value}
          autoFocus={line.value === ''}
          onCommit={(value) => onChange({ ...line, value })}
        />
        <IconButton name="times" aria-label={`Remove line filter ${number}`} onClick={onRemove} />
      </Stack>
    </div>
  );
}
