import { act, renderHook } from '@testing-library/react';
import type { SyntaxProblem } from '../logql/parse';
import { useProblems } from './useProblems';

const theirs: SyntaxProblem = { from: 0, to: 1, message: 'parse error' };

function setup(text: string) {
  const answers: Array<(problems: SyntaxProblem[]) => void> = [];
  const check = jest.fn((_: string) => new Promise<SyntaxProblem[]>((resolve) => answers.push(resolve)));
  const { result, rerender } = renderHook(({ text }) => useProblems(text, check), { initialProps: { text } });
  const pause = () => act(() => jest.advanceTimersByTime(200));
  const answer = (index: number, problems: SyntaxProblem[]) => act(async () => answers[index](problems));
  return { result, check, pause, answer, type: (text: string) => rerender({ text }) };
}

describe('useProblems', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('shows what is certain until the store answers, and then what it says', async () => {
    const { result, check, pause, answer } = setup('{a="b"} |= oops');
    expect(result.current).toMatchObject([{ from: 11, to: 15 }]);
    expect(check).not.toHaveBeenCalled();
    pause();
    expect(check).toHaveBeenCalledWith('{a="b"} |= oops');
    await answer(0, [theirs]);
    expect(result.current).toEqual([theirs]);
  });

  it('asks once typing pauses', () => {
    const { check, pause, type } = setup('{');
    type('{a');
    type('{a="b"}');
    pause();
    expect(check.mock.calls).toEqual([['{a="b"}']]);
  });

  it('never marks a newer text with the answer about an older one', async () => {
    const { result, pause, answer, type } = setup('{a="b"} | x');
    pause();
    type('{a="b"} | x="y"');
    await answer(0, [theirs]);
    expect(result.current).toEqual([]);
    pause();
    await answer(1, []);
    type('{a="b"} | x="yz"');
    expect(result.current).toEqual([]);
  });

  it('asks nothing about an empty text', () => {
    const { check, pause, result } = setup(' # later');
    pause();
    expect(check).not.toHaveBeenCalled();
    expect(result.current).toEqual([]);
  });

  it('keeps what is certain when the store does not answer', async () => {
    const check = () => Promise.reject(new Error('no store'));
    const { result } = renderHook(() => useProblems('{a="b"', check));
    await act(() => jest.advanceTimersByTimeAsync(200));
    expect(result.current).toHaveLength(1);
  });
});
