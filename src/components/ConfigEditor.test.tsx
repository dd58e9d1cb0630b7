import type { DataSourceSettings } from '@grafana/data';
import { act, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React, { useState } from 'react';
import { of, throwError } from 'rxjs';
import type { StoreStatus, WoodshedOptions } from '../types';
import { ConfigEditor } from './ConfigEditor';

const fetch = jest.fn();

jest.mock('@grafana/runtime', () => ({
  ...jest.requireActual('@grafana/runtime'),
  getBackendSrv: () => ({ fetch }),
}));

const status: StoreStatus = {
  version: '0.3.0',
  state: 'ready',
  listen: '127.0.0.1:3110',
  dataDir: '/var/lib/grafana/woodshed',
  streams: 12,
  entries: 4_100_000,
  rowsMax: 5000,
  bytes: 3.8e9,
  diskBytes: 380e6,
  retention: 'kept for 30d',
  space: '40 GB of 100 GB free',
  memory: ['Memory limit 512 MiB: heads 205 MiB.', 'More of it.'],
  oldest: new Date(Date.now() - 6 * 24 * 3600 * 1000).toISOString(),
};

function setup(answer: unknown, more: Partial<DataSourceSettings<WoodshedOptions>> = {}) {
  fetch.mockReset().mockReturnValue(answer instanceof Error ? throwError(() => answer) : of({ data: answer }));
  const changes: WoodshedOptions[] = [];
  function Host() {
    const [options, setOptions] = useState({
      uid: 'a/b',
      jsonData: {},
      readOnly: false,
      ...more,
    } as DataSourceSettings<WoodshedOptions>);
    return (
      <ConfigEditor
        options={options}
        onOptionsChange={(next) => {
          changes.push(next.jsonData);
          setOptions(next);
        }}
      />
    );
  }
  render(<Host />);
  return { changes, user: userEvent.setup() };
}

describe('ConfigEditor', () => {
  it('shows what the store says of itself', async () => {
    setup(status);
    expect(await screen.findByText('http://127.0.0.1:3110/loki/api/v1/push')).toBeInTheDocument();
    expect(screen.getByText('ready, version 0.3.0')).toBeInTheDocument();
    expect(screen.getByText('4,100,000 lines in 12 streams, 3.8 GB')).toBeInTheDocument();
    expect(screen.getByText('380 MB')).toBeInTheDocument();
    expect(screen.getByText('6 days ago')).toBeInTheDocument();
    expect(screen.getByText('/var/lib/grafana/woodshed')).toBeInTheDocument();
    expect(screen.getByText('kept for 30d')).toBeInTheDocument();
    expect(screen.getByText('40 GB of 100 GB free')).toBeInTheDocument();
    expect(screen.getByText('Memory limit 512 MiB: heads 205 MiB.')).toBeInTheDocument();
    expect(fetch).toHaveBeenCalledWith({ url: '/api/datasources/uid/a%2Fb/resources/status', showErrorAlert: false });
  });

  it('shows no directory to those who are not told', async () => {
    setup({ ...status, dataDir: undefined, oldest: undefined, listen: '', listenError: 'port 3110 is taken.' });
    expect(await screen.findByText('no listener is open')).toBeInTheDocument();
    expect(screen.getByText('Nothing can be pushed: port 3110 is taken.')).toBeInTheDocument();
    expect(screen.queryByText('Data directory')).not.toBeInTheDocument();
    expect(screen.getByText('none')).toBeInTheDocument();
  });

  it('works without an answer', async () => {
    setup(new Error('plugin unavailable'));
    await act(async () => {});
    expect(fetch).toHaveBeenCalled();
    expect(screen.getByText(/The store has not answered yet/)).toBeInTheDocument();
  });

  it('sets the number of lines, within bounds', async () => {
    const { changes, user } = setup(status);
    await screen.findByText('http://127.0.0.1:3110/loki/api/v1/push');
    const lines = screen.getByRole('spinbutton', { name: 'Maximum lines' });
    await user.type(lines, '200');
    expect(changes[changes.length - 1]).toEqual({ maxLines: 200 });
    await user.type(lines, '00');
    expect(changes[changes.length - 1]).toEqual({ maxLines: 5000 });
    await user.clear(lines);
    expect(changes[changes.length - 1]).toEqual({ maxLines: undefined });
  });

  it('offers tenants only when there is a choice', async () => {
    setup({ ...status, tenants: ['fake'] });
    await screen.findByText('http://127.0.0.1:3110/loki/api/v1/push');
    expect(screen.queryByRole('combobox', { name: 'Tenant' })).not.toBeInTheDocument();
  });

  it('chooses among the tenants that the organisation has', async () => {
    const { changes, user } = setup({ ...status, tenants: ['team-a', 'team-b'] });
    await user.click(await screen.findByRole('combobox', { name: 'Tenant' }));
    await user.click(await screen.findByRole('option', { name: 'team-b' }));
    expect(changes).toEqual([{ tenant: 'team-b' }]);
  });

  it('cannot be changed when it is provisioned', async () => {
    setup(status, { readOnly: true });
    await screen.findByText('http://127.0.0.1:3110/loki/api/v1/push');
    expect(screen.getByRole('spinbutton', { name: 'Maximum lines' })).toBeDisabled();
  });
});
