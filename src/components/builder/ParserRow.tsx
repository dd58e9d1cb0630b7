import { RadioButtonGroup } from '@grafana/ui';
import React, { useState } from 'react';
import { type Parser, setParser } from '../../logql/builder';
import { BuilderRow } from './BuilderRow';
import { CommittedInput } from '../CommittedInput';

interface Props {
  expr: string;
  /** Undefined for one that only the text can say. */
  parser?: Parser;
  disabled: boolean;
  onChange: (expr: string) => void;
}

const OPTIONS: Array<{ value: Parser['kind']; label: string; description: string }> = [
  { value: 'none', label: 'None', description: 'Lines as they are' },
  { value: 'json', label: 'JSON', description: 'Labels from the keys of a JSON line' },
  { value: 'logfmt', label: 'logfmt', description: 'Labels from key=value pairs' },
  { value: 'pattern', label: 'Pattern', description: 'Labels from the shape of a line' },
];

/** How labels are read out of lines. A pattern is in the text once there is one. */
export function ParserRow({ expr, parser, disabled, onChange }: Props) {
  const [drafted, setDrafted] = useState(false);
  const kind = drafted ? 'pattern' : parser?.kind;
  const pattern = parser?.kind === 'pattern' ? parser.pattern : '';

  const choose = (next: Parser['kind']) => {
    setDrafted(next === 'pattern' && parser?.kind !== 'pattern');
    if (next !== 'pattern') {
      onChange(setParser(expr, { kind: next }));
    }
  };

  return (
    <BuilderRow title="Parse as">
      <RadioButtonGroup
        aria-label="Parse as"
        options={OPTIONS}
        value={kind}
        disabled={disabled || parser === undefined}
        onChange={choose}
      />
      {kind === 'pattern' && (
        <CommittedInput
          label="Pattern"
          placeholder="<ip> - - <_> <status>"
          width={50}
          value={pattern}
          autoFocus={drafted}
          onCommit={(text) => {
            setDrafted(false);
            onChange(setParser(expr, text === '' ? { kind: 'none' } : { kind: 'pattern', pattern: text }));
          }}
        />
      )}
    </BuilderRow>
  );
}
