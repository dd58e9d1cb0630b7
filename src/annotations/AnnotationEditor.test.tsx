import type { AnnotationQuery } from '@grafana/data';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React, { useState } from 'react';
import type { WoodshedDatasource } from '../datasource';
import type { WoodshedQuery } from '../types';
import { AnnotationEditor } from './AnnotationEditor';

jest.mock('../components/QueryEditor', () => ({
  QueryEditor: ({ query }: { query: WoodshedQuery }) => <div data-testid="query">{query.expr}</div>,
}));

function setup(more: object) {
  const changes: Array<AnnotationQuery<WoodshedQuery>> = [];
  function Host() {
    const [annotation, setAnnotation] = useState({
      name: 'Deploys',
      enable: true,
      iconColor: 'red',
      ...more,
    } as AnnotationQuery<WoodshedQuery>);
    return (
      <AnnotationEditor
        datasource={{} as WoodshedDatasource}
        query={{ refId: 'Anno', expr: '' }}
        onChange={() => {}}
        onRunQuery={() => {}}
        annotation={annotation}
        onAnnotationChange={(next) => {
          changes.push(next);
          setAnnotation(next);
        }}
      />
    );
  }
  render(<Host />);
  return { changes, user: userEvent.setup() };
}

describe('AnnotationEditor', () => {
  it("shows Loki's annotation", () => {
    setup({ expr: '{app="a"}', titleFormat: '{{app}}', tagKeys: 'app' });
    expect(screen.getByTestId('query')).toHaveTextContent('{app="a"}');
    expect(screen.getByRole('textbox', { name: 'Title' })).toHaveValue('{{app}}');
    expect(screen.getByRole('textbox', { name: 'Tags' })).toHaveValue('app');
  });

  it('stores a text when it is done', async () => {
    const { changes, user } = setup({ target: { refId: 'Anno', expr: 'x' } });
    await user.type(screen.getByRole('textbox', { name: 'Text' }), '{{{{msg}}');
    expect(changes).toEqual([]);
    await user.tab();
    expect(changes).toEqual([expect.objectContaining({ textFormat: '{{msg}}', target: { refId: 'Anno', expr: 'x' } })]);
    await user.type(screen.getByRole('textbox', { name: 'Tags' }), 'app{Enter}');
    expect(changes[1]).toMatchObject({ textFormat: '{{msg}}', tagKeys: 'app' });
  });
});
