import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React from 'react';
import type { CountSource } from '../../counts';
import { printSelector } from '../../logql/selector';
import { BrowseDialog } from './BrowseDialog';

const VALUES: Record<string, string[]> = { app: ['api', 'web'], env: ['prod'], stream: ['stderr', 'stdout'] };

function setup(expr: string) {
  const asked: string[] = [];
  const answer = (texts: string[], search: string) => {
    const items = texts.filter((text) => text.includes(search)).map((text, index) => ({ text, count: index + 1 }));
    return { items, total: items.length };
  };
  const source: CountSource = {
    names: async (_, search) => answer(Object.keys(VALUES), search),
    values: async (name, matchers, search) => {
      asked.push(`${name} ${printSelector(matchers)}`);
      return answer(VALUES[name], search);
    },
    stats: async (matchers) => ({ streams: matchers.length, chunks: 1, entries: 1, bytes: 1200 }),
  };
  const onShow = jest.fn();
  const onClose = jest.fn();
  render(<BrowseDialog expr={expr} source={source} onShow={onShow} onClose={onClose} />);
  return { asked, onShow, onClose, user: userEvent.setup() };
}

const labels = () => within(screen.getByRole('listbox', { name: 'Labels' }));
const valuesOf = (name: string) => within(screen.getByRole('listbox', { name: `Values of ${name}` }));
const selector = () => screen.getByLabelText('Resulting selector');

describe('BrowseDialog', () => {
  it('walks labels and puts what is ticked into the query', async () => {
    const { asked, onShow, user } = setup('{env="prod"} |= "x"');
    await user.click(await labels().findByRole('option', { name: 'app 1' }));
    expect(asked).toEqual(['env {}', 'app {env="prod"}']);
    await user.click(await valuesOf('app').findByRole('option', { name: 'web 2 streams' }));
    expect(selector()).toHaveTextContent('{env="prod", app="web"}');
    expect(await screen.findByText('2 streams, 1.2 kB')).toBeInTheDocument();
    await user.click(valuesOf('app').getByRole('option', { name: 'api 1 stream' }));
    expect(asked).toHaveLength(2); // A label's own ticks do not narrow it.
    await user.click(labels().getByRole('option', { name: 'stream 3' }));
    await waitFor(() => expect(asked[2]).toBe('stream {env="prod", app=~"web|api"}'));
    await user.click(screen.getByRole('button', { name: 'Show logs' }));
    expect(onShow).toHaveBeenCalledWith('{env="prod", app=~"web|api"} |= "x"');
  });

  it('begins with what the query names, and can be cleared', async () => {
    const { onClose, user } = setup('{stream="stdout", app!="web"}');
    const ticked = await valuesOf('stream').findByRole('option', { name: 'stdout 2 streams' });
    expect(ticked).toHaveAttribute('aria-selected', 'true');
    expect(labels().getByRole('option', { name: 'stream 1 of 3' })).toHaveAttribute('aria-selected', 'true');
    await user.click(screen.getByRole('button', { name: 'Clear' }));
    expect(selector()).toHaveTextContent('{app!="web"}');
    await user.click(screen.getByRole('button', { name: 'Cancel' }));
    expect(onClose).toHaveBeenCalled();
  });

  it('searches', async () => {
    const { user } = setup('{app="api"}');
    await valuesOf('app').findByRole('option', { name: 'web 2 streams' });
    await user.type(screen.getByRole('textbox', { name: 'Search values' }), 'we');
    await waitFor(() => expect(valuesOf('app').getAllByRole('option')).toHaveLength(1));
    expect(screen.getByText('1 value')).toBeInTheDocument();
  });
});
