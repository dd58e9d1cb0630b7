import { FieldType, toDataFrame } from '@grafana/data';
import { labelType } from './labelTypes';

const frame = toDataFrame({
  fields: [
    {
      name: 'labelTypes',
      type: FieldType.other,
      values: [{ app: 'I', id: 'S', odd: 'X' }, null, { app: 'I', status: 'P' }],
    },
  ],
});

describe('labelType', () => {
  it('reads a row, or the first that has the label', () => {
    expect(labelType(frame, 'app', 0)).toBe('I');
    expect(labelType(frame, 'id', 2)).toBeUndefined();
    expect(labelType(frame, 'status')).toBe('P');
  });

  it('knows nothing of what is not there', () => {
    expect(labelType(frame, 'odd')).toBeUndefined();
    expect(labelType(frame, 'app', 1)).toBeUndefined();
    expect(labelType(frame, 'app', 9)).toBeUndefined();
    expect(labelType(undefined, 'app')).toBeUndefined();
  });
});
