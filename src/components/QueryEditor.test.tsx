import { CoreApp, dateTime, type TimeRange } from '@grafana/data';
import { act, render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React, { useState } from 'react';
import type { WoodshedDatasource } from '../datasource';
import type { StoreStatus, WoodshedQuery } from '../types';
import { QueryEditor } from './QueryEditor';

jest.mock('@grafana/ui', () => ({
  ...jest.requireActual('@grafana/ui'),
  ReactMonacoEditor: jest.requireActual('../testing/fakeMonaco').FakeMonacoEditor,
}));

const from = dateTime('2026-01-01T00:00:00Z');
const to = dateTime('2026-01-01T01:00:00Z');
const range: TimeRange = { from, to, raw: { from, to } };

const ready: StoreStatus = {
  version: '0.1.0',
  state: 'ready',
  listen: '127.0.0.1:3110',
  streams: 3,
  entries: 10,
  bytes: 100,
  diskBytes: 100,
};

interface World {
  app?: CoreApp;
  /** What the store answers; without it, it does not answer before the test ends. */
  status?: StoreStatus;
  streams?: number;
}

const pending = new Promise<never>(() => {});

function setup(expr: string, { app = CoreApp.Explore, status, streams }: World = {}) {
  const stats = jest.fn(() =>
    streams === undefined ? pending : Promise.resolve({ streams, chunks: 1, entries: 1, bytes: 1.2e9 })
  );
  const counts = async (name?: string) => {
    const texts = name === undefined ? ['app', 'stream'] : ['stderr', 'stdout'];
    return { items: texts.map((text) => ({ text, count: 0 })), total: texts.length };
  };
  const datasource = {
    maxLines: 1000,
    api: {
      status: () => (status ? Promise.resolve(status) : pending),
      stats,
      counts,
      check: (text: string) =>
        Promise.resolve(text.endsWith('oops') ? [{ from: 0, to: 1, message: 'parse error at line 1, col 16' }] : []),
      lastSeen: () => Promise.resolve(null),
      countLines: () => Promise.resolve(undefined),
    },
    labelSource: () => ({ labelNames: async () => ['app', 'stream'], labelValues: async () => ['stderr', 'stdout'] }),
    selectorText: (matchers: unknown[]) => (matchers.length > 0 ? '{…}' : undefined),
  } as unknown as WoodshedDatasource;
  const changes: string[] = [];
  const onRunQuery = jest.fn();
  let setFromOutside: (expr: string) => void = () => {};
  function Host() {
    const [query, setQuery] = useState<WoodshedQuery>({ refId: 'A', expr });
    setFromOutside = (next) => setQuery({ ...query, expr: next });
    return (
      <QueryEditor
        datasource={datasource}
        query={query}
        range={{ ...range }}
        app={app}
        onChange={(next) => {
          changes.push(next.expr);
          setQuery(next);
        }}
        onRunQuery={onRunQuery}
      />
    );
  }
  render(<Host />);
  return {
    changes,
    onRunQuery,
    stats,
    user: userEvent.setup(),
    set: (next: string) => act(() => setFromOutside(next)),
  };
}

const field = () => screen.getByRole<HTMLTextAreaElement>('textbox', { name: 'LogQL query' });

async function pickStderr(user: ReturnType<typeof userEvent.setup>) {
  await user.click(screen.getByRole('button', { name: 'Add label' }));
  await user.click((await screen.findAllByRole('combobox', { name: 'Label name' }))[1]);
  await user.click(await screen.findByRole('option', { name: 'stream' }));
  await user.click(screen.getAllByRole('combobox', { name: 'Values' })[1]);
  await user.click(await screen.findByRole('option', { name: 'stderr' }));
}

describe('QueryEditor', () => {
  it('picks into the text and runs the query in Explore', async () => {
    const { changes, onRunQuery, user } = setup('{app="api"} |= "x"');
    await pickStderr(user);
    expect(changes).toEqual(['{app="api", stream="stderr"} |= "x"']);
    expect(field()).toHaveValue('{app="api", stream="stderr"} |= "x"');
    expect(onRunQuery).toHaveBeenCalledTimes(1);
  });

  it('picks without running in a panel', async () => {
    const { changes, onRunQuery, user } = setup('{app="api"}', { app: CoreApp.PanelEditor });
    await pickStderr(user);
    expect(changes).toHaveLength(1);
    expect(onRunQuery).not.toHaveBeenCalled();
  });

  it('shows in the picker what is typed, and runs on Shift+Enter', async () => {
    const { changes, onRunQuery, user } = setup('');
    await user.type(field(), '{{app="api"}');
    expect(screen.getByRole('group', { name: 'Label app' })).toBeInTheDocument();
    expect(changes).toEqual([]);
    await user.keyboard('{Shift>}{Enter}{/Shift}');
    expect(changes).toEqual(['{app="api"}']);
    expect(onRunQuery).toHaveBeenCalledTimes(1);
    await user.tab();
    expect(onRunQuery).toHaveBeenCalledTimes(1);
  });

  it('runs a changed query when the field is left, unless it does not parse', async () => {
    const { changes, onRunQuery, user } = setup('{app="api"}');
    await user.type(field(), ' |= oops');
    await user.tab();
    expect(changes).toEqual(['{app="api"} |= oops']);
    expect(onRunQuery).not.toHaveBeenCalled();
    expect(await screen.findByText('parse error at line 1, col 16')).toBeInTheDocument();
    await user.clear(field());
    await user.type(field(), '{{app="web"}');
    await user.tab();
    expect(onRunQuery).toHaveBeenCalledTimes(1);
    expect(screen.queryByText(/parse error/)).not.toBeInTheDocument();
  });

  it('takes a query that comes from Grafana', async () => {
    const { set } = setup('{app="api"}');
    set('{app="api", stream="stderr"}');
    expect(field()).toHaveValue('{app="api", stream="stderr"}');
    expect(screen.getByRole('group', { name: 'Label stream' })).toBeInTheDocument();
  });

  it('estimates what a query reads, once for a range that stays the same', async () => {
    const { stats, set } = setup('{app="api"}', { streams: 3 });
    expect(await screen.findByText('≈ 1.2 GB, 3 streams')).toBeInTheDocument();
    set('{app="api"}');
    expect(stats).toHaveBeenCalledTimes(1);
  });

  it('says so when no stream matches', async () => {
    setup('{app="nobody"}', { streams: 0 });
    expect(await screen.findByText(/^No stream matches {app="nobody"} in this time range\./)).toBeInTheDocument();
  });

  it('tells the first user where to push', async () => {
    setup('', { status: { ...ready, entries: 0 } });
    expect(
      await screen.findByText('No logs yet. Push them to http://127.0.0.1:3110/loki/api/v1/push')
    ).toBeInTheDocument();
  });

  it('tells of refused pushes', async () => {
    const refused = [
      { reason: 'too_far_ahead', entries: 2, text: '2 entries were refused: timestamp 8 h in the future' },
    ];
    setup('', { status: { ...ready, refused } });
    await waitFor(() =>
      expect(screen.getByText('2 entries were refused: timestamp 8 h in the future')).toBeInTheDocument()
    );
  });
});
