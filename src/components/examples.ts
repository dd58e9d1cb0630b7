/**
 * Running an example of the help. Grafana lets the help change a query but not run it, so the help leaves a note of what it wrote,
 * and the editor that receives this query runs it.
 */
import { useEffect } from 'react';

let noted: string | undefined;

export function noteExample(expr: string): void {
  noted = expr;
}

export function useExampleRun(expr: string, run: () => void): void {
  // After each render: the same example may be clicked twice, and then nothing changes.
  useEffect(() => {
    if (noted === expr) {
      noted = undefined;
      run();
    }
  });
}
