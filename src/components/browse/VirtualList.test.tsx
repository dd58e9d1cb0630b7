import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React from 'react';
import { VirtualList } from './VirtualList';

const items = Array.from({ length: 100_000 }, (_, n) => ({ value: `v${n}`, label: `value ${n}`, selected: n === 1 }));

describe('VirtualList', () => {
  it('holds only rows in view, and is worked by keyboard', async () => {
    const onPick = jest.fn();
    render(<VirtualList label="Values" items={items} multiple onPick={onPick} />);
    const user = userEvent.setup();
    expect(screen.getAllByRole('option').length).toBeLessThan(40);
    expect(screen.getByRole('option', { name: 'value 1' })).toHaveAttribute('aria-selected', 'true');
    await user.tab();
    const list = screen.getByRole('listbox', { name: 'Values' });
    expect(list).toHaveFocus();
    await user.keyboard('{ArrowDown}{ArrowDown}{ArrowUp} ');
    expect(onPick).toHaveBeenLastCalledWith('v1');
    await user.keyboard('{End}{Enter}');
    expect(onPick).toHaveBeenLastCalledWith('v99999');
    expect(screen.getByRole('option', { name: 'value 99999' })).toHaveAttribute(
      'id',
      list.getAttribute('aria-activedescendant')
    );
    await user.keyboard('{Home}{ArrowUp}{Enter}');
    expect(onPick).toHaveBeenLastCalledWith('v0');
    await user.click(screen.getByRole('option', { name: 'value 3' }));
    expect(onPick).toHaveBeenLastCalledWith('v3');
  });

  it('can be empty', async () => {
    const onPick = jest.fn();
    render(<VirtualList label="Values" items={[]} onPick={onPick} />);
    await userEvent.setup().tab();
    await userEvent.setup().keyboard('{ArrowDown}{Enter}');
    expect(onPick).not.toHaveBeenCalled();
  });
});
