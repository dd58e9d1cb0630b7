import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import React, { type ReactNode, useId } from 'react';

interface Props {
  title: string;
  children: ReactNode;
}

/** One line of the builder: what it is about, and its fields. */
export function BuilderRow({ title, children }: Props) {
  const styles = useStyles2(getStyles);
  const id = useId();
  return (
    <div className={styles.row} role="group" aria-labelledby={id}>
      <span id={id} className={styles.title}>
        {title}
      </span>
      <div className={styles.fields}>{children}</div>
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  row: css({ display: 'flex', alignItems: 'flex-start', gap: theme.spacing(1) }),
  title: css({
    flexShrink: 0,
    width: theme.spacing(11),
    lineHeight: theme.spacing(theme.components.height.md),
    fontSize: theme.typography.bodySmall.fontSize,
    fontWeight: theme.typography.fontWeightMedium,
  }),
  fields: css({ display: 'flex', flexWrap: 'wrap', alignItems: 'center', gap: theme.spacing(1), minWidth: 0 }),
});
