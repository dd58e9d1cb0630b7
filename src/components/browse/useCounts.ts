import { useEffect, useState } from 'react';
import type { CountList } from '../../counts';

interface Answer {
  list: CountList;
  failed?: boolean;
}

const TYPING_PAUSE_MS = 200;

/**
 * The names or values that a search finds; the last ones while the next are on their way. `ask` must be memoised: a new
 * function is a new question, which drops the answer to the last.
 */
export function useCounts(ask: (search: string) => Promise<CountList>, search: string): Answer | undefined {
  const [answer, setAnswer] = useState<Answer & { ask: unknown }>();
  useEffect(() => {
    let current = true;
    const timer = setTimeout(
      () =>
        ask(search.trim()).then(
          (list) => current && setAnswer({ list, ask }),
          () => current && setAnswer({ list: { items: [], total: 0 }, failed: true, ask })
        ),
      search ? TYPING_PAUSE_MS : 0
    );
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [ask, search]);
  return answer?.ask === ask ? answer : undefined;
}
