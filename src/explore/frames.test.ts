import { DataFrameType, FieldType, toDataFrame } from '@grafana/data';
import { edgesOf, errorText, reverseRows, toMilliseconds, toNanoseconds, withNanoseconds } from './frames';

const logs = (times: number[], nanos?: number[], custom = {}) => {
  const frame = toDataFrame({
    meta: { type: DataFrameType.LogLines, custom },
    fields: [
      { name: 'timestamp', type: FieldType.time, values: times },
      { name: 'body', type: FieldType.string, values: times.map((_, index) => `line ${index}`) },
    ],
  });
  frame.fields[0].nanos = nanos;
  return frame;
};

describe('withNanoseconds', () => {
  it('gives lines nanoseconds that Grafana left out', () => {
    const metric = toDataFrame({ fields: [{ name: 'Time', type: FieldType.time, values: [1] }] });
    const { data } = withNanoseconds({ data: [logs([1, 2]), logs([1], [5]), logs([]), metric] });
    expect(data.map((frame) => frame.fields[0].nanos)).toEqual([[0, 0], [5], [], undefined]);
    expect(data[0].fields[1].nanos).toBeUndefined();
  });
});

describe('edgesOf', () => {
  it('finds the oldest and the newest line in both orders', () => {
    const want = { oldest: BigInt('1700000000000000001'), newest: BigInt('1700000000005000002') };
    expect(edgesOf(logs([1700000000000, 1700000000005], [1, 2]))).toEqual(want);
    expect(edgesOf(logs([1700000000005, 1700000000000], [2, 1]))).toEqual(want);
    expect(edgesOf(logs([7]))).toEqual({ oldest: BigInt(7_000_000), newest: BigInt(7_000_000) });
    expect(edgesOf(logs([]))).toBeUndefined();
    expect(edgesOf(toDataFrame({ fields: [] }))).toBeUndefined();
  });
});

describe('times', () => {
  it('go both ways', () => {
    expect(toNanoseconds(1700000000123)).toBe(BigInt('1700000000123000000'));
    expect(toMilliseconds(BigInt('1700000000123999999'))).toBe(1700000000123);
  });
});

describe('reverseRows', () => {
  it('turns values and nanoseconds around, and leaves the frame as it was', () => {
    const frame = logs([1, 2, 3], [7, 8, 9]);
    const { fields } = reverseRows(frame);
    expect(fields[0].values).toEqual([3, 2, 1]);
    expect(fields[0].nanos).toEqual([9, 8, 7]);
    expect(fields[1].values).toEqual(['line 2', 'line 1', 'line 0']);
    expect(frame.fields[0].values).toEqual([1, 2, 3]);
  });
});

describe('errorText', () => {
  it('reads what the store says', () => {
    expect(errorText(logs([1], undefined, { error: 'cut' }))).toBe('cut');
    expect(errorText(logs([1], undefined, { error: '' }))).toBeUndefined();
    expect(errorText(logs([1]))).toBeUndefined();
  });
});
