import { render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React, { useState } from 'react';
import type { DerivedField } from '../../derived/config';
import { LinksSection } from './LinksSection';

jest.mock('@grafana/runtime', () => ({
  ...jest.requireActual('@grafana/runtime'),
  DataSourcePicker: ({ inputId, onChange }: { inputId: string; onChange: (ds: { uid: string }) => void }) => (
    <input id={inputId} onChange={(event) => onChange({ uid: event.currentTarget.value })} />
  ),
  getTemplateSrv: () => ({
    replace: (url: string, { __value }: { __value: { value: { raw: string } } }) =>
      url.replaceAll('${__value.raw}', __value.value.raw),
  }),
}));

function setup(initial: DerivedField[] = []) {
  let current = initial;
  function Host() {
    const [fields, setFields] = useState(initial);
    current = fields;
    return <LinksSection fields={fields} disabled={false} onChange={setFields} />;
  }
  render(<Host />);
  return { user: userEvent.setup(), fields: () => JSON.parse(JSON.stringify(current)) };
}

const link = (name: string) => within(screen.getByRole('group', { name }));

describe('LinksSection', () => {
  it('adds a link to an address', async () => {
    const { user, fields } = setup();
    await user.click(screen.getByRole('button', { name: 'Add link' }));
    expect(screen.getByText('A link needs a name.')).toBeInTheDocument();
    expect(screen.getByText('Without it nothing is found.')).toBeInTheDocument();
    await user.type(link('Link 1').getByRole('textbox', { name: 'Name' }), 'trace');
    const card = link('trace');
    await user.type(card.getByRole('textbox', { name: 'Regular expression' }), 'id=(\\w+)');
    await user.type(card.getByRole('textbox', { name: 'URL' }), 'https://a');
    await user.type(card.getByRole('textbox', { name: 'Text of the button' }), 'Open');
    await user.click(card.getByRole('switch', { name: 'Open in a new tab' }));
    expect(fields()).toEqual([
      {
        name: 'trace',
        matcherRegex: 'id=(\\w+)',
        matcherType: 'regex',
        url: 'https://a',
        urlDisplayLabel: 'Open',
        targetBlank: true,
      },
    ]);
  });

  it('leads to a data source, and back to an address', async () => {
    const { user, fields } = setup([{ name: 'trace', matcherRegex: 'trace_id' }]);
    const card = link('trace');
    await user.click(card.getByRole('radio', { name: 'Label' }));
    expect(card.getByRole('textbox', { name: 'Label name or regular expression' })).toHaveValue('trace_id');
    await user.click(card.getByRole('radio', { name: 'Data source' }));
    expect(card.getByText('Choose the data source that the link opens.')).toBeInTheDocument();
    await user.type(card.getByLabelText('Data source', { selector: 'input[type=text], input:not([type])' }), 't');
    expect(fields()).toEqual([{ name: 'trace', matcherRegex: 'trace_id', matcherType: 'label', datasourceUid: 't' }]);
    expect(card.getByRole('textbox', { name: 'Query' })).toBeInTheDocument();
    await user.click(card.getByRole('radio', { name: 'URL' }));
    expect(fields()).toEqual([{ name: 'trace', matcherRegex: 'trace_id', matcherType: 'label' }]);
  });

  it('moves and removes links', async () => {
    const { user, fields } = setup(['a', 'b', 'c'].map((name) => ({ name, matcherRegex: name })));
    const names = () => fields().map(({ name }: DerivedField) => name);
    expect(link('a').getByRole('button', { name: 'Move up' })).toBeDisabled();
    expect(link('c').getByRole('button', { name: 'Move down' })).toBeDisabled();
    await user.click(link('a').getByRole('button', { name: 'Move down' }));
    expect(names()).toEqual(['b', 'a', 'c']);
    await user.click(link('c').getByRole('button', { name: 'Move up' }));
    expect(names()).toEqual(['b', 'c', 'a']);
    await user.click(link('c').getByRole('button', { name: 'Remove link' }));
    expect(names()).toEqual(['b', 'a']);
    expect(link('a').getByRole('textbox', { name: 'Regular expression' })).toHaveValue('a');
  });

  it('says what is wrong with an expression', async () => {
    const { user } = setup([{ name: 'a', matcherRegex: '(x+)+' }]);
    expect(screen.getByText(/could hold up the browser for ever/)).toBeInTheDocument();
    const regex = screen.getByRole('textbox', { name: 'Regular expression' });
    await user.clear(regex);
    await user.type(regex, '(x');
    expect(screen.getByText('The regular expression has a fault: Unterminated group.')).toBeInTheDocument();
    await user.type(regex, ')\\z');
    expect(screen.getByText(/\\z has another meaning in browsers/)).toBeInTheDocument();
  });

  it('says which of two with the same name finds the value', () => {
    setup([
      { name: 'a', matcherRegex: 'x' },
      { name: 'a', matcherRegex: 'y' },
    ]);
    expect(screen.getAllByText(/An earlier link has this name/)).toHaveLength(1);
  });

  it('shows at once what the links find', async () => {
    const { user } = setup([
      { name: 'trace', matcherRegex: 'id=(\\w+)', url: 'https://a/${__value.raw}' },
      { name: 'bad', matcherRegex: '(' },
      { name: 'pod', matcherRegex: 'pod', matcherType: 'label' },
    ]);
    expect(screen.queryByRole('table')).not.toBeInTheDocument();
    await user.type(screen.getByRole('textbox', { name: /Try it on a line/ }), 'id=7f');
    expect(screen.getByRole('row', { name: 'trace 7f https://a/7f' })).toBeInTheDocument();
    expect(
      screen.getByRole('row', { name: 'bad nothing: the regular expression has a fault: Unterminated group.' })
    ).toBeInTheDocument();
    await user.type(screen.getByRole('textbox', { name: 'and on labels' }), 'pod=web-1');
    expect(screen.getByRole('row', { name: 'pod web-1' })).toBeInTheDocument();
  });
});
