import { act, renderHook } from '@testing-library/react';
import type { WoodshedQuery } from '../../types';
import { useEditorMode } from './useEditorMode';

function setup(query: Partial<WoodshedQuery>) {
  const onChange = jest.fn();
  const { result } = renderHook(() => useEditorMode({ refId: 'A', expr: '', ...query }, onChange));
  return { onChange, mode: () => result.current[0], choose: result.current[1] };
}

describe('useEditorMode', () => {
  beforeEach(() => window.localStorage.clear());

  it('is code until a person chooses, and then for new queries what was chosen last', () => {
    const { mode, choose, onChange } = setup({});
    expect(mode()).toBe('code');
    act(() => choose('builder'));
    expect(onChange).toHaveBeenCalledWith({ refId: 'A', expr: '', editorMode: 'builder' });
    expect(setup({}).mode()).toBe('builder');
    expect(setup({ expr: '{a="b"}' }).mode()).toBe('code');
    expect(setup({ editorMode: 'code' }).mode()).toBe('code');
    expect(setup({ expr: '{a="b"}', editorMode: 'builder' }).mode()).toBe('builder');
  });
});
