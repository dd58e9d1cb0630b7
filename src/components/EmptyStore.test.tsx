import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React from 'react';
import { EmptyStore } from './EmptyStore';

describe('EmptyStore', () => {
  it('shows how each agent pushes here', async () => {
    const user = userEvent.setup();
    render(<EmptyStore url="http://127.0.0.1:3110" />);
    expect(screen.getByText('No logs yet. Push them to http://127.0.0.1:3110/loki/api/v1/push')).toBeInTheDocument();
    for (const [agent, text] of [
      ['Promtail', /- url: http:\/\/127.0.0.1:3110\/loki\/api\/v1\/push/],
      ['Alloy', /endpoint \{ url = "http:\/\/127.0.0.1:3110\/loki\/api\/v1\/push" \}/],
      ['Fluent Bit', /port 3110/],
      ['curl', /^curl -H/],
    ] as const) {
      await user.click(screen.getByRole('radio', { name: agent }));
      expect(screen.getByText(text)).toBeInTheDocument();
    }
  });

  it('copies what it shows', async () => {
    const user = userEvent.setup();
    const write = jest.fn();
    Object.assign(navigator.clipboard, { writeText: write });
    Object.assign(window, { isSecureContext: true });
    render(<EmptyStore url="https://logs.example" />);
    await user.click(screen.getByRole('radio', { name: 'Fluent Bit' }));
    await user.click(screen.getByRole('button', { name: /Copy/ }));
    expect(write).toHaveBeenCalledWith(expect.stringContaining('host   logs.example\n    port   443\n'));
    expect(write).toHaveBeenCalledWith(expect.stringContaining('tls    on'));
  });

  it('says what to do when nothing listens', () => {
    const { rerender } = render(<EmptyStore />);
    expect(screen.getByText('No logs yet, and nowhere to push them')).toBeInTheDocument();
    expect(screen.getByText(/Set woodshed_listen/)).toBeInTheDocument();
    rerender(<EmptyStore listenError="port 3110 is taken by another process." />);
    expect(screen.getByText('port 3110 is taken by another process.')).toBeInTheDocument();
  });
});
