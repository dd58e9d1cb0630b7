import { useEffect, useState } from 'react';

/**
 * The answer to a question; the last one while the next is on its way, undefined before the first and after a failure.
 * `ask` must be memoised: a new function is a new question. The same question is asked again when `occasion` changes.
 */
export function useAnswer<T>(ask: () => Promise<T>, occasion?: unknown): T | undefined {
  const [answer, setAnswer] = useState<T>();
  useEffect(() => {
    let current = true;
    ask().then(
      (value) => current && setAnswer(value),
      () => current && setAnswer(undefined)
    );
    return () => {
      current = false;
    };
  }, [ask, occasion]);
  return answer;
}
