import { cleanup, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React, { useState } from 'react';
import type { SelectorStats, WoodshedQuery } from '../types';
import { QueryOptions } from './QueryOptions';

function setup(initial: Partial<WoodshedQuery>, more: { followsExplore?: boolean; stats?: SelectorStats } = {}) {
  const changes: WoodshedQuery[] = [];
  const onRunQuery = jest.fn();
  function Host() {
    const [query, setQuery] = useState<WoodshedQuery>({ refId: 'A', expr: '{a="b"}', ...initial });
    return (
      <QueryOptions
        query={query}
        maxLines={1000}
        rowsMax={5000}
        followsExplore={more.followsExplore ?? false}
        stats={more.stats}
        onChange={(next) => {
          changes.push(next);
          setQuery(next);
        }}
        onRunQuery={onRunQuery}
      />
    );
  }
  render(<Host />);
  return { changes, onRunQuery, user: userEvent.setup() };
}

const open = () => userEvent.click(screen.getByRole('button', { name: 'Options' }));

describe('QueryOptions', () => {
  it('says in one line how the query runs', () => {
    setup({});
    expect(screen.getByText('Type: Range · Lines: 1000 · Newest first · Step: auto')).toBeInTheDocument();
    expect(screen.getByRole('button', { name: 'Options' })).toHaveAttribute('aria-expanded', 'false');
  });

  it('says it for what is set', () => {
    setup({ maxLines: 20, direction: 'forward' });
    expect(screen.getByText('Type: Range · Lines: 20 · Oldest first · Step: auto')).toBeInTheDocument();
  });

  it('says it for metric queries', () => {
    setup({ expr: 'rate({a="b"}[5m])', queryType: 'instant', step: '30s', legendFormat: '{{app}}' });
    expect(screen.getByText('Type: Instant · Step: 30s · Legend: {{app}}')).toBeInTheDocument();
  });

  it('follows the order of Explore until it is told otherwise', async () => {
    const { changes, user } = setup({}, { followsExplore: true });
    expect(screen.getByText('Type: Range · Lines: 1000 · Order: as shown · Step: auto')).toBeInTheDocument();
    await open();
    expect(screen.getByRole('radio', { name: 'Newest first' })).not.toBeChecked();
    await user.click(screen.getByRole('radio', { name: 'Oldest first' }));
    expect(changes).toEqual([expect.objectContaining({ direction: 'forward' })]);
  });

  it('changes the number of lines when the field is left, within bounds', async () => {
    const { changes, onRunQuery, user } = setup({});
    await open();
    await user.type(screen.getByRole('spinbutton', { name: 'Lines' }), '99999');
    expect(changes).toEqual([]);
    await user.tab();
    expect(changes).toEqual([expect.objectContaining({ maxLines: 5000 })]);
    expect(onRunQuery).toHaveBeenCalledTimes(1);
    await user.clear(screen.getByRole('spinbutton', { name: 'Lines' }));
    await user.keyboard('{Enter}');
    expect(changes[1]).toMatchObject({ maxLines: undefined });
  });

  it('changes type, step and legend of a metric query', async () => {
    const { changes, user } = setup({ expr: 'rate({a="b"}[5m])' });
    await open();
    await user.click(screen.getByRole('radio', { name: 'Instant' }));
    await user.type(screen.getByRole('textbox', { name: 'Step' }), '1m{Enter}');
    await user.type(screen.getByRole('textbox', { name: 'Legend' }), '{{{{app}}{Enter}');
    expect(changes[changes.length - 1]).toMatchObject({ queryType: 'instant', step: '1m', legendFormat: '{{app}}' });
  });

  it('estimates, and says why a query will be slow', () => {
    setup({}, { stats: { streams: 3, chunks: 9, entries: 9, bytes: 1.2e9 } });
    expect(screen.getByText('≈ 1.2 GB, 3 streams')).toBeInTheDocument();
  });

  it('warns only when all those bytes have to be read', () => {
    const stats = { streams: 1, chunks: 9, entries: 9, bytes: 40e9 };
    setup({ expr: '{a="b"} |= "x"' }, { stats });
    expect(screen.getByLabelText(/40 GB, 1 stream.*will be slow.*Pick more labels/)).toBeInTheDocument();
    cleanup();
    setup({ expr: '{a="c"}' }, { stats });
    expect(screen.getByText('≈ 40 GB, 1 stream')).not.toHaveAttribute('aria-label');
  });
});
