import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React, { type ComponentProps } from 'react';
import type { StoreStatus } from '../../types';
import { StoreSection } from './StoreSection';

const status: StoreStatus = {
  version: '0.3.0',
  state: 'ready',
  listen: '127.0.0.1:3110',
  dataDir: '/var/lib/grafana/woodshed',
  streams: 12,
  entries: 4_100_000,
  bytes: 3.8e9,
  diskBytes: 380e6,
  retention: 'kept for 30d',
  space: '40 GB of 100 GB free',
  memory: ['Memory limit 512 MiB: heads 205 MiB.', 'More of it.'],
  oldest: new Date(Date.now() - 6 * 24 * 3600 * 1000).toISOString(),
  tenants: ['fake'],
};

function setup(props: Partial<ComponentProps<typeof StoreSection>> = {}) {
  const write = jest.fn();
  const user = userEvent.setup();
  Object.assign(navigator.clipboard, { writeText: write });
  Object.assign(window, { isSecureContext: true });
  const onRefresh = jest.fn();
  render(<StoreSection status={status} at={new Date(0)} onRefresh={onRefresh} {...props} />);
  return { user, write, onRefresh };
}

describe('StoreSection', () => {
  it('shows what the store says of itself, and when', async () => {
    const { user, onRefresh } = setup();
    for (const text of [
      'ready, version 0.3.0',
      '4,100,000 lines in 12 streams, 3.8 GB',
      '380 MB',
      '/var/lib/grafana/woodshed',
      'kept for 30d',
      '40 GB of 100 GB free',
      'Memory limit 512 MiB: heads 205 MiB.',
      'As of 1970-01-01 00:00:00',
    ]) {
      expect(screen.getByText(text)).toBeInTheDocument();
    }
    expect(screen.getByText(/^6 days ago \(20/)).toBeInTheDocument();
    await user.click(screen.getByRole('button', { name: 'Refresh' }));
    expect(onRefresh).toHaveBeenCalledTimes(1);
  });

  it('shows no directory to those who are not told', () => {
    setup({ status: { ...status, dataDir: undefined, oldest: undefined } });
    expect(screen.queryByText('Data directory')).not.toBeInTheDocument();
    expect(screen.getByText('none')).toBeInTheDocument();
  });

  it('says where to push, and copies it', async () => {
    const { user, write } = setup();
    expect(screen.getByText('http://127.0.0.1:3110/loki/api/v1/push')).toBeInTheDocument();
    expect(screen.getByText(/^this machine alone/)).toBeInTheDocument();
    expect(screen.queryByText('With the header')).not.toBeInTheDocument();
    await user.click(screen.getByRole('button', { name: 'Copy the address' }));
    expect(write).toHaveBeenLastCalledWith('http://127.0.0.1:3110/loki/api/v1/push');
    await user.click(screen.getByRole('radio', { name: 'Vector' }));
    await user.click(screen.getByRole('button', { name: 'Copy' }));
    expect(write).toHaveBeenLastCalledWith(expect.stringMatching(/^sinks:\n/));
  });

  it('names the tenant where pushes have to', () => {
    const header = 'X-Scope-OrgID: team-b';
    const { unmount } = render(
      <StoreSection status={{ ...status, tenants: ['fake', 'team-b'] }} tenant="team-b" onRefresh={jest.fn()} />
    );
    expect(screen.getByText(header)).toBeInTheDocument();
    expect(screen.getByText(/tenant_id: "team-b"/)).toBeInTheDocument();
    unmount();
    // What is not open to the organisation is not read, so nobody is told to push it.
    const second = render(
      <StoreSection status={{ ...status, tenants: ['fake'] }} tenant="team-b" onRefresh={jest.fn()} />
    );
    expect(screen.queryByText(header)).not.toBeInTheDocument();
    second.unmount();
    render(<StoreSection status={{ ...status, authEnabled: true }} onRefresh={jest.fn()} />);
    expect(screen.getByText('X-Scope-OrgID: fake')).toBeInTheDocument();
  });

  it.each([
    ['0.0.0.0:3110', /^every machine that reaches this one, under/],
    ['[::]:3110', /^every machine that reaches this one, under/],
    ['10.0.0.7:3110', /^every machine that reaches this address/],
    ['[::1]:3110', /^this machine alone/],
  ])('says from where %s is reached', (listen, text) => {
    setup({ status: { ...status, listen } });
    expect(screen.getByText(text)).toBeInTheDocument();
  });

  it('says why nothing can be pushed', () => {
    setup({ status: { ...status, listen: '', listenError: 'Another process listens on 127.0.0.1:3110.' } });
    expect(screen.getByRole('alert')).toHaveTextContent(
      'Nothing can be pushed: Another process listens on 127.0.0.1:3110.'
    );
  });

  it('names the setting when no listener is meant', () => {
    setup({ status: { ...status, listen: '' } });
    expect(screen.getByRole('alert')).toHaveTextContent(/no listener is open\. woodshed_listen/);
  });

  it('shows refused pushes', () => {
    setup({ status: { ...status, refused: [{ reason: 'x', entries: 3, text: '3 entries were refused.' }] } });
    expect(screen.getByText('3 entries were refused.')).toBeInTheDocument();
  });
});
