import { type AnnotationQuery, DataFrameType, FieldType, toDataFrame } from '@grafana/data';
import type { WoodshedQuery } from '../types';
import { readEvents } from './events';

function annotation(more: object = {}): AnnotationQuery<WoodshedQuery> {
  return { name: 'Deploys', enable: true, iconColor: 'red', ...more } as AnnotationQuery<WoodshedQuery>;
}

const lines = toDataFrame({
  meta: { type: DataFrameType.LogLines },
  fields: [
    { name: 'timestamp', type: FieldType.time, values: [1000, 2000] },
    { name: 'body', type: FieldType.string, values: ['deployed', 'rolled back'] },
    { name: 'id', type: FieldType.string, values: ['a', 'b'] },
    {
      name: 'labels',
      type: FieldType.other,
      values: [
        { app: 'api', env: ' prod ', empty: '' },
        { app: 'web', env: 'web' },
      ],
    },
  ],
});

function series(step: number | undefined, values: number[]) {
  return toDataFrame({
    meta: { type: DataFrameType.TimeSeriesMulti },
    fields: [
      { name: 'Time', type: FieldType.time, values: values.map((_, n) => 1000 * n), config: { interval: step } },
      {
        name: 'Value',
        type: FieldType.number,
        values,
        labels: { app: 'api' },
        config: { displayNameFromDS: '{app="api"}' },
      },
    ],
  });
}

describe('events of lines', () => {
  it('hold the line and the labels', () => {
    expect(readEvents(annotation(), [lines])).toEqual([
      { type: 'default', color: 'red', time: 1000, title: '', text: 'deployed', tags: ['api', 'prod'] },
      { type: 'default', color: 'red', time: 2000, title: '', text: 'rolled back', tags: ['web'] },
    ]);
  });

  it('follow the formats', () => {
    const formats = { titleFormat: '{{app}} in {{env}}', textFormat: '{{ app }}', tagKeys: 'env, gone' };
    expect(readEvents(annotation(formats), [lines])[1]).toMatchObject({
      title: 'web in web',
      text: 'web',
      tags: ['web'],
    });
    expect(readEvents(annotation({ textFormat: '{{gone}}' }), [lines])[1]).toMatchObject({ text: 'rolled back' });
  });

  it('follow the mappings', () => {
    const mappings = {
      title: { source: 'text', value: 'Deploy' },
      text: { source: 'field', value: 'id' },
      tags: { value: 'app' },
      color: { source: 'skip' },
      timeEnd: { source: 'field', value: 'timestamp' },
    };
    expect(readEvents(annotation({ mappings }), [lines])[0]).toEqual({
      type: 'default',
      time: 1000,
      timeEnd: 1000,
      title: 'Deploy',
      text: 'a',
      tags: ['api'],
    });
  });
});

describe('events of series', () => {
  it('are regions where the series is not zero', () => {
    const events = readEvents(annotation({ titleFormat: '{{app}}' }), [series(1000, [0, 2, 3, 0, NaN, 5])]);
    expect(events).toEqual([
      expect.objectContaining({
        time: 1000,
        timeEnd: 2000,
        isRegion: true,
        title: 'api',
        text: '{app="api"}: 2',
        tags: ['api'],
      }),
      expect.objectContaining({ time: 5000, text: '{app="api"}: 5' }),
    ]);
    expect(events[1]).not.toHaveProperty('timeEnd');
  });

  it('are points when there is no step', () => {
    expect(readEvents(annotation(), [series(undefined, [1, 1])])).toHaveLength(2);
  });

  it('are none without data', () => {
    expect(readEvents(annotation(), [toDataFrame({ fields: [] })])).toEqual([]);
  });
});
