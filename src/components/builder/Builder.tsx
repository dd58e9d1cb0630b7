import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import React from 'react';
import { readQuery } from '../../logql/builder';
import { CountRow } from './CountRow';
import type { AskFields } from './fields';
import { LineRow } from './LineRow';
import { ParserRow } from './ParserRow';
import { WhereRow } from './WhereRow';

interface Props {
  expr: string;
  askFields: AskFields;
  onChange: (expr: string) => void;
}

const ADVICE = {
  empty: 'Add a label first: it says whose lines to look at.',
  unfinished: 'The text is not a whole query yet. The builder goes on when it is.',
};

/** The parts of a query as fields, each of which writes LogQL into the text. The text decides what they show. */
export function Builder({ expr, askFields, onChange }: Props) {
  const styles = useStyles2(getStyles);
  const { blocked, lines, parser, where, count, onlyInText } = readQuery(expr);
  const disabled = blocked !== undefined;
  return (
    <fieldset className={styles.builder} disabled={disabled} aria-label="Builder">
      <LineRow expr={expr} lines={lines} onChange={onChange} />
      <ParserRow expr={expr} parser={parser} disabled={disabled} onChange={onChange} />
      <WhereRow expr={expr} where={where} askFields={askFields} onChange={onChange} />
      <CountRow expr={expr} count={count} disabled={disabled} askFields={askFields} onChange={onChange} />
      {blocked && <span className={styles.note}>{ADVICE[blocked]}</span>}
      {onlyInText.length > 0 && (
        <span className={styles.note}>
          {onlyInText.length === 1 ? 'This part is only in the text: ' : 'These parts are only in the text: '}
          {onlyInText.map((part, index) => (
            <React.Fragment key={index}>
              {index > 0 && ' '}
              <code>{part}</code>
            </React.Fragment>
          ))}
        </span>
      )}
    </fieldset>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  builder: css({ display: 'flex', flexDirection: 'column', gap: theme.spacing(1), minWidth: 0 }),
  note: css({ color: theme.colors.text.secondary, fontSize: theme.typography.bodySmall.fontSize }),
});
