import type { QueryEditorHelpProps } from '@grafana/data';
import { LoadingPlaceholder } from '@grafana/ui';
import React, { lazy, Suspense } from 'react';
import type { WoodshedQuery } from '../types';

const CheatSheet = lazy(() => import('./CheatSheet'));

/** The help of the query editor, loaded when somebody asks for it. */
export function QueryHelp(props: QueryEditorHelpProps<WoodshedQuery>) {
  return (
    <Suspense fallback={<LoadingPlaceholder text="Loading examples…" />}>
      <CheatSheet {...props} />
    </Suspense>
  );
}
