import { getDefaultTimeRange, type QueryEditorProps } from '@grafana/data';
import { Combobox, type ComboboxOption, InlineField, Input, RadioButtonGroup } from '@grafana/ui';
import React, { useId, useMemo, useState } from 'react';
import { Notice } from '../components/Notice';
import type { WoodshedDatasource } from '../datasource';
import { findProblems } from '../logql/parse';
import { readMatchers } from '../logql/selector';
import type { WoodshedOptions, WoodshedQuery } from '../types';
import { EMPTY_VARIABLE_QUERY, LABEL_NAMES, LABEL_VALUES, readVariableQuery, type VariableQuery } from './query';

type Props = QueryEditorProps<WoodshedDatasource, WoodshedQuery, WoodshedOptions, VariableQuery>;

const TYPES: Array<{ value: VariableQuery['type']; label: string; description: string }> = [
  { value: LABEL_VALUES, label: 'Values of a label', description: 'Such as the names of all containers' },
  { value: LABEL_NAMES, label: 'Label names', description: 'The labels themselves, to group or filter by' },
];

const LABEL_WIDTH = 20;

/** What a variable lists: label names, or the values of a label, of all streams or of those of a selector. */
export function VariableEditor({ datasource, query: stored, range, onChange }: Props) {
  const query = readVariableQuery(stored) ?? EMPTY_VARIABLE_QUERY;
  const change = (changed: Partial<VariableQuery>) => onChange({ ...query, ...changed });
  return (
    <>
      <InlineField label="List" labelWidth={LABEL_WIDTH}>
        <RadioButtonGroup aria-label="List" options={TYPES} value={query.type} onChange={(type) => change({ type })} />
      </InlineField>
      {query.type === LABEL_VALUES && (
        <LabelField
          label={query.label ?? ''}
          stream={query.stream ?? ''}
          datasource={datasource}
          range={range}
          onChange={(label) => change({ label })}
        />
      )}
      <SelectorField key={query.stream} stream={query.stream ?? ''} onChange={(stream) => change({ stream })} />
    </>
  );
}

interface LabelFieldProps {
  label: string;
  stream: string;
  datasource: WoodshedDatasource;
  range: Props['range'];
  onChange: (label: string) => void;
}

function LabelField({ label, stream, datasource, range, onChange }: LabelFieldProps) {
  const id = useId();
  const source = useMemo(() => datasource.labelSource(range ?? getDefaultTimeRange()), [datasource, range]);
  const load = async (typed: string): Promise<Array<ComboboxOption<string>>> => {
    const needle = typed.toLowerCase();
    const names = await source.labelNames(readMatchers(stream));
    return names.filter((name) => name.toLowerCase().includes(needle)).map((name) => ({ value: name, label: name }));
  };
  return (
    <InlineField
      label="Label"
      labelWidth={LABEL_WIDTH}
      tooltip="The label whose values are listed. It may be a variable."
    >
      <Combobox
        id={id}
        value={label || null}
        options={load}
        onChange={({ value }) => onChange(value)}
        placeholder="Label"
        createCustomValue
        width={32}
      />
    </InlineField>
  );
}

const SELECTOR_TOOLTIP =
  'Only streams of this selector are looked at. It may hold other variables, which chain this one to them: {app=~"$app"}. ' +
  'With $__searchFilter the list is asked for again while a person types: {app=~"$__searchFilter"}.';

interface SelectorFieldProps {
  stream: string;
  onChange: (stream: string) => void;
}

/** The selector counts when the field is left or Enter is pressed. Give it its stream as key. */
function SelectorField({ stream, onChange }: SelectorFieldProps) {
  const [text, setText] = useState(stream);
  const problem = findProblems(text)[0];
  const commit = () => {
    if (text.trim() !== stream) {
      onChange(text.trim());
    }
  };
  return (
    <>
      <InlineField label="In streams" labelWidth={LABEL_WIDTH} tooltip={SELECTOR_TOOLTIP} grow>
        <Input
          aria-label="In streams"
          placeholder={'all, or a selector: {namespace="prod", app=~"$app"}'}
          value={text}
          invalid={problem !== undefined}
          onChange={({ currentTarget }) => setText(currentTarget.value)}
          onBlur={commit}
          onKeyDown={({ key }) => key === 'Enter' && commit()}
        />
      </InlineField>
      {problem && <Notice severity="error">{problem.message}</Notice>}
    </>
  );
}
