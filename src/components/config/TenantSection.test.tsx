import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React from 'react';
import { TenantSection } from './TenantSection';

function setup(tenants: string[] | undefined, tenant?: string, disabled = false) {
  const onChange = jest.fn();
  render(<TenantSection tenants={tenants} tenant={tenant} disabled={disabled} onChange={onChange} />);
  return onChange;
}

const choice = () => screen.queryByRole('combobox', { name: /Tenant/ });

describe('TenantSection', () => {
  it('chooses among the tenants that the organisation has', async () => {
    const user = userEvent.setup();
    const onChange = setup(['team-a', 'team-b'], 'team-a');
    await user.click(screen.getByRole('combobox', { name: /Tenant/ }));
    await user.click(await screen.findByRole('option', { name: 'team-b' }));
    expect(onChange).toHaveBeenCalledWith('team-b');
  });

  it('says which one it is when there is no choice', () => {
    setup(['fake']);
    expect(screen.getByText('fake, the only one that is open to this organisation.')).toBeInTheDocument();
    expect(choice()).not.toBeInTheDocument();
  });

  it('says when there is none', () => {
    setup([]);
    expect(screen.getByText(/may read no tenant: woodshed_org_tenants/)).toBeInTheDocument();
  });

  it('says when a stored one is no longer open, and offers the others', async () => {
    const user = userEvent.setup();
    const onChange = setup(['fake'], 'team-x');
    expect(screen.getByRole('alert')).toHaveTextContent(
      'Tenant team-x is stored here, but it is not open to this organisation, so queries fail. It may read fake.'
    );
    await user.click(screen.getByRole('combobox', { name: /Tenant/ }));
    await user.click(await screen.findByRole('option', { name: 'fake' }));
    expect(onChange).toHaveBeenCalledWith('fake');
  });

  it('shows what is stored while the store has not answered', () => {
    setup(undefined, 'team-a');
    expect(screen.getByText(/^team-a\. Which ones are open is known when the store answers/)).toBeInTheDocument();
  });
});
