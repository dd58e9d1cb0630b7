import type { DataSourceSettings } from '@grafana/data';
import { act, render, screen, within } from '@testing-library/react';
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
  streams: 12,
  entries: 4_100_000,
  rowsMax: 5000,
  bytes: 3.8e9,
  diskBytes: 380e6,
  tenants: ['team-a', 'team-b'],
};

type Settings = DataSourceSettings<WoodshedOptions>;

function setup(answer: unknown, more: Partial<Settings> = {}) {
  fetch.mockReset().mockReturnValue(answer instanceof Error ? throwError(() => answer) : of({ data: answer }));
  const changes: WoodshedOptions[] = [];
  let save = () => {};
  function Host() {
    const [options, setOptions] = useState({ uid: 'a/b', jsonData: {}, readOnly: false, ...more } as Settings);
    save = () => setOptions({ ...options, version: 2 });
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
  return { changes, user: userEvent.setup(), save: () => act(async () => save()) };
}

describe('ConfigEditor', () => {
  it('asks the store when it opens, when it is told to, and when something was saved', async () => {
    const { user, save } = setup(status);
    expect(await screen.findByText('ready, version 0.3.0')).toBeInTheDocument();
    expect(fetch).toHaveBeenCalledWith({ url: '/api/datasources/uid/a%2Fb/resources/status', showErrorAlert: false });
    fetch.mockReturnValue(of({ data: { ...status, state: 'replaying' } }));
    await user.click(screen.getByRole('button', { name: 'Refresh' }));
    expect(await screen.findByText('replaying, version 0.3.0')).toBeInTheDocument();
    await save();
    expect(fetch).toHaveBeenCalledTimes(3);
  });

  it('works without an answer', async () => {
    setup(new Error('plugin unavailable'));
    await act(async () => {});
    expect(fetch).toHaveBeenCalled();
    expect(screen.getByText(/The store has not answered yet/)).toBeInTheDocument();
    expect(screen.getByRole('spinbutton', { name: /Default lines/ })).toBeEnabled();
  });

  it('changes one setting and keeps the others', async () => {
    const { changes, user } = setup(status, { jsonData: { maxLines: 7, tenant: 'team-a' } });
    await user.click(await screen.findByRole('combobox', { name: /Tenant/ }));
    await user.click(await screen.findByRole('option', { name: 'team-b' }));
    expect(changes).toEqual([{ maxLines: 7, tenant: 'team-b' }]);
    await user.click(screen.getByRole('button', { name: 'Add link' }));
    expect(changes[1]).toMatchObject({ maxLines: 7, tenant: 'team-b', derivedFields: [{ name: '' }] });
  });

  it('says that it is provisioned, and can then not be changed', async () => {
    setup(status, {
      readOnly: true,
      jsonData: { tenant: 'team-a', derivedFields: [{ name: 'traceID', matcherRegex: 'x', url: 'https://a' }] },
    });
    expect(await screen.findByText('ready, version 0.3.0')).toBeInTheDocument();
    expect(screen.getByText(/A file of Grafana's configuration says what stands here/)).toBeInTheDocument();
    expect(screen.getByRole('spinbutton', { name: /Default lines/ })).toBeDisabled();
    expect(screen.getByRole('combobox', { name: /Tenant/ })).toBeDisabled();
    expect(screen.getByRole('button', { name: 'Add link' })).toBeDisabled();
    const link = within(screen.getByRole('group', { name: 'traceID' }));
    for (const role of ['textbox', 'radio', 'button', 'switch']) {
      for (const widget of link.getAllByRole(role)) {
        expect(widget).toBeDisabled();
      }
    }
  });

  it.each([{ tenant: 5 }, { tenant: {} }, { maxLines: 'x' }, { maxLines: [] }, { derivedFields: 7 }])(
    'shows settings of wrong types: %j',
    async (jsonData) => {
      setup(status, { jsonData: jsonData as unknown as WoodshedOptions });
      expect(await screen.findByText('ready, version 0.3.0')).toBeInTheDocument();
      expect(screen.getByRole('button', { name: 'Add link' })).toBeInTheDocument();
    }
  );
});
