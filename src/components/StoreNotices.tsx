import React from 'react';
import type { StoreStatus } from '../types';
import { Notice } from './Notice';

interface Props {
  status: StoreStatus;
}

/** What a person has to know of the store to trust an answer: whether it is ready, what it refused, what it warns of. */
export function StoreNotices({ status }: Props) {
  const refused = status.refused?.filter(({ entries }) => entries > 0) ?? [];
  const warnings = status.warnings ?? [];
  return (
    <>
      {status.state !== 'ready' && status.message && <Notice severity="warning">{status.message}</Notice>}
      {refused.map(({ reason, tenant, text }) => (
        <Notice key={`${tenant ?? ''}/${reason}`} severity="warning">
          {text}
        </Notice>
      ))}
      {warnings.map((warning) => (
        <Notice key={warning} severity="warning">
          {warning}
        </Notice>
      ))}
    </>
  );
}
