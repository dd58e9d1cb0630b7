import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React, { useState } from 'react';
import type { CountList, CountSource } from '../counts';
import { type LabelMatcher, printSelector } from '../logql/selector';
import { LabelPicker } from './LabelPicker';

const VALUES: Record<string, string[]> = {
  app: ['api', 'web.front'],
  env: ['dev', 'prod'],
  stream: ['stderr', 'stdout'],
  pod: ['pod-1', 'pod-2', 'pod-3', 'pod-4', 'pod-5'],
};

function setup(initial: string) {
  const asked: string[] = [];
  const changes: string[] = [];
  const ask = (what: string, matchers: readonly LabelMatcher[]) => asked.push(`${what} ${printSelector(matchers)}`);
  /** A store that answers with three at most. */
  const answer = (texts: string[], search: string): CountList => {
    const found = texts.filter((text) => text.toLowerCase().includes(search.toLowerCase()));
    return { items: found.slice(0, 3).map((text, index) => ({ text, count: index + 1 })), total: found.length };
  };
  const source: CountSource = {
    names: async (matchers, search) => {
      ask('names', matchers);
      return answer(Object.keys(VALUES), search);
    },
    values: async (name, matchers, search) => {
      ask(name, matchers);
      return answer(VALUES[name] ?? [], search);
    },
    stats: async () => undefined,
  };
  function Host() {
    const [expr, setExpr] = useState(initial);
    return (
      <>
        <LabelPicker
          expr={expr}
          source={source}
          onChange={(next) => {
            changes.push(next);
            setExpr(next);
          }}
        />
        <input aria-label="text" value={expr} onChange={({ currentTarget }) => setExpr(currentTarget.value)} />
      </>
    );
  }
  render(<Host />);
  return { asked, changes, user: userEvent.setup() };
}

const row = (name: string) => within(screen.getByRole('group', { name: `Label ${name}` }));
const text = () => screen.getByRole<HTMLInputElement>('textbox', { name: 'text' }).value;

/** An option by its text; what is said below it does not matter. */
const option = (text: string) =>
  screen.findByText(text, { selector: '[role=option] *:not(:has(*))', exact: true }).then((found) => {
    const around = found.closest<HTMLElement>('[role=option]');
    return around ?? Promise.reject(new Error(`no option ${text}`));
  });

async function pick(user: ReturnType<typeof userEvent.setup>, box: HTMLElement, text: string) {
  await user.click(box);
  await user.click(await option(text));
}

describe('LabelPicker', () => {
  it('shows the selector of a query', async () => {
    const { user } = setup('{app="api", env=~"dev|prod"} |= "x"');
    expect(row('app').getByRole('combobox', { name: 'Label name' })).toHaveValue('app');
    expect(row('app').getByRole('combobox', { name: 'Operator' })).toHaveValue('=');
    expect(row('app').getByText('api')).toBeInTheDocument();
    expect(row('env').getByRole('combobox', { name: 'Operator' })).toHaveValue('=~');
    expect(row('env').getByText('dev')).toBeInTheDocument();
    await user.click(row('env').getByRole('combobox', { name: 'Values' }));
    for (const name of ['dev', 'prod']) {
      expect(within(await option(name)).getByRole('checkbox')).toBeChecked();
    }
  });

  it('adds a label: the name, then the value, which is when the text changes', async () => {
    const { changes, asked, user } = setup('{app="api"} |= "x"');
    await user.click(screen.getByRole('button', { name: 'Add label' }));
    const added = within(screen.getByRole('group', { name: 'New label' }));
    await user.click(added.getByRole('combobox', { name: 'Label name' }));
    expect(await option('stream')).toHaveTextContent('stream3 values');
    expect(screen.queryByRole('option', { name: /app/ })).not.toBeInTheDocument();
    await user.click(await option('stream'));
    expect(changes).toEqual([]);

    await pick(user, row('stream').getByRole('combobox', { name: 'Values' }), 'stderr');
    expect(changes).toEqual(['{app="api", stream="stderr"} |= "x"']);
    expect(asked).toContain('names {app="api"}');
    expect(asked).toContain('stream {app="api"}');
  });

  it('asks for the values of a row with the other rows only', async () => {
    const { asked, user } = setup('{app="api", env="prod"}');
    await user.click(row('app').getByRole('combobox', { name: 'Values' }));
    expect(await option('web.front')).toHaveTextContent('web.front2 streams');
    expect(asked).toEqual(['app {env="prod"}']);
  });

  it('turns several values into escaped alternatives, and back', async () => {
    const { changes, user } = setup('{app="api"}');
    await pick(user, row('app').getByRole('combobox', { name: 'Values' }), 'web.front');
    expect(changes).toEqual(['{app=~"api|web\\\\.front"}']);
    await user.click(await option('api'));
    expect(text()).toBe('{app="web.front"}');
  });

  it('takes a regular expression that a person types behind =~', async () => {
    const { user } = setup('{app=~"api"}');
    await user.type(row('app').getByRole('combobox', { name: 'Values' }), 'web.*');
    await user.click(await screen.findByRole('option', { name: /web\.\*/ }));
    expect(text()).toBe('{app=~"api|web.*"}');
    expect(row('app').getByText('web.*')).toBeInTheDocument();
  });

  it('changes the operator and keeps the value', async () => {
    const { user } = setup('{app="web.front"} | json');
    await pick(user, row('app').getByRole('combobox', { name: 'Operator' }), '!=');
    expect(text()).toBe('{app!="web.front"} | json');
  });

  it('removes a row, and a row that was never finished', async () => {
    const { changes, user } = setup('{app="api", env="prod"} |= "x"');
    await user.click(screen.getByRole('button', { name: 'Remove label app' }));
    expect(text()).toBe('{env="prod"} |= "x"');
    await user.click(screen.getByRole('button', { name: 'Add label' }));
    await user.click(screen.getByRole('button', { name: 'Remove new label' }));
    expect(screen.queryByRole('group', { name: 'New label' })).not.toBeInTheDocument();
    expect(changes).toHaveLength(1);
  });

  it('keeps the row whose last value is removed, outside of the text', async () => {
    const { user } = setup('{app="api", env="prod"}');
    await user.click(row('env').getByRole('button', { name: 'Remove prod' }));
    await waitFor(() => expect(text()).toBe('{app="api"}'));
    expect(row('env').getByRole('combobox', { name: 'Label name' })).toHaveValue('env');
  });

  it('follows the text', async () => {
    const { user } = setup('{app="api"}');
    await user.clear(screen.getByRole('textbox', { name: 'text' }));
    await user.type(screen.getByRole('textbox', { name: 'text' }), '{{env="dev"}');
    expect(row('env').getByText('dev')).toBeInTheDocument();
    expect(screen.queryByRole('group', { name: 'Label app' })).not.toBeInTheDocument();
  });

  it('searches the store when there is more than it lists', async () => {
    const { user } = setup('{pod="pod-1"}');
    const values = row('pod').getByRole('combobox', { name: 'Values' });
    await user.click(values);
    expect(await option('The first 3 of 5, type to narrow')).toBeInTheDocument();
    expect(screen.queryByRole('option', { name: /pod-5/ })).not.toBeInTheDocument();
    await user.type(values, 'D-5');
    await user.click(await option('pod-5'));
    expect(text()).toBe('{pod=~"pod-1|pod-5"}');
    expect(screen.queryByText(/type to narrow/)).not.toBeInTheDocument();
  });

  it('says which of several selectors it shows', async () => {
    const { user } = setup('rate({app="api"}[5m]) / rate({app="web"}[5m])');
    expect(screen.getByText('the first of 2 selectors')).toBeInTheDocument();
    await user.click(screen.getByRole('button', { name: 'Remove label app' }));
    expect(text()).toBe('rate({}[5m]) / rate({app="web"}[5m])');
  });

  it('can be worked by keyboard alone', async () => {
    const { user } = setup('{app="api"}');
    await user.click(screen.getByRole('button', { name: 'Add label' }));
    await user.keyboard('env');
    await option('env');
    await user.keyboard('{ArrowDown}{Enter}');
    await user.tab();
    await user.tab();
    await user.keyboard('pro');
    await option('prod');
    // What was typed comes first, as a value of its own.
    await user.keyboard('{ArrowDown}{ArrowDown}{Enter}');
    expect(text()).toBe('{app="api", env="prod"}');
  });
});
