import React from 'react';
import type { StoreStatus } from '../types';
import { Notice } from './Notice';
import { countOf } from './numbers';

interface Props {
  status: StoreStatus;
}

/** What a person has to know of the store to trust an answer: pushes that it refused, and what it warns of. */
export function StoreNotices({ status }: Props) {
  const refused = status.refused?.filter(({ entries }) => entries > 0) ?? [];
  const warnings = status.warnings ?? [];
  return (
    <>
      {refused.map(({ reason, tenant, entries, text }) => (
        <Notice key={`${tenant ?? ''}/${reason}`} severity="warning">
          {countOf(entries, 'entry')} refused in the last 15 minutes: {text}
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
