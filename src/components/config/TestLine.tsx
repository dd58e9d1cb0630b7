import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { getTemplateSrv } from '@grafana/runtime';
import { Field, Input, TextArea, useStyles2 } from '@grafana/ui';
import React, { useMemo, useState } from 'react';
import type { DerivedField } from '../../derived/config';
import { type Preview, preview, TEST_CHARS_MAX } from '../../derived/preview';
import { formatCount } from '../numbers';

interface Props {
  fields: DerivedField[];
}

/** Shows on every key what the links would find in a line, and where they would lead. */
export function TestLine({ fields }: Props) {
  const [line, setLine] = useState('');
  const [labels, setLabels] = useState('');
  const previews = useMemo(() => preview(fields, { line, labels }, replaceValue), [fields, line, labels]);
  return (
    <div role="group" aria-label="Try the links">
      <Field
        label="Try it on a line"
        description={`Its first ${formatCount(TEST_CHARS_MAX)} characters. Regular expressions run in the browser, in JavaScript's syntax; of RE2 also (?i) at the start and (?P<name>…).`}
      >
        <TextArea
          id="woodshed-test-line"
          rows={2}
          maxLength={TEST_CHARS_MAX}
          value={line}
          placeholder='level=info traceID=7f3a2b msg="order placed"'
          onChange={(event) => setLine(event.currentTarget.value)}
        />
      </Field>
      <Field label="and on labels">
        <Input
          id="woodshed-test-labels"
          maxLength={TEST_CHARS_MAX}
          value={labels}
          placeholder={'{app="checkout", trace_id="7f3a2b"}'}
          onChange={(event) => setLabels(event.currentTarget.value)}
        />
      </Field>
      {(line || labels) && <Previews previews={previews} />}
    </div>
  );
}

function Previews({ previews }: { previews: Preview[] }) {
  const styles = useStyles2(getStyles);
  return (
    <table className={styles.table} aria-live="polite" aria-label="What the links find">
      <thead>
        <tr>
          <th>Link</th>
          <th>Finds</th>
          <th>Leads to</th>
        </tr>
      </thead>
      <tbody>
        {previews.map(({ name, value, targets, fault }) => (
          <tr key={name}>
            <td>{name}</td>
            <td>{value ?? <em>nothing{fault ? `: ${fault}` : ''}</em>}</td>
            <td>
              {targets.map((target, index) => (
                <div key={index}>{target}</div>
              ))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function replaceValue(url: string, value: string): string {
  return getTemplateSrv().replace(url, { __value: { text: value, value: { raw: value, text: value } } });
}

const getStyles = (theme: GrafanaTheme2) => ({
  table: css({
    width: '100%',
    tableLayout: 'fixed',
    'th:first-child': { width: '20%' },
    'th, td': {
      padding: theme.spacing(0.5, 1),
      textAlign: 'left',
      verticalAlign: 'top',
      overflowWrap: 'anywhere',
      borderBottom: `1px solid ${theme.colors.border.weak}`,
    },
  }),
});
