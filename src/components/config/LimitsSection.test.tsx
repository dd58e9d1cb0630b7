import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React from 'react';
import { LimitsSection } from './LimitsSection';

function setup(maxLines?: unknown, rowsMax: number | undefined = 5000) {
  const onChange = jest.fn();
  render(<LimitsSection maxLines={maxLines} rowsMax={rowsMax} disabled={false} onChange={onChange} />);
  return { onChange, user: userEvent.setup(), field: screen.getByRole('spinbutton', { name: /Default lines/ }) };
}

describe('LimitsSection', () => {
  it('says its bounds and keeps to them', async () => {
    const { onChange, user, field } = setup();
    expect(screen.getByText(/from 1 to 5,000, and 1,000 if empty/)).toBeInTheDocument();
    await user.type(field, '200');
    expect(onChange).toHaveBeenLastCalledWith(200);
    await user.type(field, '00');
    expect(onChange).toHaveBeenLastCalledWith(undefined);
    expect(screen.getByText(/^20000 is not a whole number from 1 to 5,000 \(grafana\.rows_max\)/)).toBeInTheDocument();
    await user.clear(field);
    expect(onChange).toHaveBeenLastCalledWith(undefined);
    expect(screen.queryByText(/is not a whole number/)).not.toBeInTheDocument();
  });

  it.each(['-4', '0', '1.5'])('does not take %s', async (text) => {
    const { onChange, user, field } = setup(50);
    await user.clear(field);
    onChange.mockClear();
    await user.type(field, text);
    expect(screen.getByText(new RegExp(`^${text} is not a whole number`))).toBeInTheDocument();
    expect(onChange).not.toHaveBeenCalledWith(Number(text));
  });

  it('shows that what is stored is wrong', () => {
    setup(-7);
    expect(screen.getByText(/^-7 is not a whole number/)).toBeInTheDocument();
  });

  it('knows no upper bound before the store answers', async () => {
    const onChange = jest.fn();
    render(<LimitsSection maxLines={9000} disabled={false} onChange={onChange} />);
    expect(screen.getByText(/: at least 1, and/)).toBeInTheDocument();
    expect(screen.queryByText(/is not a whole number/)).not.toBeInTheDocument();
  });
});
