import type { CoreApp, TimeRange } from '@grafana/data';
import { Button } from '@grafana/ui';
import React, { useCallback } from 'react';
import type { WoodshedApi } from '../api';
import { Notice } from './Notice';
import type { UnmatchedSelector } from './selectorStats';
import { ago, canShowRange, inRange, rangeAround, showRange } from './timeRange';
import { useAnswer } from './useAnswer';

interface Props {
  api: Pick<WoodshedApi, 'lastSeen'>;
  selector: UnmatchedSelector;
  range: TimeRange;
  app?: CoreApp;
  /** The query that the selector is part of. */
  refId: string;
  expr: string;
}

/** Says that a selector matches nothing in a range, when it last did, and leads there. */
export function NoStream({ api, selector, range, app, refId, expr }: Props) {
  const last = useAnswer(useCallback(() => api.lastSeen(selector.asked), [api, selector.asked]));
  const sentence = `No stream matches ${selector.written} ${inRange(range)}.`;
  if (typeof last !== 'number') {
    return <Notice severity="info">{last === null ? `${sentence} None that is stored ever did.` : sentence}</Notice>;
  }
  return (
    <Notice severity="info">
      {sentence} Last seen {ago(last)}.{' '}
      {canShowRange(app) && (
        <Button
          variant="primary"
          fill="text"
          size="sm"
          onClick={() => showRange(app, rangeAround(last, range), refId, expr)}
        >
          Show that range
        </Button>
      )}
    </Notice>
  );
}
