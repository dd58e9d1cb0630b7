import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React, { useState } from 'react';
import type { WoodshedDatasource } from '../datasource';
import type { WoodshedQuery } from '../types';
import { AnyQueryEditor } from './StatsQuery';

jest.mock('./QueryEditor', () => ({ QueryEditor: () => <p>LogQL</p> }));

const STATISTICS = {
  data: [
    { name: 'cpu', title: 'Processors in use', by: ['none'], process: true },
    { name: 'streams', title: 'Active streams', by: ['none', 'tenant'], process: false },
  ],
};

function setup(initial: Partial<WoodshedQuery>) {
  const getResource = jest.fn(async () => STATISTICS);
  const datasource = { getResource } as unknown as WoodshedDatasource;
  const changes: WoodshedQuery[] = [];
  const onRunQuery = jest.fn();
  function Host() {
    const [query, setQuery] = useState<WoodshedQuery>({ refId: 'A', expr: '', ...initial });
    return (
      <AnyQueryEditor
        datasource={datasource}
        query={query}
        onChange={(next) => {
          changes.push(next);
          setQuery(next);
        }}
        onRunQuery={onRunQuery}
      />
    );
  }
  render(<Host />);
  return { changes, getResource, onRunQuery, user: userEvent.setup() };
}

const latest = <T,>(items: T[]) => items[items.length - 1];

describe('AnyQueryEditor', () => {
  it('leaves other queries to their editor, and asks nothing', () => {
    const { getResource } = setup({});
    expect(screen.getByText('LogQL')).toBeInTheDocument();
    expect(getResource).not.toHaveBeenCalled();
  });

  it('goes back to logs', async () => {
    const { user } = setup({ queryType: 'stats' });
    await user.click(await screen.findByRole('radio', { name: 'Logs' }));
    expect(screen.getByText('LogQL')).toBeInTheDocument();
  });
});

describe('StatsQuery', () => {
  it('offers what the store lists, and runs what is chosen', async () => {
    const { changes, onRunQuery, user } = setup({ queryType: 'stats', stat: 'cpu', by: 'none' });
    expect(await screen.findByText(/Of the whole store/)).toBeInTheDocument();
    await user.click(screen.getByRole('combobox', { name: 'Statistic' }));
    await user.click(await screen.findByRole('option', { name: /Active streams/ }));
    expect(latest(changes)).toMatchObject({ queryType: 'stats', stat: 'streams', by: undefined });
    expect(onRunQuery).toHaveBeenCalledTimes(1);
    expect(screen.queryByText(/Of the whole store/)).not.toBeInTheDocument();

    await user.click(screen.getByRole('combobox', { name: 'Split by' }));
    await user.click(await screen.findByRole('option', { name: 'tenant' }));
    expect(latest(changes)).toMatchObject({ stat: 'streams', by: 'tenant' });
  });

  it('asks for the value now, and names series', async () => {
    const { changes, user } = setup({ queryType: 'stats', stat: 'streams' });
    await user.click(await screen.findByRole('radio', { name: 'Now' }));
    expect(latest(changes)).toMatchObject({ instant: true });
    await user.type(screen.getByRole('textbox', { name: 'Legend' }), 'all{Enter}');
    expect(latest(changes)).toMatchObject({ legendFormat: 'all' });
  });

  it('keeps what it does not know', async () => {
    setup({ queryType: 'stats', stat: '$what' });
    expect(await screen.findByDisplayValue('$what')).toBeInTheDocument();
  });
});
