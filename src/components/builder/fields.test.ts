import { type DataQueryRequest, type DataQueryResponse, dateTime, FieldType, toDataFrame } from '@grafana/data';
import { of } from 'rxjs';
import type { WoodshedQuery } from '../../types';
import { fieldSource, readFields } from './fields';

const frame = toDataFrame({
  fields: [
    {
      name: 'labels',
      type: FieldType.other,
      values: [{ app: 'api', status: '200' }, { app: 'api', status: '500', trace: 'x' }, { status: '500' }],
    },
    {
      name: 'labelTypes',
      type: FieldType.other,
      values: [{ app: 'I', status: 'P' }, { app: 'I', status: 'P', trace: 'S' }, { status: 'P' }],
    },
  ],
});

const fields = [
  { name: 'status', origin: 'parsed field', values: ['500', '200'] },
  { name: 'trace', origin: 'structured metadata', values: ['x'] },
  { name: 'app', origin: 'label', values: ['api'] },
];

describe('fields', () => {
  it('are read from rows, with their values', () => {
    expect(readFields([frame])).toEqual(fields);
    expect(readFields([])).toEqual([]);
    expect(readFields([toDataFrame({ fields: [] })])).toEqual([]);
  });

  it('are asked for once for the same lines', async () => {
    const query = jest.fn((_: DataQueryRequest<WoodshedQuery>) => of<DataQueryResponse>({ data: [frame] }));
    const time = dateTime(0);
    const ask = fieldSource({ query }, { from: time, to: time, raw: { from: time, to: time } });
    expect(await ask('sum(count_over_time({a="b"} |= "x" | json | c="d" [5m]))')).toEqual(fields);
    expect(query.mock.calls[0][0].targets).toMatchObject([{ expr: '{a="b"} |= "x" | json', maxLines: 100 }]);
    await ask('{a="b"} |= "x" | json | e="f"');
    expect(query).toHaveBeenCalledTimes(1);
    await ask('{a="b"}');
    expect(query).toHaveBeenCalledTimes(2);
    expect(await ask('{a="b"} |= "')).toEqual([]);
    expect(await ask('')).toEqual([]);
    expect(query).toHaveBeenCalledTimes(2);
  });
});
