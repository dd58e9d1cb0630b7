import type { DataSourcePluginOptionsEditorProps } from '@grafana/data';
import { getBackendSrv } from '@grafana/runtime';
import { Alert } from '@grafana/ui';
import React, { useCallback, useState } from 'react';
import { lastValueFrom } from 'rxjs';
import { readStatus } from '../api';
import { readDerivedFields } from '../derived/config';
import type { StoreStatus, WoodshedOptions } from '../types';
import { LimitsSection } from './config/LimitsSection';
import { LinksSection } from './config/LinksSection';
import { StoreSection } from './config/StoreSection';
import { TenantSection } from './config/TenantSection';
import { useAnswer } from './useAnswer';

type Props = DataSourcePluginOptionsEditorProps<WoodshedOptions>;

export function ConfigEditor({ options, onOptionsChange }: Props) {
  const { uid, jsonData, readOnly = false, version } = options;
  const [refreshed, setRefreshed] = useState(0);
  const answer = useAnswer(
    useCallback(() => askStatus(uid), [uid]),
    `${refreshed}/${version}` // Saving makes a new version, and may change the tenant.
  );
  const tenant = storedTenant(jsonData.tenant);

  const change = (changed: Partial<WoodshedOptions>) => {
    onOptionsChange({ ...options, jsonData: { ...jsonData, ...changed } });
  };

  return (
    <>
      {readOnly && (
        <Alert severity="info" title="Provisioned">
          A file of Grafana&apos;s configuration says what stands here, so it can be changed only in that file.
        </Alert>
      )}
      <StoreSection
        status={answer?.status}
        at={answer?.at}
        tenant={tenant}
        onRefresh={() => setRefreshed(refreshed + 1)}
      />
      <TenantSection
        tenants={answer?.status.tenants}
        tenant={tenant}
        disabled={readOnly}
        onChange={(value) => change({ tenant: value })}
      />
      <LimitsSection
        maxLines={jsonData.maxLines}
        rowsMax={answer?.status.rowsMax}
        disabled={readOnly}
        onChange={(value) => change({ maxLines: value })}
      />
      <LinksSection
        fields={readDerivedFields(jsonData.derivedFields)}
        disabled={readOnly}
        onChange={(value) => change({ derivedFields: value })}
      />
    </>
  );
}

async function askStatus(uid: string): Promise<{ status: StoreStatus; at: Date }> {
  const url = `/api/datasources/uid/${encodeURIComponent(uid)}/resources/status`;
  const response = await lastValueFrom(getBackendSrv().fetch<unknown>({ url, showErrorAlert: false }));
  return { status: readStatus(response.data), at: new Date() };
}

/** A provisioning file may hold a tenant called 1234, which is a number there. */
function storedTenant(tenant: unknown): string | undefined {
  return typeof tenant === 'string' || typeof tenant === 'number' ? String(tenant) || undefined : undefined;
}
