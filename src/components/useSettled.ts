import { useEffect, useState } from 'react';

/** Whether a value has stayed the same for a while, such as a text in which nobody is typing. */
export function useSettled(value: unknown, ms: number): boolean {
  const [settled, setSettled] = useState<{ value: unknown }>();
  useEffect(() => {
    const timer = setTimeout(() => setSettled({ value }), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled !== undefined && settled.value === value;
}
