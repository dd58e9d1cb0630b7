import { css } from '@emotion/css';
import { getDefaultTimeRange, type GrafanaTheme2, type QueryEditorHelpProps } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import React, { useCallback } from 'react';
import { WoodshedDatasource } from '../datasource';
import { exampleGroups, likelyLabel } from '../logql/examples';
import { isSelective, printSelector, readMatchers } from '../logql/selector';
import type { WoodshedQuery } from '../types';
import { noteExample } from './examples';
import { useAnswer } from './useAnswer';

const FALLBACK = '{app="api"}';

/** Examples that can be clicked, over the streams of the current query, or else over some that the store has. */
export default function CheatSheet({ datasource, query, onClickExample }: QueryEditorHelpProps<WoodshedQuery>) {
  const styles = useStyles2(getStyles);
  const matchers = readMatchers(query.expr ?? '');
  const current = isSelective(matchers) ? printSelector(matchers) : undefined;
  const stored = useAnswer(
    useCallback(
      async () => (datasource instanceof WoodshedDatasource && !current ? storedSelector(datasource) : undefined),
      [datasource, current]
    )
  );
  const show = (expr: string) => {
    noteExample(expr);
    onClickExample({ ...query, expr });
  };
  return (
    <div>
      <h2 className={styles.heading}>LogQL by example</h2>
      <p>
        A query begins with a selector of streams and goes on with stages from left to right. Click an example to run
        it.
      </p>
      <div className={styles.groups}>
        {exampleGroups(current ?? stored ?? FALLBACK).map(({ title, examples }) => (
          <section key={title}>
            <h3 className={styles.group}>{title}</h3>
            {examples.map((example) => (
              <div key={example.title} className={styles.example}>
                <div>{example.title}</div>
                <button
                  type="button"
                  className={styles.query}
                  aria-label={`Run ${example.expr}`}
                  onClick={() => show(example.expr)}
                >
                  {example.expr}
                </button>
              </div>
            ))}
          </section>
        ))}
      </div>
    </div>
  );
}

async function storedSelector(datasource: WoodshedDatasource): Promise<string | undefined> {
  const range = getDefaultTimeRange();
  const name = likelyLabel(await datasource.api.labelNames(range));
  const [value] = name ? await datasource.api.labelValues(name, range) : [];
  return name && value ? printSelector([{ name, op: '=', value }]) : undefined;
}

const getStyles = (theme: GrafanaTheme2) => ({
  heading: css({ fontSize: theme.typography.h4.fontSize }),
  groups: css({
    display: 'grid',
    gridTemplateColumns: 'repeat(auto-fill, minmax(min(100%, 380px), 1fr))',
    gap: theme.spacing(1, 3),
  }),
  group: css({ fontSize: theme.typography.h5.fontSize, margin: theme.spacing(1, 0) }),
  example: css({ marginBottom: theme.spacing(1) }),
  query: css({
    width: '100%',
    padding: theme.spacing(0.5, 1),
    border: `1px solid ${theme.colors.border.weak}`,
    borderRadius: theme.shape.radius.default,
    background: theme.colors.background.canvas,
    color: theme.colors.text.primary,
    fontFamily: theme.typography.fontFamilyMonospace,
    fontSize: theme.typography.bodySmall.fontSize,
    textAlign: 'left',
    overflowWrap: 'anywhere',
    '&:hover, &:focus-visible': { background: theme.colors.action.hover, borderColor: theme.colors.border.strong },
  }),
});
