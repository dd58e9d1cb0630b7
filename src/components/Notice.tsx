import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Icon, useStyles2 } from '@grafana/ui';
import React, { type ReactNode } from 'react';

export type Severity = 'info' | 'warning' | 'error';

interface Props {
  severity: Severity;
  children: ReactNode;
}

const ICONS = { info: 'info-circle', warning: 'exclamation-triangle', error: 'exclamation-circle' } as const;

/** One sentence below a field. It is read aloud when it appears. */
export function Notice({ severity, children }: Props) {
  const styles = useStyles2(getStyles, severity);
  return (
    <div className={styles.notice} role={severity === 'info' ? 'status' : 'alert'}>
      <Icon name={ICONS[severity]} className={styles.icon} />
      <span>{children}</span>
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2, severity: Severity) => ({
  notice: css({
    display: 'flex',
    gap: theme.spacing(0.5),
    color: severity === 'info' ? theme.colors.text.secondary : theme.colors[severity].text,
    fontSize: theme.typography.bodySmall.fontSize,
  }),
  icon: css({ flexShrink: 0, marginTop: theme.spacing(0.25) }),
});
