import { CoreApp, getDefaultTimeRange, type QueryEditorProps } from '@grafana/data';
import { Alert, Stack } from '@grafana/ui';
import React, { useCallback, useMemo, useRef, useState } from 'react';
import { pushUrl } from '../api';
import type { WoodshedDatasource } from '../datasource';
import { findProblems, isBlank } from '../logql/parse';
import { printSelector, readMatchers, readSelectors } from '../logql/selector';
import type { SelectorStats, WoodshedOptions, WoodshedQuery } from '../types';
import { EmptyStore } from './EmptyStore';
import { LabelPicker } from './LabelPicker';
import { LogQLField } from './LogQLField';
import { QueryOptions } from './QueryOptions';
import { StoreNotices } from './StoreNotices';
import { useAnswer } from './useAnswer';

type Props = QueryEditorProps<WoodshedDatasource, WoodshedQuery, WoodshedOptions>;

/** One query, twice: the picker row and the text. The text decides; the picker shows and edits its first selector. */
export function QueryEditor({ datasource, query, range, app, onChange, onRunQuery }: Props) {
  const expr = query.expr ?? '';
  const { draft, setDraft, send } = useDraft(expr, (text) => onChange({ ...query, expr: text }));
  const from = range?.from.valueOf();
  const to = range?.to.valueOf();
  // A range is a new object in each render; what it means is two numbers.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const timeRange = useMemo(() => range ?? getDefaultTimeRange(), [from, to]);
  const source = useMemo(() => datasource.labelSource(timeRange), [datasource, timeRange]);
  const status = useAnswer(useCallback(() => datasource.api.status(), [datasource]));
  const stats = useAnswer(useCallback(() => askStats(datasource, expr, timeRange), [datasource, expr, timeRange]));
  const problems = findProblems(draft);
  const ran = useRef(expr);

  const run = (text: string) => {
    ran.current = text;
    send(text);
    onRunQuery();
  };

  const onPick = (text: string) => {
    if (app === CoreApp.Explore) {
      run(text);
    } else {
      send(text);
    }
  };

  const onBlur = (text: string) => {
    if (text !== ran.current && !isBlank(text) && findProblems(text).length === 0) {
      run(text);
    } else if (text !== expr) {
      send(text);
    }
  };

  return (
    <Stack direction="column" gap={1}>
      <LabelPicker expr={draft} source={source} onChange={onPick} />
      <LogQLField value={draft} source={source} onChange={setDraft} onBlur={onBlur} onRun={run} />
      {problems[0] && <Alert severity="error" title={problems[0].message} />}
      {stats?.streams === 0 && status?.entries !== 0 && (
        <Alert severity="info" title={`No stream matches ${printSelector(readMatchers(expr))} in this time range`} />
      )}
      <QueryOptions
        query={{ ...query, expr: draft }}
        maxLines={datasource.maxLines}
        followsExplore={app === CoreApp.Explore}
        stats={stats}
        onChange={onChange}
        onRunQuery={onRunQuery}
      />
      {status && <StoreNotices status={status} />}
      {status?.state === 'ready' && status.entries === 0 && <EmptyStore url={pushUrl(status)} />}
    </Stack>
  );
}

/** The text as it is typed. It is given to Grafana when it is sent; a text that comes from Grafana and was not ours replaces it. */
function useDraft(expr: string, onSend: (text: string) => void) {
  const [draft, setDraft] = useState(expr);
  const [seen, setSeen] = useState(expr);
  const [sent, setSent] = useState(expr);
  if (expr !== seen) {
    setSeen(expr);
    if (expr !== sent) {
      setDraft(expr);
      setSent(expr);
    }
  }
  const send = (text: string) => {
    setDraft(text);
    setSent(text);
    onSend(text);
  };
  return { draft, setDraft, send };
}

/** What the selectors of a query would read, all together; undefined when there is nothing to ask. */
async function askStats(
  datasource: WoodshedDatasource,
  expr: string,
  range: ReturnType<typeof getDefaultTimeRange>
): Promise<SelectorStats | undefined> {
  const selectors = new Set(readSelectors(expr).flatMap((matchers) => datasource.selectorText(matchers) ?? []));
  if (selectors.size === 0) {
    return undefined;
  }
  const answers = await Promise.all(Array.from(selectors, (selector) => datasource.api.stats(range, selector)));
  return answers.reduce((sum, stats) => ({
    streams: sum.streams + stats.streams,
    chunks: sum.chunks + stats.chunks,
    entries: sum.entries + stats.entries,
    bytes: sum.bytes + stats.bytes,
  }));
}
