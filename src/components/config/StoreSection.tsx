import { css } from '@emotion/css';
import { dateTime, dateTimeFormat, type GrafanaTheme2 } from '@grafana/data';
import { Button, ClipboardButton, FieldSet, Stack, useStyles2 } from '@grafana/ui';
import React, { type ReactNode } from 'react';
import { pushUrl } from '../../api';
import { PUSH_PATH, TENANT_HEADER } from '../../snippets';
import type { StoreStatus } from '../../types';
import { Notice } from '../Notice';
import { countOf, formatBytes } from '../numbers';
import { StoreNotices } from '../StoreNotices';
import { Agents } from './Agents';

const TENANT_DEFAULT = 'fake'; // Loki's name for the tenant of pushes without a header.

interface Props {
  /** None before the first answer and after a failure. */
  status?: StoreStatus;
  /** When it was asked for. */
  at?: Date;
  /** The tenant that is chosen here, which may not be saved yet. */
  tenant?: string;
  onRefresh: () => void;
}

/** Where the logs are, how to get some there, and how that place is doing now. */
export function StoreSection({ status, at, tenant, onRefresh }: Props) {
  return (
    <FieldSet label="Where are the logs?">
      <p>In this Grafana: the store runs inside the plugin and keeps its data beside Grafana&apos;s own.</p>
      {status && <Pushing status={status} tenant={headerTenant(status, tenant)} />}
      <Stack alignItems="center" gap={1}>
        <Button variant="secondary" size="sm" icon="sync" onClick={onRefresh}>
          Refresh
        </Button>
        {at && <span>As of {dateTimeFormat(at)}</span>}
      </Stack>
      {status ? <Facts status={status} /> : <p>The store has not answered yet. Save &amp; test says why.</p>}
    </FieldSet>
  );
}

/** The tenant that a push has to name so that this data source reads it, if it has to. */
function headerTenant({ tenants = [], authEnabled }: StoreStatus, chosen: string | undefined): string | undefined {
  const tenant = chosen !== undefined && tenants.includes(chosen) ? chosen : tenants[0];
  return authEnabled || tenant !== TENANT_DEFAULT ? tenant : undefined;
}

function Pushing({ status, tenant }: { status: StoreStatus; tenant?: string }) {
  const styles = useStyles2(getStyles);
  const url = pushUrl(status);
  if (!url) {
    return (
      <div className={styles.block}>
        <Notice severity="warning">
          Nothing can be pushed:{' '}
          {status.listenError ??
            'no listener is open. woodshed_listen in the configuration of Grafana sets its address.'}
        </Notice>
      </div>
    );
  }
  const address = `${url}${PUSH_PATH}`;
  return (
    <div className={styles.block}>
      <dl className={styles.facts} aria-label="Push">
        <Fact name="Push logs to">
          <code>{address}</code>
          <ClipboardButton variant="secondary" size="sm" fill="text" icon="copy" getText={() => address}>
            Copy the address
          </ClipboardButton>
        </Fact>
        {tenant && (
          <Fact name="With the header">
            <code>{`${TENANT_HEADER}: ${tenant}`}</code>
          </Fact>
        )}
        <Fact name="Reached from">{reachedFrom(new URL(url))}</Fact>
      </dl>
      <Agents url={url} tenant={tenant} />
    </div>
  );
}

/** Whether agents on other machines can use the address as it stands. */
function reachedFrom({ hostname }: URL): string {
  if (/^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname)) {
    return 'this machine alone; woodshed_listen opens it to others';
  }
  if (hostname === '0.0.0.0' || hostname === '[::]') {
    return "every machine that reaches this one, under this machine's name in place of the address";
  }
  return 'every machine that reaches this address';
}

function Facts({ status }: { status: StoreStatus }) {
  const styles = useStyles2(getStyles);
  const { version, state, dataDir, streams, entries, bytes, diskBytes, oldest, retention, space, memory } = status;
  const facts: Array<[name: string, value: string | undefined]> = [
    ['State', version ? `${state}, version ${version}` : state],
    ['Stored', `${countOf(entries, 'line')} in ${countOf(streams, 'stream')}, ${formatBytes(bytes)}`],
    ['On disk', formatBytes(diskBytes)],
    ['Oldest line', oldest ? `${dateTime(oldest).fromNow()} (${dateTimeFormat(oldest)})` : 'none'],
    ['Retention', retention],
    ['Disk', space],
    ['Memory', memory?.[0]],
    ['Data directory', dataDir],
  ];
  return (
    <>
      <dl className={styles.facts} aria-label="Store">
        {facts.map(
          ([name, value]) =>
            value && (
              <Fact key={name} name={name}>
                {value}
              </Fact>
            )
        )}
      </dl>
      <Stack direction="column" gap={0.5}>
        <StoreNotices status={status} />
      </Stack>
    </>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  const styles = useStyles2(getStyles);
  return (
    <>
      <dt className={styles.name}>{name}</dt>
      <dd className={styles.value}>{children}</dd>
    </>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  block: css({ marginBottom: theme.spacing(2) }),
  facts: css({
    display: 'grid',
    gridTemplateColumns: 'max-content 1fr',
    alignItems: 'baseline',
    gap: theme.spacing(0.5, 2),
    margin: theme.spacing(1, 0),
  }),
  name: css({ fontWeight: theme.typography.fontWeightMedium, color: theme.colors.text.secondary }),
  value: css({ margin: 0, overflowWrap: 'anywhere' }),
});
