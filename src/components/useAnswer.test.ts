import { act, renderHook, waitFor } from '@testing-library/react';
import { useAnswer } from './useAnswer';

describe('useAnswer', () => {
  it('has the answer when it is there, and the last one until the next', async () => {
    let finish: (value: string) => void = () => {};
    const first = () => Promise.resolve('one');
    const second = () => new Promise<string>((resolve) => (finish = resolve));
    const { result, rerender } = renderHook(({ ask }) => useAnswer(ask), { initialProps: { ask: first } });
    expect(result.current).toBeUndefined();
    await waitFor(() => expect(result.current).toBe('one'));
    rerender({ ask: second });
    expect(result.current).toBe('one');
    await act(async () => finish('two'));
    expect(result.current).toBe('two');
  });

  it('ignores an answer that comes too late, and has none after a failure', async () => {
    let finish: (value: string) => void = () => {};
    const slow = () => new Promise<string>((resolve) => (finish = resolve));
    const failing = () => Promise.reject(new Error('no store'));
    const { result, rerender } = renderHook(({ ask }) => useAnswer(ask), { initialProps: { ask: slow } });
    rerender({ ask: failing });
    await act(async () => finish('late'));
    expect(result.current).toBeUndefined();
  });

  it('asks again on occasion', async () => {
    const ask = jest.fn().mockResolvedValueOnce('starting').mockResolvedValue('ready');
    const { result, rerender } = renderHook(({ occasion }) => useAnswer<string>(ask, occasion), {
      initialProps: { occasion: 1 },
    });
    await waitFor(() => expect(result.current).toBe('starting'));
    rerender({ occasion: 2 });
    await waitFor(() => expect(result.current).toBe('ready'));
    rerender({ occasion: 2 });
    expect(ask).toHaveBeenCalledTimes(2);
  });
});
