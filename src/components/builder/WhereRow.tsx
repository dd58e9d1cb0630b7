import { Button, Combobox, type ComboboxOption, IconButton, Stack } from '@grafana/ui';
import React, { useState } from 'react';
import {
  addWhere,
  isWritable,
  type LabelTest,
  setWhere,
  WHERE_OPERATORS,
  type WhereOperator,
} from '../../logql/builder';
import { useChoice } from '../useChoice';
import { BuilderRow } from './BuilderRow';
import type { AskFields } from './fields';
import { Labelled } from '../Labelled';

interface Props {
  expr: string;
  where: readonly LabelTest[];
  askFields: AskFields;
  onChange: (expr: string) => void;
}

const TITLES: Record<WhereOperator, string> = {
  '=': 'equals',
  '!=': 'does not equal',
  '=~': 'matches a regular expression',
  '!~': 'does not match a regular expression',
  '==': 'is the number',
  '>': 'is more than',
  '>=': 'is at least',
  '<': 'is less than',
  '<=': 'is at most',
};

const OPERATORS = WHERE_OPERATORS.map((value) => ({ value, label: value, description: TITLES[value] }));

/** What the labels of a line must be. A new test is in the text once it has a name and a value. */
export function WhereRow({ expr, where, askFields, onChange }: Props) {
  const [draft, setDraft] = useState<LabelTest>();

  // A new test stays in its place when it gets into the text, so that the focus does too.
  const shown = draft ? [...where, draft] : where;

  const change = (index: number, test: LabelTest) => {
    if (index < where.length) {
      onChange(setWhere(expr, index, test));
      return;
    }
    const done = test.name !== '' && test.value !== '' && isWritable(test);
    setDraft(done ? undefined : test);
    if (done) {
      onChange(addWhere(expr, test));
    }
  };

  const remove = (index: number) => {
    if (index < where.length) {
      onChange(setWhere(expr, index, undefined));
    } else {
      setDraft(undefined);
    }
  };

  return (
    <BuilderRow title="Where">
      {shown.map((test, index) => (
        <WhereFields
          key={index}
          test={test}
          number={index + 1}
          askFields={() => askFields(expr)}
          onChange={(next) => change(index, next)}
          onRemove={() => remove(index)}
        />
      ))}
      <Button
        variant="secondary"
        fill="outline"
        icon="plus"
        aria-label="Add label filter"
        disabled={draft !== undefined}
        onClick={() => setDraft({ name: '', op: '=', value: '' })}
      >
        field
      </Button>
    </BuilderRow>
  );
}

interface FieldsProps {
  test: LabelTest;
  number: number;
  askFields: () => ReturnType<AskFields>;
  onChange: (test: LabelTest) => void;
  onRemove: () => void;
}

/** One test. What cannot be written yet, such as a size that is no number, is kept here and marked until it can. */
function WhereFields({ test, number, askFields, onChange, onRemove }: FieldsProps) {
  const [unwritten, setUnwritten] = useState<{ over: LabelTest; test: LabelTest }>();
  const shown = unwritten && isSame(unwritten.over, test) ? unwritten.test : test;
  const filled = shown.name !== '' && shown.value !== '';

  const change = (next: LabelTest) => {
    const pending = next.name !== '' && next.value !== '' && !isWritable(next);
    setUnwritten(pending ? { over: test, test: next } : undefined);
    if (!pending) {
      onChange(next);
    }
  };

  const onName = useChoice(shown.name || null, (name: string) => change({ ...shown, name }));
  const onOperator = useChoice(shown.op, (op: WhereOperator) => change({ ...shown, op }));
  const onValue = useChoice(shown.value || null, (value: string) => change({ ...shown, value }));

  const names = async (typed: string) => {
    const fields = await askFields();
    return fields
      .filter(({ name }) => includes(name, typed))
      .map(({ name, origin, values }) => ({ value: name, label: name, description: example(origin, values) }));
  };

  const values = async (typed: string): Promise<Array<ComboboxOption<string>>> => {
    const field = (await askFields()).find(({ name }) => name === shown.name);
    return (field?.values ?? []).filter((value) => includes(value, typed)).map((value) => ({ value, label: value }));
  };

  return (
    <div role="group" aria-label={`Label filter ${number}`}>
      <Stack direction="row" gap={0.5} alignItems="center">
        <Labelled label={`Label filter ${number} name`}>
          {(id) => (
            <Combobox
              aria-labelledby={id}
              placeholder="Field"
              options={names}
              value={shown.name || null}
              createCustomValue
              width={30}
              autoFocus={shown.name === ''}
              onChange={onName}
            />
          )}
        </Labelled>
        <Labelled label={`Label filter ${number} operator`}>
          {(id) => (
            <Combobox aria-labelledby={id} options={OPERATORS} value={shown.op} width={9} onChange={onOperator} />
          )}
        </Labelled>
        <Labelled label={`Label filter ${number} value`}>
          {(id) => (
            <Combobox
              aria-labelledby={id}
              placeholder="Value"
              options={values}
              value={shown.value || null}
              createCustomValue
              width={26}
              disabled={shown.name === ''}
              invalid={filled && !isWritable(shown)}
              onChange={onValue}
            />
          )}
        </Labelled>
        <IconButton name="times" aria-label={`Remove label filter ${number}`} onClick={onRemove} />
        {filled && !isWritable(shown) && <span role="status">Compare with a number, a duration or bytes</span>}
      </Stack>
    </div>
  );
}

function isSame(a: LabelTest, b: LabelTest): boolean {
  return a.name === b.name && a.op === b.op && a.value === b.value;
}

function includes(text: string, typed: string): boolean {
  return text.toLowerCase().includes(typed.toLowerCase());
}

function example(origin: string, [value = '']: string[]): string {
  return value === '' || value.length > 30 ? origin : `${origin}, such as ${value}`;
}
