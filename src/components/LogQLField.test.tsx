import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React, { useState } from 'react';
import type { SyntaxProblem } from '../logql/parse';
import { fakeMonaco } from '../testing/fakeMonaco';
import { LogQLField } from './LogQLField';

jest.mock('@grafana/ui', () => ({
  ...jest.requireActual('@grafana/ui'),
  ReactMonacoEditor: jest.requireActual('../testing/fakeMonaco').FakeMonacoEditor,
}));

const source = { labelNames: async () => ['app'], labelValues: async () => ['api'] };

const NONE: SyntaxProblem[] = [];

function setup(initial: string, keep = true, problemsOf: (text: string) => SyntaxProblem[] = () => NONE) {
  const calls = { change: [] as string[], blur: [] as string[], run: [] as string[] };
  let setFromOutside: (value: string) => void = () => {};
  function Host() {
    const [value, setValue] = useState(initial);
    setFromOutside = setValue;
    return (
      <LogQLField
        value={value}
        source={source}
        problems={problemsOf(value)}
        onChange={(text) => {
          calls.change.push(text);
          if (keep) {
            setValue(text);
          }
        }}
        onBlur={(text) => calls.blur.push(text)}
        onRun={(text) => calls.run.push(text)}
      />
    );
  }
  render(<Host />);
  const set = (value: string) => React.act(() => setFromOutside(value));
  return { calls, set, user: userEvent.setup() };
}

const field = () => screen.getByRole<HTMLTextAreaElement>('textbox', { name: 'LogQL query' });

describe('LogQLField', () => {
  it('tells of each change, of leaving, and of Shift+Enter', async () => {
    const { calls, user } = setup('{a="b"}');
    await user.type(field(), ' x');
    expect(calls.change).toEqual(['{a="b"} ', '{a="b"} x']);
    await user.keyboard('{Shift>}{Enter}{/Shift}');
    expect(calls.run).toEqual(['{a="b"} x']);
    expect(field()).toHaveValue('{a="b"} x');
    await user.tab();
    expect(calls.blur).toEqual(['{a="b"} x']);
  });

  it('starts a new line on Enter alone', async () => {
    const { calls, user } = setup('{a="b"}');
    await user.type(field(), '{Enter}');
    expect(calls.run).toEqual([]);
    expect(field()).toHaveValue('{a="b"}\n');
  });

  it('shows a text that comes from outside', () => {
    const { set } = setup('{a="b"} |= "x"');
    set('{a="c"} |= "x"');
    expect(field()).toHaveValue('{a="c"} |= "x"');
    set('{a="b"} |= "x"');
    expect(field()).toHaveValue('{a="b"} |= "x"');
  });

  it('does not let a late echo of what was typed undo newer typing', async () => {
    const { set, user } = setup('', false);
    await user.type(field(), 'abc');
    set('a');
    set('ab');
    expect(field()).toHaveValue('abc');
    set('other');
    expect(field()).toHaveValue('other');
  });

  it('applies an outside text that equals something once typed', async () => {
    const { set, user } = setup('');
    await user.type(field(), 'a');
    await user.clear(field());
    set('a');
    expect(field()).toHaveValue('a');
  });

  it('underlines what is wrong', () => {
    const oops = [{ from: 11, to: 15, message: 'oops' }];
    const { set } = setup('{a="b"} |= oops', true, (text) => (text.endsWith('oops') ? oops : NONE));
    expect(fakeMonaco.markers).toEqual([expect.objectContaining({ startColumn: 12, endColumn: 16 })]);
    set('{a="b"} |= "fine"');
    expect(fakeMonaco.markers).toEqual([]);
  });

  it('shows an example while it is empty', async () => {
    const { user } = setup('');
    expect(screen.getByText(/Shift\+Enter runs the query/)).toBeInTheDocument();
    await user.type(field(), 'x');
    expect(screen.queryByText(/Shift\+Enter runs the query/)).not.toBeInTheDocument();
  });
});
