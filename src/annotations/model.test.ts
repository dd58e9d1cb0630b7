import type { AnnotationQuery } from '@grafana/data';
import type { WoodshedQuery } from '../types';
import { fillFormat, prepareAnnotation, readFormats } from './model';

const base = { name: 'Deploys', enable: true, iconColor: 'red', datasource: { uid: 'woodshed' } };

describe('prepareAnnotation', () => {
  const f = (stored: object, want: object) => {
    expect(prepareAnnotation({ ...base, ...stored } as AnnotationQuery<WoodshedQuery>)).toEqual({ ...base, ...want });
  };

  it("moves Loki's query to where it is edited", () => {
    f(
      { expr: '{app="a"}', maxLines: 50, instant: false, step: '5m', tagKeys: 'app', titleFormat: '{{app}}' },
      {
        target: { refId: 'Anno', expr: '{app="a"}', queryType: 'range', maxLines: 50, step: '5m' },
        tagKeys: 'app',
        titleFormat: '{{app}}',
      }
    );
    // Grafana puts a target of its own into new annotations.
    f(
      { expr: 'x', instant: true, target: { limit: 100, matchAny: false, tags: [], type: 'dashboard' } },
      { target: { refId: 'Anno', expr: 'x', queryType: 'instant' } }
    );
  });

  it('is the same object when there is nothing to move, so that the editor comes to rest', () => {
    for (const stored of [base, { ...base, expr: '' }, { ...base, target: { refId: 'Anno', expr: 'x' }, expr: 'y' }]) {
      const annotation = stored as AnnotationQuery<WoodshedQuery>;
      expect(prepareAnnotation(annotation)).toBe(annotation);
    }
  });
});

it('reads formats', () => {
  const empty = { titleFormat: '', textFormat: '', tagKeys: '' };
  expect(readFormats(undefined)).toEqual(empty);
  expect(readFormats({ ...base, titleFormat: 'x', tagKeys: 3 } as AnnotationQuery<WoodshedQuery>)).toEqual({
    ...empty,
    titleFormat: 'x',
  });
});

it('fills formats', () => {
  expect(fillFormat('{{app}} on {{ host }}{{gone}} {x}', { app: 'api', host: 'h1' })).toBe('api on h1 {x}');
});
