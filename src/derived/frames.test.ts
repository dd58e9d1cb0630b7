import { type DataFrame, DataFrameType, FieldType, LoadingState, toDataFrame } from '@grafana/data';
import { lastValueFrom, of } from 'rxjs';
import type { DerivedField } from './config';
import { addDerivedFields, withDerivedFields } from './frames';

const LINES = ['traceID=7f3a order=1', 'nothing here', 'traceID=9b order=2'];
const LABELS: unknown[] = [{ app: 'api', my_trace_id: '1', trace_id: '2' }, null, { app: 'web', trace_id: '' }];

function frame(lines = LINES, labels = LABELS): DataFrame {
  return toDataFrame({
    meta: { type: DataFrameType.LogLines, custom: { limit: 1000 } },
    fields: [
      { name: 'timestamp', type: FieldType.time, values: lines.map((_, index) => index) },
      { name: 'body', type: FieldType.string, values: lines },
      { name: 'labels', type: FieldType.other, values: labels },
    ],
  });
}

const byLine: DerivedField = { name: 'trace', matcherRegex: 'traceID=(\\w+)', url: 'https://traces/${__value.raw}' };
const byLabel: DerivedField = { name: 'label', matcherType: 'label', matcherRegex: 'trace_id', url: 'https://a' };

function added(derived: DerivedField[], rows = frame()) {
  return addDerivedFields(rows, derived).fields.slice(rows.fields.length);
}

describe('addDerivedFields', () => {
  it('adds what it finds in lines and in labels, with links, and null for rows without', () => {
    const [line, label] = added([byLine, byLabel]);
    expect(line).toMatchObject({ name: 'trace', type: FieldType.string, values: ['7f3a', null, '9b'] });
    expect(line.config.links).toEqual([{ title: '', url: 'https://traces/${__value.raw}' }]);
    expect(label).toMatchObject({ name: 'label', values: ['2', null, null] });
  });

  it('finds a label also by an expression on its name', () => {
    expect(added([{ ...byLabel, matcherRegex: 'trace.?id$' }])[0].values).toEqual(['1', null, null]);
    expect(added([{ ...byLabel, matcherRegex: 'order' }])[0].values).toEqual([null, null, null]);
  });

  it('merges the links of fields that share a name', () => {
    const [field, ...others] = added([byLine, { ...byLine, matcherRegex: 'order=(\\d)', url: 'https://orders' }]);
    expect(others).toEqual([]);
    expect(field.values).toEqual(['7f3a', null, '9b']);
    expect(field.config.links?.map(({ url }) => url)).toEqual(['https://traces/${__value.raw}', 'https://orders']);
  });

  it('leaves everything else as it is', () => {
    const rows = frame();
    expect(addDerivedFields(rows, [])).toBe(rows);
    expect(addDerivedFields(rows, [{ name: '', matcherRegex: 'x' }])).toBe(rows);
    const numbers = toDataFrame({ fields: [{ name: 'body', type: FieldType.string, values: ['traceID=1'] }] });
    expect(addDerivedFields(numbers, [byLine])).toBe(numbers);
    expect(addDerivedFields(rows, [byLine])).toMatchObject({ length: 3, meta: rows.meta });
    expect(rows.fields).toHaveLength(3);
  });

  it('says which expression does not work, and applies the others', () => {
    const rows = addDerivedFields(frame(), [{ ...byLine, name: 'bad', matcherRegex: '(' }, byLine]);
    expect(rows.fields[3].values).toEqual([null, null, null]);
    expect(rows.fields[4].values).toEqual(['7f3a', null, '9b']);
    const text = 'Link bad: the regular expression has a fault: Unterminated group.';
    expect(rows.meta?.notices).toEqual([{ severity: 'warning', text }]);
    expect(rows.meta?.custom).toEqual({ limit: 1000, error: text });
    const cut = { ...frame(), meta: { type: DataFrameType.LogLines, custom: { error: 'Newest 3 of 4 lines.' } } };
    expect(addDerivedFields(cut, [{ ...byLine, matcherRegex: '(' }]).meta?.custom?.error).toMatch(
      /^Newest 3 of 4 lines\. Link trace: /
    );
  });

  it('stops when its time is over, and says where', () => {
    let clock = 0;
    const rows = addDerivedFields(frame(), [byLine], () => (clock += 100));
    expect(rows.fields[3].values).toEqual(['7f3a', null, null]);
    expect(rows.meta?.notices?.[0].text).toBe(
      'Link trace: stopped after 250 ms, at row 3 of 3; a simpler regular expression gets further.'
    );
  });

  it('gives up an expression that is slow on a line', () => {
    const slow = { ...byLine, matcherRegex: '.*.*.*.*.*.*=x' };
    const rows = addDerivedFields(frame(['k=x', 'a'.repeat(9000), 'k=x']), [slow]);
    expect(rows.fields[3].values).toEqual(['k=x', null, null]);
    expect(rows.meta?.notices?.[0].text).toMatch(/takes too long on row 2/);
  });
});

describe('withDerivedFields', () => {
  const through = (settings: unknown) =>
    lastValueFrom(of({ data: [frame()], state: LoadingState.Done, key: 'k' }).pipe(withDerivedFields(settings)));

  it('looks at every frame of an answer', async () => {
    const { data, ...rest } = await through([byLine]);
    expect(data[0].fields).toHaveLength(4);
    expect(rest).toEqual({ state: LoadingState.Done, key: 'k' });
  });

  it.each([undefined, null, 'x', [7]])('takes %j as no links', async (settings) => {
    expect((await through(settings)).data[0].fields).toHaveLength(3);
  });
});
