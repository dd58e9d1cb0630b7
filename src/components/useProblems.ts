import { useEffect, useMemo, useState } from 'react';
import { sureProblems } from '../logql/check';
import { isBlank, type SyntaxProblem } from '../logql/parse';

const PAUSE_MS = 200; // Between two keys of somebody who types on.

/** Asks the store what is wrong with a text. */
export type Check = (text: string) => Promise<SyntaxProblem[]>;

interface Checked {
  text: string;
  problems: SyntaxProblem[];
}

/**
 * What is wrong with a text as it is typed: what the store says of exactly this text, and until it says anything only what is
 * certainly wrong. An answer about an older text is never shown for a newer one.
 */
export function useProblems(text: string, check: Check): SyntaxProblem[] {
  const [checked, setChecked] = useState<Checked>();
  useEffect(() => {
    if (isBlank(text)) {
      return;
    }
    let current = true;
    const timer = setTimeout(() => {
      check(text).then(
        (problems) => current && setChecked({ text, problems }),
        () => {} // Without an answer the certain problems stay.
      );
    }, PAUSE_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [text, check]);
  const sure = useMemo(() => sureProblems(text), [text]);
  return checked?.text === text ? checked.problems : sure;
}
