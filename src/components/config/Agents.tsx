import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { ClipboardButton, RadioButtonGroup, useStyles2 } from '@grafana/ui';
import React, { useState } from 'react';
import { type Agent, AGENTS, pushSnippet } from '../../snippets';

interface Props {
  /** Of the listener. */
  url: string;
  /** That pushes have to name. */
  tenant?: string;
}

/** What each agent needs in its configuration to push here. */
export function Agents({ url, tenant }: Props) {
  const styles = useStyles2(getStyles);
  const [agent, setAgent] = useState<Agent>('promtail');
  const snippet = pushSnippet(agent, url, tenant);
  return (
    <>
      <RadioButtonGroup aria-label="Agent" size="sm" options={AGENTS} value={agent} onChange={setAgent} />
      <div className={styles.snippet}>
        <pre className={styles.text}>{snippet}</pre>
        <ClipboardButton variant="secondary" size="sm" icon="copy" getText={() => snippet}>
          Copy
        </ClipboardButton>
      </div>
    </>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  snippet: css({ display: 'flex', alignItems: 'flex-start', gap: theme.spacing(1), marginTop: theme.spacing(1) }),
  text: css({ flexGrow: 1, margin: 0, whiteSpace: 'pre-wrap' }),
});
