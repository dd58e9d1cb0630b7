import { LoadingState, type PanelData } from '@grafana/data';
import React, { useCallback } from 'react';
import type { WoodshedApi } from '../api';
import { fullAnswer, incompleteTexts } from '../logql/answer';
import { Notice } from './Notice';
import { formatCount } from './numbers';
import { useAnswer } from './useAnswer';

interface Props {
  api: Pick<WoodshedApi, 'countLines'>;
  data?: PanelData;
  refId: string;
}

/** What is missing from the answer that is shown, and why. */
export function AnswerNotices({ api, data, refId }: Props) {
  const done = data?.state === LoadingState.Done ? data : undefined;
  const full = fullAnswer(done, refId);
  const expr = full?.expr;
  const range = done?.timeRange;
  const from = range?.from.valueOf();
  const to = range?.to.valueOf();
  const lines = useAnswer(
    useCallback(async () => {
      return expr !== undefined && range ? { expr, count: await count(api, expr, range) } : undefined;
      // A range is a new object in each render; what it means is two numbers.
      // eslint-disable-next-line react-hooks/exhaustive-deps
    }, [api, expr, from, to])
  );
  const cut = full && lines?.expr === full.expr ? cutText(full, lines.count) : undefined;
  return (
    <>
      {cut && <Notice severity="info">{cut}</Notice>}
      {incompleteTexts(done, refId).map((text) => (
        <Notice key={text} severity="warning">
          {text}
        </Notice>
      ))}
    </>
  );
}

function count(api: Props['api'], expr: string, range: PanelData['timeRange']): Promise<number | undefined> {
  return api.countLines(expr, range).catch(() => undefined);
}

function cutText({ rows, newestFirst }: { rows: number; newestFirst: boolean }, total: number | undefined) {
  const shown = `${newestFirst ? 'Newest' : 'Oldest'} ${formatCount(rows)}`;
  if (total === undefined) {
    return `${shown} lines: the line limit is reached, so there may be more.`;
  }
  return total > rows ? `${shown} of ${formatCount(total)} lines.` : undefined;
}
