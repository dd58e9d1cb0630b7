import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { DataSourcePicker } from '@grafana/runtime';
import { Field, IconButton, Input, RadioButtonGroup, Stack, Switch, useStyles2 } from '@grafana/ui';
import React, { useState } from 'react';
import type { DerivedField, MatcherType } from '../../derived/config';
import { compile, foreignSyntax } from '../../derived/matcher';
import { Notice } from '../Notice';

interface Props {
  /** Begins the ids of the fields. */
  id: string;
  field: DerivedField;
  position: number;
  isLast: boolean;
  /** Whether an earlier link has the same name. */
  sharesName: boolean;
  disabled: boolean;
  onChange: (field: DerivedField) => void;
  onRemove: () => void;
  onMoveUp: () => void;
  onMoveDown: () => void;
}

const REGEX_WIDTH = 48;

type Target = 'url' | 'datasource';

const MATCHERS: Array<{ value: MatcherType; label: string }> = [
  { value: 'regex', label: 'Line' },
  { value: 'label', label: 'Label' },
];

const TARGETS: Array<{ value: Target; label: string }> = [
  { value: 'url', label: 'URL' },
  { value: 'datasource', label: 'Data source' },
];

/** One link: what finds its value, and where it leads. */
export function LinkEditor(props: Props) {
  const { field, position, isLast, sharesName, disabled, onRemove, onMoveUp, onMoveDown } = props;
  const styles = useStyles2(getStyles);
  const title = field.name || `Link ${position}`;
  return (
    <div role="group" aria-label={title} className={styles.card}>
      <div className={styles.head}>
        <h4 className={styles.title}>{title}</h4>
        <IconButton name="arrow-up" tooltip="Move up" disabled={disabled || position === 1} onClick={onMoveUp} />
        <IconButton name="arrow-down" tooltip="Move down" disabled={disabled || isLast} onClick={onMoveDown} />
        <IconButton name="trash-alt" tooltip="Remove link" disabled={disabled} onClick={onRemove} />
      </div>
      <MatcherFields {...props} />
      <TargetFields {...props} />
      {sharesName && (
        <Notice severity="info">
          An earlier link has this name: that one says what is found, and this one adds where it leads.
        </Notice>
      )}
    </div>
  );
}

function MatcherFields({ id, field, disabled, onChange }: Props) {
  const styles = useStyles2(getStyles);
  const { name, matcherRegex, matcherType = 'regex' } = field;
  const fault = matcherRegex ? compile(matcherRegex).fault : undefined;
  const foreign = foreignSyntax(matcherRegex);
  return (
    <>
      <Stack gap={2} wrap="wrap" alignItems="flex-start">
        <Field label="Name" disabled={disabled} invalid={!name} error="A link needs a name.">
          <Input
            id={`${id}-name`}
            value={name}
            width={24}
            placeholder="traceID"
            onChange={(event) => onChange({ ...field, name: event.currentTarget.value })}
          />
        </Field>
        <Field label="Found in" disabled={disabled}>
          <RadioButtonGroup
            id={`${id}-type`}
            aria-label="Found in"
            options={MATCHERS}
            value={matcherType}
            onChange={(type) => onChange({ ...field, matcherType: type })}
          />
        </Field>
        <Field
          label={matcherType === 'label' ? 'Label name or regular expression' : 'Regular expression'}
          className={styles.regex}
          disabled={disabled}
          invalid={!matcherRegex || fault !== undefined}
          error={fault ? `${fault[0].toUpperCase()}${fault.slice(1)}.` : 'Without it nothing is found.'}
        >
          <Input
            id={`${id}-regex`}
            value={matcherRegex}
            width={REGEX_WIDTH}
            placeholder={matcherType === 'label' ? 'trace_id' : 'traceID=(\\w+)'}
            onChange={(event) => onChange({ ...field, matcherRegex: event.currentTarget.value })}
          />
        </Field>
      </Stack>
      {foreign && <Notice severity="warning">{foreign}</Notice>}
    </>
  );
}

function TargetFields({ id, field, disabled, onChange }: Props) {
  const { url = '', urlDisplayLabel = '', datasourceUid, targetBlank = false } = field;
  // A data source is not chosen yet when a person has only said that the link leads to one.
  const [target, setTarget] = useState<Target>(datasourceUid ? 'datasource' : 'url');
  const internal = target === 'datasource';

  const onTarget = (next: Target) => {
    setTarget(next);
    if (next === 'url') {
      onChange({ ...field, datasourceUid: undefined });
    }
  };

  return (
    <Stack gap={2} wrap="wrap" alignItems="flex-start">
      <Field label="Leads to" disabled={disabled}>
        <RadioButtonGroup
          id={`${id}-target`}
          aria-label="Leads to"
          options={TARGETS}
          value={target}
          onChange={onTarget}
        />
      </Field>
      {internal && (
        <Field
          label="Data source"
          htmlFor={`${id}-datasource`}
          disabled={disabled}
          invalid={!datasourceUid}
          error="Choose the data source that the link opens."
        >
          <DataSourcePicker
            inputId={`${id}-datasource`}
            current={datasourceUid ?? null}
            noDefault
            disabled={disabled}
            width={30}
            onChange={({ uid }) => onChange({ ...field, datasourceUid: uid })}
          />
        </Field>
      )}
      <Field label={internal ? 'Query' : 'URL'} disabled={disabled}>
        <Input
          id={`${id}-url`}
          value={url}
          width={48}
          placeholder={internal ? '${__value.raw}' : 'https://example.com/${__value.raw}'}
          onChange={(event) => onChange({ ...field, url: event.currentTarget.value || undefined })}
        />
      </Field>
      <Field label="Text of the button" disabled={disabled}>
        <Input
          id={`${id}-label`}
          value={urlDisplayLabel}
          width={24}
          onChange={(event) => onChange({ ...field, urlDisplayLabel: event.currentTarget.value || undefined })}
        />
      </Field>
      <Field label="Open in a new tab" disabled={disabled}>
        <Switch
          id={`${id}-blank`}
          value={targetBlank}
          onChange={(event) => onChange({ ...field, targetBlank: event.currentTarget.checked })}
        />
      </Field>
    </Stack>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  card: css({
    padding: theme.spacing(2),
    background: theme.colors.background.secondary,
    borderRadius: theme.shape.radius.default,
  }),
  head: css({ display: 'flex', alignItems: 'center', gap: theme.spacing(1), marginBottom: theme.spacing(1) }),
  regex: css({ maxWidth: theme.spacing(REGEX_WIDTH) }), // The sentence below it would take the whole row.
  title: css({ flexGrow: 1, margin: 0, fontSize: theme.typography.body.fontSize }),
});
