import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Icon, Input, useStyles2 } from '@grafana/ui';
import React, { useState } from 'react';
import type { Counted, CountList } from '../../counts';
import { countOf, formatCount } from '../numbers';
import { useCounts } from './useCounts';
import { type ListItem, VirtualList } from './VirtualList';

interface Props {
  title: string;
  /** What is listed, in the singular: label or value. */
  noun: string;
  ask: (search: string) => Promise<CountList>;
  toItem: (item: Counted) => ListItem;
  /** What is listed before all that is found, as long as nothing is searched. */
  pinned?: readonly string[];
  multiple?: boolean;
  onPick: (value: string) => void;
}

/** Names or values with a field to search them; the store searches, so that their number does not matter. */
export function SearchList({ title, noun, ask, toItem, pinned = [], multiple, onPick }: Props) {
  const styles = useStyles2(getStyles);
  const [search, setSearch] = useState('');
  const answer = useCounts(ask, search);
  const list = answer?.list ?? { items: [], total: 0 };
  const found = new Set(list.items.map(({ text }) => text));
  const first = search ? [] : pinned.filter((text) => !found.has(text)).map((text) => ({ text, count: 0 }));
  const cut = list.total > list.items.length;

  return (
    <section className={styles.column} aria-label={title}>
      <div className={styles.title}>{title}</div>
      <Input
        aria-label={`Search ${noun}s`}
        placeholder={`Search ${noun}s`}
        prefix={<Icon name="search" />}
        value={search}
        onChange={({ currentTarget }) => setSearch(currentTarget.value)}
      />
      <VirtualList label={title} items={[...first, ...list.items].map(toItem)} multiple={multiple} onPick={onPick} />
      <div className={styles.foot} role="status">
        {answer?.failed
          ? `The ${noun}s could not be read.`
          : answer && cut
            ? `The first ${formatCount(list.items.length)} of ${formatCount(list.total)}, type to narrow`
            : answer && countOf(list.total, noun)}
      </div>
    </section>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  column: css({ flex: '1 1 280px', minWidth: 0, display: 'flex', flexDirection: 'column', gap: theme.spacing(1) }),
  title: css({
    fontWeight: theme.typography.fontWeightMedium,
    overflow: 'hidden',
    textOverflow: 'ellipsis',
    whiteSpace: 'nowrap',
  }),
  foot: css({
    minHeight: theme.spacing(2.5),
    color: theme.colors.text.secondary,
    fontSize: theme.typography.bodySmall.fontSize,
  }),
});
