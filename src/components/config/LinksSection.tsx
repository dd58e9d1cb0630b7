import { Button, FieldSet, Stack } from '@grafana/ui';
import React, { useState } from 'react';
import type { DerivedField } from '../../derived/config';
import { LinkEditor } from './LinkEditor';
import { TestLine } from './TestLine';

interface Props {
  fields: DerivedField[];
  disabled: boolean;
  onChange: (fields: DerivedField[]) => void;
}

/** The derived fields of the data source, in the order in which a row shows them. */
export function LinksSection({ fields, disabled, onChange }: Props) {
  const [keys, setKeys] = useState(() => fields.map((_, index) => index));
  const keyOf = (index: number) => keys[index] ?? index;

  const replace = (index: number, next: DerivedField) =>
    onChange(fields.map((field, other) => (other === index ? next : field)));

  const onAdd = () => {
    setKeys([...keys, Math.max(-1, ...keys) + 1]);
    onChange([...fields, { name: '', matcherRegex: '', matcherType: 'regex' }]);
  };

  const onRemove = (index: number) => {
    setKeys(keys.filter((_, other) => other !== index));
    onChange(fields.filter((_, other) => other !== index));
  };

  const onMoveUp = (index: number) => {
    setKeys(swapped(keys, index));
    onChange(swapped(fields, index));
  };

  return (
    <FieldSet label="Links from logs">
      <p>
        Each link finds a value in the line or the labels of a row, and the details of the row show a button that leads
        to it: a trace, a ticket, a dashboard.
      </p>
      <Stack direction="column" gap={2}>
        {fields.map((field, index) => (
          <LinkEditor
            key={keyOf(index)}
            id={`woodshed-link-${keyOf(index)}`}
            field={field}
            position={index + 1}
            isLast={index === fields.length - 1}
            sharesName={field.name !== '' && fields.findIndex(({ name }) => name === field.name) < index}
            disabled={disabled}
            onChange={(next) => replace(index, next)}
            onRemove={() => onRemove(index)}
            onMoveUp={() => onMoveUp(index)}
            onMoveDown={() => onMoveUp(index + 1)}
          />
        ))}
        <div>
          <Button variant="secondary" icon="plus" disabled={disabled} onClick={onAdd}>
            Add link
          </Button>
        </div>
        {fields.length > 0 && <TestLine fields={fields} />}
      </Stack>
    </FieldSet>
  );
}

/** The list with an item before the one that it stood behind. */
function swapped<T>(list: T[], index: number): T[] {
  return list.flatMap((item, at) => (at === index - 1 ? [list[index], item] : at === index ? [] : [item]));
}
