import { css, cx } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Icon, useStyles2 } from '@grafana/ui';
import React, { type KeyboardEvent, useId, useRef, useState } from 'react';

export interface ListItem {
  value: string;
  label: string;
  /** What stands at the end of the row. */
  note?: string;
  selected: boolean;
}

interface Props {
  label: string;
  items: readonly ListItem[];
  /** Whether several rows can be selected; each has a box to tick then. */
  multiple?: boolean;
  onPick: (value: string) => void;
}

const ROW_PX = 30;
const HEIGHT_PX = 330;
const ROWS_SHOWN = HEIGHT_PX / ROW_PX;
const OVERSCAN = 6;

/** A list of any length, of which only the rows in view are in the page. Arrows move in it, space or Enter picks. */
export function VirtualList({ label, items, multiple = false, onPick }: Props) {
  const styles = useStyles2(getStyles);
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const [scrolled, setScrolled] = useState(0);
  const [active, setActive] = useState(0);
  const current = Math.min(active, items.length - 1);
  const first = Math.max(0, Math.floor(scrolled / ROW_PX) - OVERSCAN);
  const shown = items.slice(first, first + ROWS_SHOWN + 2 * OVERSCAN);

  const move = (to: number) => {
    const next = Math.max(0, Math.min(to, items.length - 1));
    setActive(next);
    const top = next * ROW_PX;
    if (box.current && (top < box.current.scrollTop || top + ROW_PX > box.current.scrollTop + HEIGHT_PX)) {
      box.current.scrollTop = top < box.current.scrollTop ? top : top + ROW_PX - HEIGHT_PX;
      setScrolled(box.current.scrollTop);
    }
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const steps: Record<string, number> = {
      ArrowDown: current + 1,
      ArrowUp: current - 1,
      PageDown: current + ROWS_SHOWN,
      PageUp: current - ROWS_SHOWN,
      Home: 0,
      End: items.length - 1,
    };
    if (event.key in steps) {
      move(steps[event.key]);
    } else if ((event.key === 'Enter' || event.key === ' ') && items[current]) {
      onPick(items[current].value);
    } else {
      return;
    }
    event.preventDefault();
  };

  return (
    <div
      ref={box}
      className={styles.box}
      role="listbox"
      tabIndex={0}
      aria-label={label}
      aria-multiselectable={multiple}
      aria-activedescendant={items.length > 0 ? `${id}-${current}` : undefined}
      onKeyDown={onKeyDown}
      onScroll={({ currentTarget }) => setScrolled(currentTarget.scrollTop)}
    >
      <div style={{ height: items.length * ROW_PX, position: 'relative' }} role="presentation">
        {shown.map((item, offset) => {
          const index = first + offset;
          return (
            <div
              key={item.value}
              id={`${id}-${index}`}
              role="option"
              aria-selected={item.selected}
              aria-setsize={items.length}
              aria-posinset={index + 1}
              className={cx(styles.row, item.selected && styles.selected, index === current && styles.active)}
              style={{ top: index * ROW_PX }}
              onClick={() => {
                setActive(index);
                onPick(item.value);
              }}
            >
              {multiple && (
                <span className={cx(styles.tick, item.selected && styles.ticked)}>
                  {item.selected && <Icon name="check" size="sm" />}
                </span>
              )}
              <span className={styles.label} title={item.label}>
                {item.label}
              </span>
              {item.note && <span className={styles.note}>{item.note}</span>}
            </div>
          );
        })}
      </div>
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  box: css({
    height: HEIGHT_PX,
    overflowY: 'auto',
    border: `1px solid ${theme.colors.border.weak}`,
    borderRadius: theme.shape.radius.default,
    background: theme.colors.background.primary,
    '&:focus-visible': { outline: `2px solid ${theme.colors.primary.main}`, outlineOffset: -2 },
  }),
  row: css({
    position: 'absolute',
    left: 0,
    right: 0,
    height: ROW_PX,
    display: 'flex',
    alignItems: 'center',
    gap: theme.spacing(1),
    padding: theme.spacing(0, 1),
    cursor: 'pointer',
    '&:hover': { background: theme.colors.action.hover },
  }),
  selected: css({ background: theme.colors.action.selected }),
  active: css({ '[role=listbox]:focus-visible &': { boxShadow: `inset 2px 0 0 ${theme.colors.primary.main}` } }),
  tick: css({
    flexShrink: 0,
    width: 16,
    height: 16,
    display: 'flex',
    alignItems: 'center',
    justifyContent: 'center',
    border: `1px solid ${theme.components.input.borderColor}`,
    borderRadius: theme.shape.radius.default,
    background: theme.components.input.background,
  }),
  ticked: css({
    background: theme.colors.primary.main,
    borderColor: theme.colors.primary.main,
    color: theme.colors.primary.contrastText,
  }),
  label: css({ flexGrow: 1, overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' }),
  note: css({
    flexShrink: 0,
    color: theme.colors.text.secondary,
    fontSize: theme.typography.bodySmall.fontSize,
    fontVariantNumeric: 'tabular-nums',
  }),
});
