import { renderHook } from '@testing-library/react';
import { useChoice } from './useChoice';

test('a choice is said once, to the callback of now', () => {
  const first = jest.fn();
  const second = jest.fn();
  const { result, rerender } = renderHook(({ value, onChange }) => useChoice(value, onChange), {
    initialProps: { value: '', onChange: first },
  });
  const atTheTime = result.current;
  atTheTime({ value: '3' });
  expect(first.mock.calls).toEqual([['3']]);

  rerender({ value: '3', onChange: second });
  atTheTime({ value: '3' });
  atTheTime({ value: '4' });
  expect(first).toHaveBeenCalledTimes(1);
  expect(second.mock.calls).toEqual([['4']]);
});
