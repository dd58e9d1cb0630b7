import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React, { useState } from 'react';
import { type LabelMatcher, printSelector } from '../logql/selector';
import { LabelPicker } from './LabelPicker';

const VALUES: Record<string, string[]> = {
  app: ['api', 'web.front'],
  env: ['dev', 'prod'],
  stream: ['stderr', 'stdout'],
};

function setup(initial: string) {
  const asked: string[] = [];
  const changes: string[] = [];
  const ask = (what: string, matchers: readonly LabelMatcher[]) => asked.push(`${what} ${printSelector(matchers)}`);
  const source = {
    labelNames: async (matchers: readonly LabelMatcher[]) => {
      ask('names', matchers);
      return Object.keys(VALUES);
    },
    labelValues: async (name: string, matchers: readonly LabelMatcher[]) => {
      ask(name, matchers);
      return VALUES[name] ?? [];
    },
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

async function pick(user: ReturnType<typeof userEvent.setup>, box: HTMLElement, name: string) {
  await user.click(box);
  await user.click(await screen.findByRole('option', { name }));
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
      expect(within(await screen.findByRole('option', { name })).getByRole('checkbox')).toBeChecked();
    }
  });

  it('adds a label: the name, then the value, which is when the text changes', async () => {
    const { changes, asked, user } = setup('{app="api"} |= "x"');
    await user.click(screen.getByRole('button', { name: 'Add label' }));
    const added = within(screen.getByRole('group', { name: 'New label' }));
    await user.click(added.getByRole('combobox', { name: 'Label name' }));
    expect(await screen.findByRole('option', { name: 'stream' })).toBeInTheDocument();
    expect(screen.queryByRole('option', { name: 'app' })).not.toBeInTheDocument();
    await user.click(screen.getByRole('option', { name: 'stream' }));
    expect(changes).toEqual([]);

    await pick(user, row('stream').getByRole('combobox', { name: 'Values' }), 'stderr');
    expect(changes).toEqual(['{app="api", stream="stderr"} |= "x"']);
    expect(asked).toContain('names {app="api"}');
    expect(asked).toContain('stream {app="api"}');
  });

  it('asks for the values of a row with the other rows only', async () => {
    const { asked, user } = setup('{app="api", env="prod"}');
    await user.click(row('app').getByRole('combobox', { name: 'Values' }));
    await screen.findByRole('option', { name: 'web.front' });
    expect(asked).toEqual(['app {env="prod"}']);
  });

  it('turns several values into escaped alternatives, and back', async () => {
    const { changes, user } = setup('{app="api"}');
    await pick(user, row('app').getByRole('combobox', { name: 'Values' }), 'web.front');
    expect(changes).toEqual(['{app=~"api|web\\\\.front"}']);
    await user.click(screen.getByRole('option', { name: 'api' }));
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
    await pick(user, row('app').getByRole('combobox', { name: 'Operator' }), '!= does not equal');
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

  it('can be worked by keyboard alone', async () => {
    const { user } = setup('{app="api"}');
    await user.click(screen.getByRole('button', { name: 'Add label' }));
    await user.keyboard('env');
    await screen.findByRole('option', { name: 'env' });
    await user.keyboard('{ArrowDown}{Enter}');
    await user.tab();
    await user.tab();
    await user.keyboard('pro');
    await screen.findByRole('option', { name: 'prod' });
    // What was typed comes first, as a value of its own.
    await user.keyboard('{ArrowDown}{ArrowDown}{Enter}');
    expect(text()).toBe('{app="api", env="prod"}');
  });
});
