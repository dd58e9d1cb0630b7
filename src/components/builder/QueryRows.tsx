import { css } from '@emotion/css';
import type { GrafanaTheme2, TimeRange } from '@grafana/data';
import { Button, RadioButtonGroup, useStyles2 } from '@grafana/ui';
import React, { useMemo, useState } from 'react';
import { countSource } from '../../counts';
import type { WoodshedDatasource } from '../../datasource';
import type { EditorMode, WoodshedQuery } from '../../types';
import { BrowseDialog } from '../browse/BrowseDialog';
import { LabelPicker } from '../LabelPicker';
import { Builder } from './Builder';
import { fieldSource } from './fields';
import { useEditorMode } from './useEditorMode';

interface Props {
  datasource: WoodshedDatasource;
  query: WoodshedQuery;
  /** The text as it is typed. */
  expr: string;
  range: TimeRange;
  onPick: (expr: string) => void;
  onRun: (expr: string) => void;
  onChange: (query: WoodshedQuery) => void;
}

const MODES: Array<{ value: EditorMode; label: string; description: string }> = [
  { value: 'builder', label: 'Builder', description: 'Fields that write the text' },
  { value: 'code', label: 'Code', description: 'Labels and the text' },
];

/** All above the text that edits it: the label picker, the dialog to browse labels, and the builder. */
export function QueryRows({ datasource, query, expr, range, onPick, onRun, onChange }: Props) {
  const styles = useStyles2(getStyles);
  const source = useMemo(() => countSource(datasource, range), [datasource, range]);
  const askFields = useMemo(() => fieldSource(datasource, range), [datasource, range]);
  const [mode, setMode] = useEditorMode(query, onChange);
  const [browsing, setBrowsing] = useState(false);

  return (
    <>
      <div className={styles.line}>
        <LabelPicker expr={expr} source={source} onChange={onPick}>
          <Button variant="secondary" fill="outline" onClick={() => setBrowsing(true)}>
            Browse
          </Button>
        </LabelPicker>
        <div className={styles.mode}>
          <RadioButtonGroup aria-label="Editor" size="sm" options={MODES} value={mode} onChange={setMode} />
        </div>
      </div>
      {mode === 'builder' && <Builder expr={expr} askFields={askFields} onChange={onPick} />}
      {browsing && (
        <BrowseDialog
          expr={expr}
          source={source}
          onClose={() => setBrowsing(false)}
          onShow={(text) => {
            setBrowsing(false);
            onRun(text);
          }}
        />
      )}
    </>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  line: css({ display: 'flex', alignItems: 'flex-start', gap: theme.spacing(1) }),
  mode: css({ flexShrink: 0, marginLeft: 'auto' }),
});
