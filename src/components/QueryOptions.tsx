import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Button, Icon, InlineField, RadioButtonGroup, Tooltip, useStyles2 } from '@grafana/ui';
import React, { useState } from 'react';
import { readsLines } from '../logql/modify';
import { isMetricQuery } from '../logql/parse';
import type { Direction, QueryType, SelectorStats, WoodshedQuery } from '../types';
import { CommittedInput } from './CommittedInput';
import { countOf, formatBytes, formatCount } from './numbers';

interface Props {
  query: WoodshedQuery;
  /** Lines of a query that does not say. */
  maxLines: number;
  /** Lines that the store returns at most, when it has said so. */
  rowsMax?: number;
  /** Explore shows rows in an order of its own, which queries without a direction follow. */
  followsExplore: boolean;
  /** What the query would read, when it is known. */
  stats?: SelectorStats;
  onChange: (query: WoodshedQuery) => void;
  onRunQuery: () => void;
}

const SLOW_BYTES = 10e9; // Some ten seconds of reading on one machine.

const QUERY_TYPES: Array<{ value: QueryType; label: string; description: string }> = [
  { value: 'range', label: 'Range', description: 'Over the whole time range' },
  { value: 'instant', label: 'Instant', description: 'At the end of the time range' },
  { value: 'stats', label: 'Stats', description: 'What the store knows of itself, instead of logs' },
];

const DIRECTIONS: Array<{ value: Direction; label: string; description: string }> = [
  { value: 'backward', label: 'Newest first', description: 'A limited answer holds the newest lines' },
  { value: 'forward', label: 'Oldest first', description: 'A limited answer holds the oldest lines' },
];

/** One line that says how the query runs; opened, the fields to change it. */
export function QueryOptions({
  query,
  maxLines,
  rowsMax = Infinity,
  followsExplore,
  stats,
  onChange,
  onRunQuery,
}: Props) {
  const styles = useStyles2(getStyles);
  const [open, setOpen] = useState(false);
  const isMetric = isMetricQuery(query.expr);

  const change = (changed: Partial<WoodshedQuery>) => {
    onChange({ ...query, ...changed });
    onRunQuery();
  };

  return (
    <div>
      <div className={styles.line}>
        <Button
          variant="secondary"
          fill="text"
          size="sm"
          icon={open ? 'angle-down' : 'angle-right'}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          Options
        </Button>
        <span className={styles.summary}>{summarize(query, maxLines, followsExplore, isMetric)}</span>
        {stats && <Estimate expr={query.expr} stats={stats} />}
      </div>
      {open && (
        <div className={styles.fields}>
          <InlineField label="Type" labelWidth={12}>
            <RadioButtonGroup
              aria-label="Type"
              options={QUERY_TYPES}
              value={query.queryType ?? 'range'}
              onChange={(queryType) => change({ queryType })}
            />
          </InlineField>
          {isMetric ? (
            <InlineField
              label="Legend"
              labelWidth={12}
              tooltip="Name of a series, such as {{app}}. Empty: all its labels."
            >
              <CommittedInput
                width={16}
                label="Legend"
                placeholder="{{label}}"
                value={query.legendFormat ?? ''}
                onCommit={(legendFormat) => change({ legendFormat: legendFormat || undefined })}
              />
            </InlineField>
          ) : (
            <>
              <InlineField label="Lines" labelWidth={12} tooltip={linesTooltip(rowsMax)}>
                <CommittedInput
                  width={16}
                  label="Lines"
                  type="number"
                  placeholder={String(maxLines)}
                  value={query.maxLines === undefined ? '' : String(query.maxLines)}
                  onCommit={(text) => change({ maxLines: readLines(text, rowsMax) })}
                />
              </InlineField>
              <InlineField label="Direction" labelWidth={12}>
                <RadioButtonGroup
                  aria-label="Direction"
                  options={DIRECTIONS}
                  value={query.direction ?? (followsExplore ? undefined : 'backward')}
                  onChange={(direction) => change({ direction })}
                />
              </InlineField>
            </>
          )}
          <InlineField label="Step" labelWidth={12} tooltip={isMetric ? STEP_OF_POINTS : STEP_OF_BARS}>
            <CommittedInput
              width={16}
              label="Step"
              placeholder="auto"
              key={`step ${query.step}`}
              value={query.step ?? ''}
              onCommit={(step) => change({ step: step.trim() || undefined })}
            />
          </InlineField>
        </div>
      )}
    </div>
  );
}

const STEP_OF_POINTS = 'Time between two points, such as 30s or 5m. Empty: as many points as the panel has pixels.';
const STEP_OF_BARS = 'Width of the bars above the lines in Explore, such as 30s or 5m. Empty: as the space allows.';

function summarize(query: WoodshedQuery, maxLines: number, followsExplore: boolean, isMetric: boolean): string {
  const type = `Type: ${query.queryType === 'instant' ? 'Instant' : 'Range'}`;
  const step = `Step: ${query.step ?? 'auto'}`;
  if (isMetric) {
    return [type, step, ...(query.legendFormat ? [`Legend: ${query.legendFormat}`] : [])].join(' · ');
  }
  const order = DIRECTIONS.find(({ value }) => value === query.direction)?.label;
  const byDefault = followsExplore ? 'Order: as shown' : 'Newest first';
  return [type, `Lines: ${query.maxLines ?? maxLines}`, order ?? byDefault, step].join(' · ');
}

function linesTooltip(rowsMax: number): string {
  const bound = rowsMax === Infinity ? '' : ` This store returns at most ${formatCount(rowsMax)}.`;
  return `How many lines to return.${bound}`;
}

function readLines(text: string, rowsMax: number): number | undefined {
  const lines = parseInt(text, 10);
  return lines > 0 ? Math.min(lines, rowsMax) : undefined;
}

function Estimate({ expr, stats }: { expr: string; stats: SelectorStats }) {
  const styles = useStyles2(getStyles);
  const text = `≈ ${formatBytes(stats.bytes)}, ${countOf(stats.streams, 'stream')}`;
  if (stats.bytes < SLOW_BYTES || !readsLines(expr)) {
    return <span className={styles.estimate}>{text}</span>;
  }
  const why = `This query will be slow: it may read ${formatBytes(stats.bytes)} of lines. Pick more labels or a shorter time range.`;
  return (
    <Tooltip content={why}>
      <span className={styles.slow} role="note" tabIndex={0} aria-label={`${text}. ${why}`}>
        <Icon name="exclamation-triangle" /> {text}
      </span>
    </Tooltip>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  line: css({ display: 'flex', flexWrap: 'wrap', alignItems: 'center', gap: theme.spacing(1) }),
  summary: css({ color: theme.colors.text.secondary, fontSize: theme.typography.bodySmall.fontSize }),
  estimate: css({
    marginLeft: 'auto',
    color: theme.colors.text.secondary,
    fontSize: theme.typography.bodySmall.fontSize,
  }),
  slow: css({
    marginLeft: 'auto',
    color: theme.colors.warning.text,
    fontSize: theme.typography.bodySmall.fontSize,
  }),
  fields: css({ display: 'flex', flexWrap: 'wrap', gap: theme.spacing(0, 2), padding: theme.spacing(1, 0, 0, 2) }),
});
