import { render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React, { useState } from 'react';
import { Builder } from './Builder';

const FIELDS = [
  { name: 'status', origin: 'parsed field', values: ['500', '200'] },
  { name: 'level', origin: 'parsed field', values: ['error'] },
];

function setup(initial: string) {
  function Host() {
    const [expr, setExpr] = useState(initial);
    return (
      <>
        <Builder expr={expr} askFields={async () => FIELDS} onChange={setExpr} />
        <output>{expr}</output>
      </>
    );
  }
  const { container } = render(<Host />);
  return { user: userEvent.setup(), text: () => container.querySelector('output')?.textContent };
}

async function choose(user: ReturnType<typeof userEvent.setup>, box: string, text: string) {
  await user.click(screen.getByRole('combobox', { name: box }));
  await user.click(await screen.findByText(text, { selector: '[role=option] *' }));
}

describe('Builder', () => {
  it('writes line filters', async () => {
    const { user, text } = setup('{a="b"} # c');
    await user.click(screen.getByRole('button', { name: 'Add line filter' }));
    await user.type(screen.getByRole('textbox', { name: 'Line filter 1 text' }), 'time');
    expect(text()).toBe('{a="b"} # c');
    await user.keyboard('{Enter}');
    expect(text()).toBe('{a="b"} |= "time" # c');
    await choose(user, 'Line filter 1 operator', 'does not contain');
    expect(text()).toBe('{a="b"} != "time" # c');
    await user.clear(screen.getByRole('textbox', { name: 'Line filter 1 text' }));
    await user.tab();
    expect(text()).toBe('{a="b"} # c');
  });

  it('writes a parser; a pattern once there is one', async () => {
    const { user, text } = setup('{a="b"}');
    await user.click(screen.getByRole('radio', { name: 'JSON' }));
    expect(text()).toBe('{a="b"} | json');
    await user.click(screen.getByRole('radio', { name: 'Pattern' }));
    expect(text()).toBe('{a="b"} | json');
    await user.type(screen.getByRole('textbox', { name: 'Pattern' }), '<ip> <_>{Enter}');
    expect(text()).toBe('{a="b"} | pattern "<ip> <_>"');
    await user.click(screen.getByRole('radio', { name: 'None' }));
    expect(text()).toBe('{a="b"}');
  });

  it('writes label filters of names and values that lines have', async () => {
    const { user, text } = setup('{a="b"} | json');
    await user.click(screen.getByRole('button', { name: 'Add label filter' }));
    await choose(user, 'Label filter 1 name', 'status');
    await choose(user, 'Label filter 1 operator', '>=');
    await choose(user, 'Label filter 1 value', '500');
    expect(text()).toBe('{a="b"} | json | status >= 500');
    await user.click(screen.getByRole('button', { name: 'Remove label filter 1' }));
    expect(text()).toBe('{a="b"} | json');
  });

  it('keeps a test that cannot be written beside the text until it can', async () => {
    const { user, text } = setup('{a="b"} | json | level="error"');
    await choose(user, 'Label filter 1 operator', '>');
    expect(text()).toBe('{a="b"} | json | level="error"');
    expect(screen.getByText('Compare with a number, a duration or bytes')).toBeInTheDocument();
    await choose(user, 'Label filter 1 operator', '!=');
    expect(text()).toBe('{a="b"} | json | level!="error"');
    expect(screen.queryByText(/Compare with/)).not.toBeInTheDocument();
  });

  it('counts by labels, and back', async () => {
    const { user, text } = setup('{a="b"} | json');
    await user.click(screen.getByRole('radio', { name: 'Over time' }));
    expect(text()).toBe('sum(count_over_time({a="b"} | json [$__auto]))');
    await choose(user, 'Count by', 'level');
    expect(text()).toBe('sum by (level) (count_over_time({a="b"} | json [$__auto]))');
    await user.click(screen.getByRole('radio', { name: 'Show lines' }));
    expect(text()).toBe('{a="b"} | json');
  });

  it('names what it has no field for', () => {
    setup('topk(2, rate({a="b"} | unpack | x="y" or z="q" [5m]))');
    const note = within(screen.getByRole('group', { name: 'Builder' }));
    for (const part of ['| unpack', '| x="y" or z="q"', 'topk(2, rate( … [5m]))']) {
      expect(note.getByText(part)).toBeInTheDocument();
    }
    expect(screen.getByRole('radio', { name: 'JSON' })).toBeDisabled();
    expect(screen.getByRole('radio', { name: 'Over time' })).toBeDisabled();
  });

  it('waits for a whole query', () => {
    setup('{a="b"} |= "x');
    expect(screen.getByText(/not a whole query yet/)).toBeInTheDocument();
    expect(screen.getByRole('button', { name: 'Add line filter' })).toBeDisabled();
  });
});
