import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Button, Modal, useStyles2 } from '@grafana/ui';
import React, { useCallback, useState } from 'react';
import type { CountSource } from '../../counts';
import { printSelector, readMatchers } from '../../logql/selector';
import type { SelectorStats } from '../../types';
import { countOf, formatBytes, formatCount } from '../numbers';
import { useAnswer } from '../useAnswer';
import { matchersBeside, type Picks, readPicks, togglePick, writePicks } from './picks';
import { SearchList } from './SearchList';

interface Props {
  /** The query. What the dialog ticks is in its first selector. */
  expr: string;
  source: CountSource;
  onShow: (expr: string) => void;
  onClose: () => void;
}

/** Labels and their values to walk through, with what each choice leaves over. */
export function BrowseDialog({ expr, source, onShow, onClose }: Props) {
  const styles = useStyles2(getStyles);
  const [picks, setPicks] = useState<Picks>(() => readPicks(expr));
  const [name, setName] = useState<string | undefined>(() => Array.from(picks.keys())[0]);
  const next = writePicks(expr, picks);
  const selector = printSelector(readMatchers(next));
  const beside = name === undefined ? '' : printSelector(matchersBeside(next, name));
  const isEmpty = selector === '{}';
  const ticked = (label: string) => picks.get(label) ?? [];

  // Names are not narrowed: a label that the ticked streams lack may be the next one to tick by.
  const askNames = useCallback((search: string) => source.names([], search), [source]);
  const askValues = useCallback(
    (search: string) => source.values(name ?? '', readMatchers(beside), search),
    [source, name, beside]
  );
  const askStats = useCallback(() => source.stats(readMatchers(selector)), [source, selector]);
  const stats = useAnswer(askStats);

  return (
    <Modal title="Browse labels" isOpen onDismiss={onClose} className={styles.dialog}>
      <div className={styles.columns}>
        <SearchList
          title="Labels"
          noun="label"
          ask={askNames}
          toItem={({ text, count }) => ({
            value: text,
            label: text,
            note:
              ticked(text).length > 0 ? `${formatCount(ticked(text).length)} of ${formatCount(count)}` : notZero(count),
            selected: text === name,
          })}
          onPick={setName}
        />
        {name === undefined ? (
          <div className={styles.advice}>Choose a label to see its values.</div>
        ) : (
          <SearchList
            key={name}
            title={`Values of ${name}`}
            noun="value"
            multiple
            ask={askValues}
            pinned={ticked(name)}
            toItem={({ text, count }) => ({
              value: text,
              label: text,
              note: count > 0 ? countOf(count, 'stream') : undefined,
              selected: ticked(name).includes(text),
            })}
            onPick={(value) => setPicks(togglePick(picks, name, value))}
          />
        )}
      </div>
      <div className={styles.result}>
        <code className={styles.selector} aria-label="Resulting selector">
          {selector}
        </code>
        <span role="status">{describe(isEmpty, stats)}</span>
      </div>
      <Modal.ButtonRow>
        <Button variant="secondary" fill="outline" onClick={onClose}>
          Cancel
        </Button>
        <Button variant="secondary" disabled={picks.size === 0} onClick={() => setPicks(new Map())}>
          Clear
        </Button>
        <Button disabled={isEmpty} onClick={() => onShow(next)}>
          Show logs
        </Button>
      </Modal.ButtonRow>
    </Modal>
  );
}

function notZero(count: number): string | undefined {
  return count > 0 ? formatCount(count) : undefined;
}

function describe(isEmpty: boolean, stats: SelectorStats | undefined): string {
  if (isEmpty) {
    return 'Tick values to choose streams.';
  }
  return stats ? `${countOf(stats.streams, 'stream')}, ${formatBytes(stats.bytes)}` : '';
}

const getStyles = (theme: GrafanaTheme2) => ({
  dialog: css({ width: 'min(860px, 94vw)' }),
  columns: css({ display: 'flex', flexWrap: 'wrap', gap: theme.spacing(2) }),
  advice: css({ flex: '1 1 280px', alignSelf: 'center', textAlign: 'center', color: theme.colors.text.secondary }),
  result: css({
    display: 'flex',
    flexWrap: 'wrap',
    alignItems: 'baseline',
    justifyContent: 'space-between',
    gap: theme.spacing(1),
    marginTop: theme.spacing(1),
    minHeight: theme.spacing(4),
  }),
  selector: css({ overflowWrap: 'anywhere', maxHeight: 120, overflowY: 'auto' }),
});
