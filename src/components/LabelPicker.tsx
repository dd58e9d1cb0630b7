import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Button, Combobox, type ComboboxOption, IconButton, MultiCombobox, useStyles2 } from '@grafana/ui';
import React, { type ReactNode, useId, useRef, useState } from 'react';
import type { CountList, CountSource } from '../counts';
import {
  addMatcher,
  type Alternative,
  isRegexOperator,
  type LabelMatcher,
  MATCH_OPERATORS,
  type MatchOperator,
  readAlternatives,
  readSelectors,
  removeMatcher,
  sameMatcher,
  setMatcher,
  withAlternatives,
  withOperator,
} from '../logql/selector';
import { countOf, formatCount } from './numbers';
import { Labelled } from './Labelled';
import { useChoice } from './useChoice';

interface Props {
  /** The query. Its first selector is what the picker shows. */
  expr: string;
  source: CountSource;
  /** What else stands in the row. */
  children?: ReactNode;
  /** A changed query. It is complete: a row without a value is not in it yet. */
  onChange: (expr: string) => void;
}

/** A row is in the text once it has a name and a value. */
interface Row extends LabelMatcher {
  complete: boolean;
}

const OPERATOR_TITLES: Record<MatchOperator, string> = {
  '=': 'equals',
  '!=': 'does not equal',
  '=~': 'is one of, or matches a regular expression',
  '!~': 'is none of, and matches no regular expression',
};

const MORE = '\0more'; // The option that is a sentence; no label has this name or value.

const OPERATORS = MATCH_OPERATORS.map((value) => ({ value, label: value, description: OPERATOR_TITLES[value] }));

/** Label matchers as rows of widgets; the same query as the text below it. */
export function LabelPicker({ expr, source, children, onChange }: Props) {
  const styles = useStyles2(getStyles);
  const titleId = useId();
  const selectors = readSelectors(expr);
  const matchers = selectors[0] ?? [];
  const [rows, setRows] = useState<Row[]>([]);
  // When the text was edited elsewhere it decides, and rows that never reached it are gone.
  const shown = sameAsText(rows, matchers) ? rows : matchers.map((matcher) => ({ ...matcher, complete: true }));

  const indexInText = (row: number) => shown.slice(0, row).filter(({ complete }) => complete).length;

  const changeRow = (index: number, matcher: LabelMatcher, complete: boolean) => {
    const old = shown[index];
    setRows(shown.map((row, i) => (i === index ? { ...matcher, complete } : row)));
    if (complete) {
      // A new row goes behind the others in the text, wherever it stands: it can only be the last.
      onChange(old.complete ? setMatcher(expr, indexInText(index), matcher) : addMatcher(expr, matcher));
    } else if (old.complete) {
      onChange(removeMatcher(expr, indexInText(index)));
    }
  };

  const removeRow = (index: number) => {
    setRows(shown.filter((_, i) => i !== index));
    if (shown[index].complete) {
      onChange(removeMatcher(expr, indexInText(index)));
    }
  };

  return (
    <div className={styles.picker} role="group" aria-labelledby={titleId}>
      <span id={titleId} className={styles.title}>
        Labels
      </span>
      {shown.map((row, index) => (
        <PickerRow
          key={index}
          row={row}
          others={shown.filter((other, i) => i !== index && other.complete)}
          source={source}
          onChange={(matcher, complete) => changeRow(index, matcher, complete)}
          onRemove={() => removeRow(index)}
        />
      ))}
      <Button
        variant="secondary"
        fill="outline"
        icon="plus"
        aria-label="Add label"
        disabled={shown.some(({ complete }) => !complete)}
        onClick={() => setRows([...shown, { name: '', op: '=', value: '', complete: false }])}
      >
        label
      </Button>
      {children}
      {selectors.length > 1 && <span className={styles.hint}>the first of {selectors.length} selectors</span>}
    </div>
  );
}

function sameAsText(rows: Row[], matchers: LabelMatcher[]): boolean {
  const complete = rows.filter((row) => row.complete);
  return complete.length === matchers.length && complete.every((row, index) => sameMatcher(row, matchers[index]));
}

interface RowProps {
  row: Row;
  /** The other rows; they narrow what this one offers. */
  others: LabelMatcher[];
  source: CountSource;
  onChange: (matcher: LabelMatcher, complete: boolean) => void;
  onRemove: () => void;
}

function PickerRow({ row, others, source, onChange, onRemove }: RowProps) {
  const styles = useStyles2(getStyles);
  const offered = useRef<string[]>([]);
  const alternatives = row.complete ? readAlternatives(row) : [];

  const loadNames = async (typed: string) => {
    const taken = new Set(others.map(({ name }) => name));
    const { items, total } = await source.names(others, typed.trim());
    return options({ items: items.filter(({ text }) => !taken.has(text)), total }, items.length, 'value');
  };

  const loadValues = async (typed: string) => {
    const list = row.name ? await source.values(row.name, others, typed.trim()) : { items: [], total: 0 };
    offered.current = list.items.map(({ text }) => text);
    return options(list, list.items.length, 'stream');
  };

  const changeName = useChoice(row.name || null, (name: string) => {
    if (name !== MORE) {
      onChange({ name, op: row.op, value: '' }, false);
    }
  });
  const changeOperator = useChoice(row.op, (op: MatchOperator) =>
    onChange(row.complete ? withOperator(row, op) : { ...row, op }, row.complete)
  );

  const changeValues = (texts: string[]) => {
    const next = texts.map((text) => readPicked(text, row.op, alternatives, offered.current));
    if (next.length === 0) {
      onChange({ name: row.name, op: row.op, value: '' }, false);
    } else {
      onChange(withAlternatives(row, next), true);
    }
  };

  return (
    <div className={styles.row} role="group" aria-label={row.name ? `Label ${row.name}` : 'New label'}>
      <Labelled label="Label name">
        {(id) => (
          <Combobox
            aria-labelledby={id}
            value={row.name || null}
            options={loadNames}
            onChange={changeName}
            placeholder="Label"
            autoFocus={!row.name}
            createCustomValue
            width="auto"
            minWidth={12}
            maxWidth={32}
          />
        )}
      </Labelled>
      <Labelled label="Operator">
        {(id) => (
          <Combobox aria-labelledby={id} value={row.op} options={OPERATORS} onChange={changeOperator} width={9} />
        )}
      </Labelled>
      <Labelled label="Values">
        {(id) => (
          <MultiCombobox
            aria-labelledby={id}
            value={alternatives.map(({ text }) => option(text))}
            options={loadValues}
            onChange={(picked) => changeValues(picked.map(({ value }) => value))}
            placeholder="Values"
            disabled={!row.name}
            createCustomValue
            width="auto"
            minWidth={16}
            maxWidth={60}
          />
        )}
      </Labelled>
      <IconButton
        name="times"
        aria-label={row.name ? `Remove label ${row.name}` : 'Remove new label'}
        onClick={onRemove}
      />
    </div>
  );
}

function option(text: string): ComboboxOption<string> {
  return { value: text, label: text === '' ? '(empty)' : text };
}

/** The options of a list, each with its count below it; of a list that is cut, first of all the words that say so. */
function options({ items, total }: CountList, first: number, noun: string): Array<ComboboxOption<string>> {
  const counted = items.map(({ text, count }) => {
    return count > 0 ? { ...option(text), description: countOf(count, noun) } : option(text);
  });
  const more = `The first ${formatCount(first)} of ${formatCount(total)}, type to narrow`;
  return total > first ? [{ value: MORE, label: more, infoOption: true }, ...counted] : counted;
}

/** What a picked text means. What the store offered is literal; behind =~ a person may type a regular expression. */
function readPicked(text: string, op: MatchOperator, before: Alternative[], offered: string[]): Alternative {
  const known = before.find((alternative) => alternative.text === text);
  return known ?? { text, literal: !isRegexOperator(op) || offered.includes(text) };
}

const getStyles = (theme: GrafanaTheme2) => ({
  picker: css({ display: 'flex', flexWrap: 'wrap', alignItems: 'center', gap: theme.spacing(1) }),
  title: css({ fontSize: theme.typography.bodySmall.fontSize, fontWeight: theme.typography.fontWeightMedium }),
  hint: css({ color: theme.colors.text.secondary, fontSize: theme.typography.bodySmall.fontSize }),
  row: css({
    display: 'flex',
    alignItems: 'center',
    gap: theme.spacing(0.5),
    padding: theme.spacing(0.25, 0.5),
    border: `1px solid ${theme.colors.border.weak}`,
    borderRadius: theme.shape.radius.default,
  }),
});
