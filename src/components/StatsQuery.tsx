import { css } from '@emotion/css';
import type { GrafanaTheme2, QueryEditorProps } from '@grafana/data';
import { Combobox, type ComboboxOption, InlineField, Input, RadioButtonGroup, useStyles2 } from '@grafana/ui';
import React, { useCallback, useId, useState } from 'react';
import type { WoodshedDatasource } from '../datasource';
import { isStatsQuery, readStatistics, type Statistic } from '../stats';
import type { QueryType, WoodshedOptions, WoodshedQuery } from '../types';
import { Notice } from './Notice';
import { QueryEditor } from './QueryEditor';
import { useAnswer } from './useAnswer';
import { useChoice } from './useChoice';

type Props = QueryEditorProps<WoodshedDatasource, WoodshedQuery, WoodshedOptions>;

/** The editor of a query: of logs and what is counted of them, or of what the store knows of itself. */
export function AnyQueryEditor(props: Props) {
  return isStatsQuery(props.query) ? <StatsQuery {...props} /> : <QueryEditor {...props} />;
}

const QUERY_TYPES: Array<{ value: QueryType; label: string; description: string }> = [
  { value: 'range', label: 'Logs', description: 'Back to LogQL' },
  { value: 'stats', label: 'Stats', description: 'What the store knows of itself' },
];

const SPANS = [
  { value: false, label: 'Over time', description: 'A series over the time range' },
  { value: true, label: 'Now', description: 'One value at the end of the time range' },
];

/** Which statistic, split by what, over time or now. */
export function StatsQuery({ datasource, query, onChange, onRunQuery }: Props) {
  const styles = useStyles2(getStyles);
  const ids = useId();
  const known = useAnswer(
    useCallback(
      () => datasource.getResource('statistics', {}, { showErrorAlert: false }).then(readStatistics),
      [datasource]
    )
  );
  const chosen = known?.find(({ name }) => name === query.stat);

  const change = (changed: Partial<WoodshedQuery>) => {
    onChange({ ...query, ...changed });
    onRunQuery();
  };

  // A split of the one statistic need not be one of the next.
  const onStatistic = useChoice(query.stat, (stat: string) => change({ stat, by: undefined }));
  const onSplit = useChoice(query.by ?? chosen?.by[0], (by: string) => change({ by }));

  return (
    <div className={styles.fields}>
      <InlineField label="Type" labelWidth={12}>
        <RadioButtonGroup
          aria-label="Type"
          options={QUERY_TYPES}
          value={query.queryType}
          onChange={(queryType) => change({ queryType })}
        />
      </InlineField>
      <InlineField label="Statistic" labelWidth={12} htmlFor={`${ids}-stat`}>
        <Combobox
          id={`${ids}-stat`}
          aria-label="Statistic"
          width={40}
          placeholder={known ? 'Choose' : 'Loading'}
          options={statOptions(known ?? [], query.stat)}
          value={query.stat ?? null}
          onChange={onStatistic}
        />
      </InlineField>
      <InlineField label="Split by" labelWidth={12} htmlFor={`${ids}-by`}>
        <Combobox
          id={`${ids}-by`}
          aria-label="Split by"
          width={20}
          disabled={!chosen}
          options={splitOptions(chosen?.by ?? [], query.by)}
          value={query.by ?? chosen?.by[0] ?? null}
          onChange={onSplit}
        />
      </InlineField>
      <InlineField label="Time" labelWidth={12}>
        <RadioButtonGroup
          aria-label="Time"
          options={SPANS}
          value={query.instant ?? false}
          onChange={(instant) => change({ instant })}
        />
      </InlineField>
      <InlineField
        label="Legend"
        labelWidth={12}
        tooltip="Name of a series, such as {{kind}}. Empty: what makes it different."
      >
        <LegendInput
          key={query.legendFormat}
          value={query.legendFormat ?? ''}
          onCommit={(text) => change({ legendFormat: text || undefined })}
        />
      </InlineField>
      {chosen?.process && (
        <Notice severity="info">
          Of the whole store. Where organisations are kept apart, this is for Admins of those in
          woodshed_grafana_stats_orgs.
        </Notice>
      )}
    </div>
  );
}

function statOptions(known: readonly Statistic[], current: string | undefined): Array<ComboboxOption<string>> {
  const options = known.map(({ name, title }) => ({ value: name, label: title, description: name }));
  // A variable, or one of another version of the store, is shown as it stands.
  return !current || known.some(({ name }) => name === current) ? options : [{ value: current }, ...options];
}

function splitOptions(by: readonly string[], current: string | undefined): Array<ComboboxOption<string>> {
  const values = !current || by.includes(current) ? by : [current, ...by];
  return values.map((value) => ({ value, label: value === 'none' ? 'nothing' : value }));
}

interface LegendInputProps {
  value: string;
  onCommit: (text: string) => void;
}

/** A text that counts when it is left or Enter is pressed. */
function LegendInput({ value, onCommit }: LegendInputProps) {
  const [text, setText] = useState(value);
  const commit = () => {
    if (text !== value) {
      onCommit(text);
    }
  };
  return (
    <Input
      aria-label="Legend"
      width={20}
      placeholder="auto"
      value={text}
      onChange={({ currentTarget }) => setText(currentTarget.value)}
      onBlur={commit}
      onKeyDown={({ key }) => key === 'Enter' && commit()}
    />
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  fields: css({ display: 'flex', flexWrap: 'wrap', alignItems: 'center', gap: theme.spacing(0, 2) }),
});
