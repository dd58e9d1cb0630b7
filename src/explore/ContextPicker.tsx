import { css } from '@emotion/css';
import type { GrafanaTheme2, LogRowModel } from '@grafana/data';
import { Button, InlineSwitch, useStyles2 } from '@grafana/ui';
import React, { useEffect, useId, useMemo, useState } from 'react';
import { isSelective } from '../logql/selector';
import type { WoodshedQuery } from '../types';
import { canKeepParsers, type ContextChoice, FIRST_CHOICE, type LogContext, streamLabels } from './context';

interface Props {
  context: LogContext;
  row: LogRowModel;
  query?: WoodshedQuery;
  /** Reads the lines around the row again. */
  onChange?: () => void;
}

/** Above the lines around a line: the labels of its stream, each of which can be left out to see more streams. */
export function ContextPicker({ context, row, query, onChange }: Props) {
  const styles = useStyles2(getStyles);
  const titleId = useId();
  const labels = useMemo(() => streamLabels(row), [row]);
  const [choice, setChoice] = useState<ContextChoice>(FIRST_CHOICE);

  useEffect(() => context.open(row, choice), [context, row, choice]);

  const change = (changed: Partial<ContextChoice>) => {
    const next = { ...choice, ...changed };
    setChoice(next);
    // Grafana asks again before this is rendered.
    context.open(row, next);
    onChange?.();
  };

  const isDropped = (name: string) => choice.dropped.includes(name);
  const toggle = (name: string) => {
    change({ dropped: isDropped(name) ? choice.dropped.filter((other) => other !== name) : [...choice.dropped, name] });
  };
  const canDrop = (name: string) =>
    isSelective(labels.filter((label) => label.name !== name && !isDropped(label.name)));

  return (
    <div className={styles.picker}>
      <div className={styles.labels} role="group" aria-labelledby={titleId}>
        <span id={titleId} className={styles.title}>
          Streams with
        </span>
        {labels.map(({ name, value }) => {
          const on = !isDropped(name);
          const isLast = on && !canDrop(name);
          return (
            <Button
              key={name}
              size="sm"
              variant={on ? 'primary' : 'secondary'}
              fill={on ? 'solid' : 'outline'}
              icon={on ? 'check' : 'plus'}
              aria-pressed={on}
              disabled={isLast}
              tooltip={isLast ? 'One label has to stay' : `${on ? 'Leave out' : 'Keep to'} ${name}="${value}"`}
              onClick={() => toggle(name)}
            >
              <span className={styles.label}>{`${name}="${value}"`}</span>
            </Button>
          );
        })}
        {choice.dropped.length > 0 && (
          <Button size="sm" variant="secondary" fill="text" onClick={() => change({ dropped: [] })}>
            Only this stream
          </Button>
        )}
      </div>
      {canKeepParsers(query) && (
        <InlineSwitch
          label="Parse as in the query"
          showLabel
          transparent
          value={choice.parsers}
          onChange={({ currentTarget }) => change({ parsers: currentTarget.checked })}
        />
      )}
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  picker: css({ display: 'flex', flexWrap: 'wrap', alignItems: 'center', gap: theme.spacing(1), width: '100%' }),
  labels: css({
    display: 'flex',
    flex: 1,
    flexWrap: 'wrap',
    alignItems: 'center',
    gap: theme.spacing(0.5),
    maxHeight: '20vh',
    overflowY: 'auto',
  }),
  title: css({ color: theme.colors.text.secondary, marginRight: theme.spacing(0.5) }),
  label: css({ maxWidth: '40ch', overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'pre' }),
});
