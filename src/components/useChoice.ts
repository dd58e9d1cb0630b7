import { useCallback, useLayoutEffect, useRef } from 'react';

/**
 * The callback of a Combobox, which says a choice once. Grafana's says it again with each render until something else happens to
 * it, to the callback of the time of the choice; a choice that makes the page render would be made without end.
 */
export function useChoice<T>(
  value: T | null | undefined,
  onChange: (value: T) => void
): (option: { value: T }) => void {
  const latest = useRef({ value, onChange });
  useLayoutEffect(() => {
    latest.current = { value, onChange };
  });
  return useCallback((option) => {
    if (option.value !== latest.current.value) {
      latest.current.onChange(option.value);
    }
  }, []);
}
