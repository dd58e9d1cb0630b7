import {
  createDataFrame,
  dateTime,
  FieldType,
  LoadingState,
  type PanelData,
  type QueryResultMeta,
} from '@grafana/data';
import { render, screen } from '@testing-library/react';
import React from 'react';
import { answerLabels } from '../logql/answer';
import { AnswerNotices } from './AnswerNotices';

const timeRange = { from: dateTime(0), to: dateTime(1000), raw: { from: dateTime(0), to: dateTime(1000) } };

function answer(times: number[], meta: QueryResultMeta, state = LoadingState.Done): PanelData {
  const series = createDataFrame({
    refId: 'A',
    fields: [
      { name: 'timestamp', type: FieldType.time, values: times },
      {
        name: 'labelTypes',
        type: FieldType.other,
        values: [
          { app: 'I', trace_id: 'S' },
          { app: 'I', status: 'P' },
        ],
      },
    ],
    meta: { executedQueryString: 'Expr: {a="b"}', ...meta },
  });
  return { state, series: [series], timeRange };
}

function setup(data: PanelData, count?: number) {
  const countLines = jest.fn(() => Promise.resolve(count));
  render(<AnswerNotices api={{ countLines }} data={data} refId="A" />);
  return countLines;
}

describe('AnswerNotices', () => {
  it('says how many lines there are when only some are shown', async () => {
    const countLines = setup(answer([9, 8], { custom: { limit: 2 } }), 48210);
    expect(await screen.findByText('Newest 2 of 48,210 lines.')).toBeInTheDocument();
    expect(countLines).toHaveBeenCalledWith('{a="b"}', timeRange);
  });

  it('promises nothing when they were not counted', async () => {
    setup(answer([1, 2], { custom: { limit: 2 } }));
    const text = 'Oldest 2 lines: the line limit is reached, so there may be more.';
    expect(await screen.findByText(text)).toBeInTheDocument();
  });

  it('says nothing of an answer that is whole', async () => {
    const countLines = setup(answer([9, 8], { custom: { limit: 3 } }), 2);
    expect(countLines).not.toHaveBeenCalled();
    setup(answer([9, 8], { custom: { limit: 2 } }), 2);
    await React.act(async () => {});
    expect(screen.queryByText(/lines/)).not.toBeInTheDocument();
  });

  it('says what is missing and why, once', () => {
    const text = 'Partial answer: a chunk is corrupt.';
    setup(answer([9], { custom: { limit: 5, error: text }, notices: [{ severity: 'warning', text }] }));
    expect(screen.getAllByText(text)).toHaveLength(1);
  });

  it('waits for the answer', () => {
    setup(answer([9], { custom: { error: 'Partial answer: x.' } }, LoadingState.Loading));
    expect(screen.queryByText(/Partial/)).not.toBeInTheDocument();
  });
});

describe('answerLabels', () => {
  it('are those that are not labels of streams', () => {
    expect(answerLabels(answer([9, 8], {}), 'A')).toEqual(['status', 'trace_id']);
    expect(answerLabels(undefined, 'A')).toEqual([]);
  });
});
