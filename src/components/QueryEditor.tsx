import { CoreApp, getDefaultTimeRange, type QueryEditorProps } from '@grafana/data';
import { Stack } from '@grafana/ui';
import React, { useCallback, useEffect, useMemo, useReducer, useRef } from 'react';
import { pushUrl } from '../api';
import type { WoodshedDatasource } from '../datasource';
import { useSortOrder } from '../explore/sortOrder';
import { answerLabels } from '../logql/answer';
import { isBlank } from '../logql/parse';
import type { WoodshedOptions, WoodshedQuery } from '../types';
import { AnswerNotices } from './AnswerNotices';
import { QueryRows } from './builder/QueryRows';
import { EmptyStore } from './EmptyStore';
import { LogQLField } from './LogQLField';
import { NoStream } from './NoStream';
import { Notice } from './Notice';
import { QueryOptions } from './QueryOptions';
import { askStats } from './selectorStats';
import { StoreNotices } from './StoreNotices';
import { useAnswer } from './useAnswer';
import { useExampleRun } from './examples';
import { useProblems } from './useProblems';
import { useSettled } from './useSettled';

type Props = QueryEditorProps<WoodshedDatasource, WoodshedQuery, WoodshedOptions>;

const TYPING_PAUSE_MS = 600; // A half-typed text is not wrong yet; its mark in the field is enough.

/** One query, twice: the picker row and the text. The text decides; the picker shows and edits its first selector. */
export function QueryEditor({ datasource, query, range, data, app, onChange, onRunQuery }: Props) {
  const expr = query.expr ?? '';
  const { draft, setDraft, send } = useDraft(expr, (text) => onChange({ ...query, expr: text }));
  const from = range?.from.valueOf();
  const to = range?.to.valueOf();
  // A range is a new object in each render; what it means is two numbers.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const timeRange = useMemo(() => range ?? getDefaultTimeRange(), [from, to]);
  const { refId } = query;
  const source = useMemo(() => datasource.labelSource(timeRange), [datasource, timeRange]);
  const fieldSource = { ...source, answerLabels: () => answerLabels(data, refId) };
  // Asked again with each new range: a store that was starting, or empty, is soon not.
  const status = useAnswer(
    useCallback(() => datasource.api.status(), [datasource]),
    timeRange
  );
  const stats = useAnswer(useCallback(() => askStats(datasource, expr, timeRange), [datasource, expr, timeRange]));
  useSortOrder({ app, query, onChange, onRunQuery });
  const problems = useProblems(
    draft,
    useCallback((text: string) => datasource.api.check(text), [datasource])
  );
  const settled = useSettled(draft, TYPING_PAUSE_MS);
  const ran = useRef(expr);
  useExampleRun(expr, onRunQuery);

  const run = (text: string) => {
    ran.current = text;
    send(text);
    onRunQuery();
  };

  const onPick = (text: string) => {
    setDraft(text);
    // A Combobox calls back from within an effect, and again for each time that the page renders before it returns. Explore
    // renders at once.
    queueMicrotask(() => (app === CoreApp.Explore ? run(text) : send(text)));
  };

  const onBlur = (text: string) => {
    if (text !== ran.current && !isBlank(text) && problems.length === 0) {
      run(text);
    } else if (text !== expr) {
      send(text);
    }
  };

  return (
    <Stack direction="column" gap={1}>
      <QueryRows {...{ datasource, query, onChange, onPick }} expr={draft} range={timeRange} onRun={run} />
      <LogQLField
        value={draft}
        source={fieldSource}
        problems={problems}
        onChange={setDraft}
        onBlur={onBlur}
        onRun={run}
      />
      {settled && problems[0] && <Notice severity="error">{problems[0].message}</Notice>}
      {status?.entries !== 0 &&
        stats?.unmatched.map((selector) => (
          <NoStream
            key={selector.asked}
            api={datasource.api}
            selector={selector}
            range={timeRange}
            app={app}
            refId={refId}
            expr={expr}
          />
        ))}
      <AnswerNotices api={datasource.api} data={data} refId={refId} />
      <QueryOptions
        query={{ ...query, expr: draft }}
        maxLines={datasource.maxLines}
        rowsMax={status?.rowsMax}
        followsExplore={app === CoreApp.Explore}
        stats={stats?.total}
        onChange={onChange}
        onRunQuery={onRunQuery}
      />
      {status && <StoreNotices status={status} />}
      {status?.state === 'ready' && status.entries === 0 && (
        <EmptyStore url={pushUrl(status)} listenError={status.listenError} />
      )}
    </Stack>
  );
}

interface Edit {
  text: string;
  /** The query of Grafana that the text was typed over. */
  base: string;
  /** The query that was given to Grafana and has not come back yet. */
  sent?: string;
}

type EditEvent =
  | { type: 'typed'; text: string; expr: string }
  | { type: 'sent'; text: string; expr: string }
  | { type: 'arrived'; expr: string };

function nextEdit(edit: Edit | undefined, event: EditEvent): Edit | undefined {
  switch (event.type) {
    case 'typed':
      return edit && isCurrent(edit, event.expr)
        ? { ...edit, text: event.text }
        : { text: event.text, base: event.expr };
    case 'sent':
      return { text: event.text, base: event.expr, sent: event.text };
    case 'arrived':
      return edit?.sent === event.expr ? { text: edit.text, base: event.expr } : edit;
  }
}

function isCurrent(edit: Edit, expr: string): boolean {
  return edit.base === expr || edit.sent === expr;
}

/**
 * The text as it is typed, until it is sent. Grafana may render a query that we sent before it renders our own state, or a while
 * after, so a text counts as long as Grafana's query is the one it was typed over or the one that was sent; any other query of
 * Grafana's replaces it.
 */
function useDraft(expr: string, onSend: (text: string) => void) {
  const [edit, dispatch] = useReducer(nextEdit, undefined);
  useEffect(() => dispatch({ type: 'arrived', expr }), [expr]);
  return {
    draft: edit && isCurrent(edit, expr) ? edit.text : expr,
    setDraft: (text: string) => dispatch({ type: 'typed', text, expr }),
    send: (text: string) => {
      dispatch({ type: 'sent', text, expr });
      onSend(text);
    },
  };
}
