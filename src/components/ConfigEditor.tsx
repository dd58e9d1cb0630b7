import { css } from '@emotion/css';
import { dateTime, type DataSourcePluginOptionsEditorProps, type GrafanaTheme2 } from '@grafana/data';
import { getBackendSrv } from '@grafana/runtime';
import { Combobox, FieldSet, InlineField, Input, Stack, useStyles2 } from '@grafana/ui';
import React, { type ChangeEvent, useCallback } from 'react';
import { lastValueFrom } from 'rxjs';
import { pushUrl, readStatus } from '../api';
import { LINES_DEFAULT, type StoreStatus, type WoodshedOptions } from '../types';
import { Notice } from './Notice';
import { countOf, formatBytes, formatCount } from './numbers';
import { StoreNotices } from './StoreNotices';
import { useAnswer } from './useAnswer';

type Props = DataSourcePluginOptionsEditorProps<WoodshedOptions>;

const LABEL_WIDTH = 20;

export function ConfigEditor({ options, onOptionsChange }: Props) {
  const { uid, jsonData, readOnly } = options;
  const status = useAnswer(useCallback(() => askStatus(uid), [uid]));
  const tenants = status?.tenants ?? [];
  const rowsMax = status?.rowsMax ?? Infinity;

  const change = (changed: Partial<WoodshedOptions>) => {
    onOptionsChange({ ...options, jsonData: { ...jsonData, ...changed } });
  };

  const onLines = (event: ChangeEvent<HTMLInputElement>) => {
    const lines = parseInt(event.currentTarget.value, 10);
    change({ maxLines: lines > 0 ? Math.min(lines, rowsMax) : undefined });
  };

  return (
    <>
      <FieldSet label="Where are the logs?">
        <p>In this Grafana: the store runs inside the plugin and keeps its data beside Grafana&apos;s own.</p>
        {status ? <StoreFacts status={status} /> : <p>The store has not answered yet. Save &amp; test says why.</p>}
      </FieldSet>
      {tenants.length > 1 && (
        <FieldSet label="Tenant">
          <InlineField
            label="Tenant"
            labelWidth={LABEL_WIDTH}
            tooltip="Grafana's configuration gives this organisation these tenants."
            disabled={readOnly}
          >
            <Combobox
              id="woodshed-tenant"
              options={tenants.map((value) => ({ value, label: value }))}
              value={jsonData.tenant ?? null}
              onChange={({ value }) => change({ tenant: value })}
              placeholder={tenants[0]}
              width={30}
            />
          </InlineField>
        </FieldSet>
      )}
      <FieldSet label="Limits">
        <InlineField
          label="Maximum lines"
          labelWidth={LABEL_WIDTH}
          tooltip={`How many lines a query returns that does not say.${rowsMax === Infinity ? '' : ` At most ${formatCount(rowsMax)}.`}`}
          disabled={readOnly}
        >
          <Input
            id="woodshed-max-lines"
            type="number"
            min={1}
            max={rowsMax === Infinity ? undefined : rowsMax}
            width={30}
            placeholder={String(LINES_DEFAULT)}
            value={jsonData.maxLines ?? ''}
            onChange={onLines}
          />
        </InlineField>
      </FieldSet>
    </>
  );
}

async function askStatus(uid: string): Promise<StoreStatus> {
  const url = `/api/datasources/uid/${encodeURIComponent(uid)}/resources/status`;
  const response = await lastValueFrom(getBackendSrv().fetch<unknown>({ url, showErrorAlert: false }));
  return readStatus(response.data);
}

function optional(name: string, value?: string): Array<[string, string]> {
  return value ? [[name, value]] : [];
}

function StoreFacts({ status }: { status: StoreStatus }) {
  const styles = useStyles2(getStyles);
  const { version, state, listenError, dataDir, streams, entries, bytes, diskBytes, oldest, retention, space, memory } =
    status;
  const url = pushUrl(status);
  const facts: Array<[string, string]> = [
    ['State', version ? `${state}, version ${version}` : state],
    ['Push logs to', url ? `${url}/loki/api/v1/push` : 'no listener is open'],
    ['Stored', `${countOf(entries, 'line')} in ${countOf(streams, 'stream')}, ${formatBytes(bytes)}`],
    ['On disk', formatBytes(diskBytes)],
    ['Oldest line', oldest ? dateTime(oldest).fromNow() : 'none'],
    ...optional('Retention', retention),
    ...optional('Disk', space),
    ...optional('Memory', memory?.[0]),
    ...optional('Data directory', dataDir),
  ];
  return (
    <>
      <dl className={styles.facts} aria-label="Store">
        {facts.map(([name, value]) => (
          <React.Fragment key={name}>
            <dt className={styles.name}>{name}</dt>
            <dd className={styles.value}>{value}</dd>
          </React.Fragment>
        ))}
      </dl>
      <Stack direction="column" gap={0.5}>
        {listenError && <Notice severity="warning">Nothing can be pushed: {listenError}</Notice>}
        <StoreNotices status={status} />
      </Stack>
    </>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  facts: css({
    display: 'grid',
    gridTemplateColumns: 'max-content 1fr',
    gap: theme.spacing(0.5, 2),
    marginBottom: theme.spacing(1),
  }),
  name: css({ fontWeight: theme.typography.fontWeightMedium, color: theme.colors.text.secondary }),
  value: css({ margin: 0, overflowWrap: 'anywhere' }),
});
