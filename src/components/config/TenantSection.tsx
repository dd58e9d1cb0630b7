import { Combobox, Field, FieldSet } from '@grafana/ui';
import React from 'react';
import { Notice } from '../Notice';
import { useChoice } from '../useChoice';

interface Props {
  /** Those that the organisation may read; not known before the store answers. */
  tenants?: string[];
  /** The one that is stored here, if any. */
  tenant?: string;
  disabled: boolean;
  onChange: (tenant: string | undefined) => void;
}

/** Whose logs are read: one of those that the process gives this organisation. Nothing here opens another one. */
export function TenantSection({ tenants, tenant, disabled, onChange }: Props) {
  const onTenant = useChoice(tenant, onChange);
  const closed = tenant !== undefined && tenants !== undefined && !tenants.includes(tenant);
  return (
    <FieldSet label="Tenant">
      {closed && (
        <Notice severity="error">
          Tenant {tenant} is stored here, but it is not open to this organisation, so queries fail.{' '}
          {tenants.length > 0 ? `It may read ${tenants.join(', ')}.` : ''} woodshed_org_tenants in the configuration of
          Grafana lists what is open.
        </Notice>
      )}
      {tenants && (tenants.length > 1 || (closed && tenants.length > 0)) ? (
        <Field
          label="Tenant"
          description="Grafana's configuration gives this organisation these tenants."
          disabled={disabled}
        >
          <Combobox
            id="woodshed-tenant"
            options={tenants.map((value) => ({ value, label: value }))}
            value={closed ? null : (tenant ?? null)}
            onChange={onTenant}
            placeholder={tenants[0]}
            disabled={disabled}
            width={30}
          />
        </Field>
      ) : (
        <p>{inWords(tenants, tenant)}</p>
      )}
    </FieldSet>
  );
}

function inWords(tenants: string[] | undefined, tenant: string | undefined): string {
  if (tenants === undefined) {
    return `${tenant ?? 'The first of the organisation'}. Which ones are open is known when the store answers.`;
  }
  if (tenants.length === 0) {
    return 'This organisation may read no tenant: woodshed_org_tenants in the configuration of Grafana does not list it.';
  }
  return `${tenants[0]}, the only one that is open to this organisation.`;
}
