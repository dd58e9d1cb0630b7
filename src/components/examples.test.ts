import { renderHook } from '@testing-library/react';
import { noteExample, useExampleRun } from './examples';

describe('useExampleRun', () => {
  it('runs a query that the help wrote, once, and no other', () => {
    const run = jest.fn();
    const { rerender } = renderHook(({ expr }) => useExampleRun(expr, run), { initialProps: { expr: '{a="b"}' } });
    noteExample('{a="b"} |= "error"');
    rerender({ expr: '{a="b"} | json' });
    expect(run).not.toHaveBeenCalled();
    rerender({ expr: '{a="b"} |= "error"' });
    rerender({ expr: '{a="b"} |= "error"' });
    expect(run).toHaveBeenCalledTimes(1);
    noteExample('{a="b"} |= "error"');
    rerender({ expr: '{a="b"} |= "error"' });
    expect(run).toHaveBeenCalledTimes(2);
  });
});
