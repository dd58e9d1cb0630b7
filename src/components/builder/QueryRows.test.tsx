import { dateTime, type TimeRange } from '@grafana/data';
import { render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React, { useState } from 'react';
import type { WoodshedDatasource } from '../../datasource';
import type { WoodshedQuery } from '../../types';
import { QueryRows } from './QueryRows';

const time = dateTime(0);
const range: TimeRange = { from: time, to: time, raw: { from: time, to: time } };

function setup(expr: string) {
  const texts = async (name?: string) => ({ items: [{ text: name ? 'x' : 'app', count: 1 }], total: 1 });
  const datasource = {
    api: { counts: texts, stats: async () => ({ streams: 1, chunks: 1, entries: 1, bytes: 1 }) },
    selectorText: () => undefined,
  } as unknown as WoodshedDatasource;
  const onRun = jest.fn();
  function Host() {
    const [query, setQuery] = useState<WoodshedQuery>({ refId: 'A', expr });
    const onPick = jest.fn();
    return <QueryRows {...{ datasource, query, expr, range, onPick, onRun }} onChange={setQuery} />;
  }
  render(<Host />);
  return { onRun, user: userEvent.setup() };
}

describe('QueryRows', () => {
  beforeEach(() => window.localStorage.clear());

  it('opens the builder and closes it', async () => {
    const { user } = setup('{a="b"} | json');
    expect(screen.queryByRole('group', { name: 'Builder' })).not.toBeInTheDocument();
    await user.click(screen.getByRole('radio', { name: 'Builder' }));
    expect(within(screen.getByRole('group', { name: 'Builder' })).getByRole('radio', { name: 'JSON' })).toBeChecked();
    await user.click(screen.getByRole('radio', { name: 'Code' }));
    expect(screen.queryByRole('group', { name: 'Builder' })).not.toBeInTheDocument();
  });

  it('runs what the dialog shows', async () => {
    const { onRun, user } = setup('{a="b"}');
    await user.click(screen.getByRole('button', { name: 'Browse' }));
    await user.click(await screen.findByRole('option', { name: 'app 1' }));
    await user.click(await within(screen.getByRole('listbox', { name: 'Values of app' })).findByRole('option'));
    await user.click(screen.getByRole('button', { name: 'Show logs' }));
    expect(onRun).toHaveBeenCalledWith('{a="b", app="x"}');
    expect(screen.queryByRole('dialog')).not.toBeInTheDocument();
  });
});
