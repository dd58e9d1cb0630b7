import { dateTime } from '@grafana/data';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React, { useState } from 'react';
import type { WoodshedDatasource } from '../datasource';
import { VariableEditor } from './VariableEditor';
import { LABEL_NAMES, LABEL_VALUES, type VariableQuery } from './query';

const from = dateTime(0);
const to = dateTime(3_600_000);
const range = { from, to, raw: { from, to } };

function setup(stored: unknown) {
  const labelNames = jest.fn(async () => ['app', 'stream']);
  const datasource = {
    labelSource: () => ({ labelNames, labelValues: async () => [] }),
  } as unknown as WoodshedDatasource;
  const changes: VariableQuery[] = [];
  function Host() {
    const [query, setQuery] = useState(stored);
    return (
      <VariableEditor
        datasource={datasource}
        query={query as VariableQuery}
        range={range}
        onChange={(next) => {
          changes.push(next);
          setQuery(next);
        }}
        onRunQuery={() => {}}
      />
    );
  }
  render(<Host />);
  return { changes, labelNames, user: userEvent.setup() };
}

const selector = () => screen.getByRole('textbox', { name: 'In streams' });

describe('VariableEditor', () => {
  it('begins with the values of a label, and lists the labels of the streams', async () => {
    const { changes, labelNames, user } = setup('');
    await user.type(selector(), '{{app="api"}');
    expect(changes).toEqual([]);
    await user.tab();
    expect(changes).toEqual([{ refId: 'WoodshedVariable', type: LABEL_VALUES, label: '', stream: '{app="api"}' }]);
    await user.click(screen.getByRole('combobox', { name: 'Label' }));
    await user.click(await screen.findByRole('option', { name: 'stream' }));
    expect(labelNames).toHaveBeenLastCalledWith([expect.objectContaining({ name: 'app', op: '=', value: 'api' })]);
    expect(changes[1]).toMatchObject({ type: LABEL_VALUES, label: 'stream', stream: '{app="api"}' });
  });

  it('shows what an old dashboard stored as a text', async () => {
    const { changes, user } = setup('label_values({app="$app"}, stream)');
    expect(selector()).toHaveValue('{app="$app"}');
    expect(screen.getByRole('combobox', { name: 'Label' })).toHaveValue('stream');
    await user.click(screen.getByRole('radio', { name: /Label names/ }));
    expect(changes).toEqual([expect.objectContaining({ type: LABEL_NAMES, stream: '{app="$app"}' })]);
    expect(screen.queryByRole('combobox', { name: 'Label' })).not.toBeInTheDocument();
  });

  it('says what is wrong with a selector', async () => {
    const { user } = setup({ refId: 'V', type: LABEL_VALUES, label: 'app' });
    await user.type(selector(), '{{app=api}{Enter}');
    expect(screen.getByRole('alert')).toHaveTextContent('put the text in quotes');
  });
});
