import { countOf, formatBytes, formatCount } from './numbers';

describe('numbers', () => {
  it('are written for people', () => {
    expect(formatBytes(0)).toBe('0 B');
    expect(formatBytes(1_234_000_000)).toBe('1.2 GB');
    expect(formatBytes(380_000_000)).toBe('380 MB');
    expect(formatCount(48210)).toBe('48,210');
    expect(countOf(1, 'stream')).toBe('1 stream');
    expect(countOf(2, 'entry')).toBe('2 entries');
    expect(countOf(0, 'line')).toBe('0 lines');
  });
});
