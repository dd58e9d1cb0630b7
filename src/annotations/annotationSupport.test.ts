import { annotationSupport } from './annotationSupport';

const base = { name: 'Deploys', enable: true, iconColor: 'red' };

it('runs a query only when there is one', () => {
  const target = { refId: 'Anno', expr: '{app="a"}' };
  expect(annotationSupport.prepareQuery?.({ ...base, target })).toBe(target);
  expect(annotationSupport.prepareQuery?.({ ...base, target: { refId: 'Anno', expr: ' ' } })).toBeUndefined();
  expect(annotationSupport.prepareQuery?.(base)).toBeUndefined();
});
