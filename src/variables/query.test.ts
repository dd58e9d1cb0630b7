import { LABEL_NAMES, LABEL_VALUES, printVariableQuery, readVariableQuery } from './query';

const refId = 'WoodshedVariable';

describe('readVariableQuery', () => {
  const f = (stored: unknown, want: Record<string, unknown> | undefined) => {
    expect(readVariableQuery(stored)).toEqual(want && { refId, label: '', stream: '', ...want });
  };

  it('reads the texts of old dashboards', () => {
    f('label_names()', { type: LABEL_NAMES });
    f('label_names() ', { type: LABEL_NAMES });
    f('label_names({app="api"})', { type: LABEL_NAMES, stream: '{app="api"}' });
    f('label_values(app)', { type: LABEL_VALUES, label: 'app' });
    f('label_values({env="a, b", x=~"(y)"}, app)', {
      type: LABEL_VALUES,
      label: 'app',
      stream: '{env="a, b", x=~"(y)"}',
    });
    f('label_values({env="$env"} |= "x",app)', { type: LABEL_VALUES, label: 'app', stream: '{env="$env"} |= "x"' });
    f('label_values($label)', { type: LABEL_VALUES, label: '$label' });
    f('label_values({app="x"}, ${label:raw})', { type: LABEL_VALUES, label: '${label:raw}', stream: '{app="x"}' });
    f('label_values([[label]])', { type: LABEL_VALUES, label: '[[label]]' });
  });

  it("reads Loki's objects", () => {
    f(
      { type: 0, refId: 'LokiVariableQueryEditor-VariableQuery' },
      { type: LABEL_NAMES, refId: 'LokiVariableQueryEditor-VariableQuery' }
    );
    f(
      { type: 1, label: 'app', stream: '{env="x"}', refId: 'V' },
      { type: LABEL_VALUES, refId: 'V', label: 'app', stream: '{env="x"}' }
    );
    f({ type: '1', label: 'app' }, { type: LABEL_VALUES, label: 'app' });
    f({ query: 'label_values(app)', refId: 'V' }, { type: LABEL_VALUES, label: 'app' });
  });

  it('knows what asks for nothing', () => {
    for (const stored of [
      '',
      'metrics(x)',
      'label_values()',
      'label_values({app="x"})',
      undefined,
      null,
      3,
      {},
      { type: 7 },
    ]) {
      f(stored, undefined);
    }
  });
});

it('prints what it reads', () => {
  for (const text of ['label_names()', 'label_names({a="b"})', 'label_values(app)', 'label_values({a="b"}, app)']) {
    const query = readVariableQuery(text);
    expect(query && printVariableQuery(query)).toBe(text);
  }
});
