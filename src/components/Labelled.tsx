import { css } from '@emotion/css';
import { useStyles2 } from '@grafana/ui';
import React, { type ReactNode, useId } from 'react';

interface Props {
  label: string;
  /** The field, which refers to the label by this id. */
  children: (labelId: string) => ReactNode;
}

/** A name that only screen readers see, for fields that take no label as text. */
export function Labelled({ label, children }: Props) {
  const styles = useStyles2(getStyles);
  const id = useId();
  return (
    <>
      <span id={id} className={styles.hidden}>
        {label}
      </span>
      {children(id)}
    </>
  );
}

const getStyles = () => ({
  hidden: css({
    position: 'absolute',
    width: 1,
    height: 1,
    overflow: 'hidden',
    clipPath: 'inset(50%)',
    whiteSpace: 'nowrap',
  }),
});
