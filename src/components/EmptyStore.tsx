import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Alert, ClipboardButton, RadioButtonGroup, useStyles2 } from '@grafana/ui';
import React, { useState } from 'react';
import { type Agent, AGENTS, PUSH_PATH, pushSnippet } from '../snippets';

interface Props {
  /** The URL of the listener for pushes; none when it is off. */
  url?: string;
  /** Why it is off, unless that is meant. */
  listenError?: string;
}

/** What a person sees before the first line is stored: where to push, and how. */
export function EmptyStore({ url, listenError }: Props) {
  const styles = useStyles2(getStyles);
  const [agent, setAgent] = useState<Agent>('promtail');
  if (!url) {
    return (
      <Alert severity="info" title="No logs yet, and nowhere to push them">
        {listenError ??
          "This store has no push listener. Set woodshed_listen in the section [plugin.woodshed-logs-datasource] of Grafana's configuration and restart Grafana."}
      </Alert>
    );
  }
  const snippet = pushSnippet(agent, url);
  return (
    <Alert severity="info" title={`No logs yet. Push them to ${url}${PUSH_PATH}`}>
      <RadioButtonGroup aria-label="Agent" size="sm" options={AGENTS} value={agent} onChange={setAgent} />
      <div className={styles.snippet}>
        <pre className={styles.text}>{snippet}</pre>
        <ClipboardButton variant="secondary" size="sm" icon="copy" getText={() => snippet}>
          Copy
        </ClipboardButton>
      </div>
    </Alert>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  snippet: css({ display: 'flex', alignItems: 'flex-start', gap: theme.spacing(1), marginTop: theme.spacing(1) }),
  text: css({ flexGrow: 1, margin: 0, whiteSpace: 'pre-wrap' }),
});
