import { act, renderHook } from '@testing-library/react';
import { useSettled } from './useSettled';

describe('useSettled', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('waits until a value stays', () => {
    const { result, rerender } = renderHook(({ value }) => useSettled(value, 500), { initialProps: { value: 'a' } });
    const wait = (ms: number) => act(() => jest.advanceTimersByTime(ms));
    expect(result.current).toBe(false);
    wait(499);
    expect(result.current).toBe(false);
    wait(1);
    expect(result.current).toBe(true);
    rerender({ value: 'b' });
    expect(result.current).toBe(false);
    wait(400);
    rerender({ value: 'c' });
    wait(400);
    expect(result.current).toBe(false);
    wait(100);
    expect(result.current).toBe(true);
  });
});
