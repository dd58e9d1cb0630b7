import { Field, FieldSet, Input } from '@grafana/ui';
import React, { type ChangeEvent, useState } from 'react';
import { LINES_DEFAULT } from '../../types';
import { formatCount } from '../numbers';

interface Props {
  /** As it is stored, which in a provisioning file may be anything. */
  maxLines: unknown;
  /** How many lines no query may exceed; not known before the store answers. */
  rowsMax?: number;
  disabled: boolean;
  /** Called with a valid number, undefined for the default, or what was stored before while the text is not valid. */
  onChange: (maxLines: number | undefined) => void;
}

export function LimitsSection({ maxLines, rowsMax, disabled, onChange }: Props) {
  const [text, setText] = useState(() => (maxLines === undefined || maxLines === null ? '' : String(maxLines)));
  const [before] = useState(() => (typeof maxLines === 'number' ? maxLines : undefined));
  const valid = rowsMax === undefined ? 'at least 1' : `from 1 to ${formatCount(rowsMax)}`;
  const invalid = text !== '' && !isValid(Number(text), rowsMax);

  const onText = (event: ChangeEvent<HTMLInputElement>) => {
    const next = event.currentTarget.value;
    setText(next);
    if (next === '') {
      onChange(undefined);
    } else {
      // Of 20000, the 2000 on the way to it must not be what is saved.
      onChange(isValid(Number(next), rowsMax) ? Number(next) : before);
    }
  };

  return (
    <FieldSet label="Limits">
      <Field
        label="Default lines"
        description={`How many lines a query returns that does not say: ${valid}, and ${formatCount(LINES_DEFAULT)} if empty.`}
        disabled={disabled}
        invalid={invalid}
        error={`${text} is not a whole number ${valid}${rowsMax === undefined ? '' : ' (grafana.rows_max)'}${text === String(before) ? '' : '; it is not saved'}.`}
      >
        <Input
          id="woodshed-max-lines"
          type="number"
          min={1}
          max={rowsMax}
          step={1}
          width={30}
          placeholder={String(LINES_DEFAULT)}
          value={text}
          onChange={onText}
        />
      </Field>
    </FieldSet>
  );
}

function isValid(lines: number, rowsMax = Infinity): boolean {
  return Number.isInteger(lines) && lines >= 1 && lines <= rowsMax;
}
