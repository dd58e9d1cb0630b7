import type { Monaco, monacoTypes } from '@grafana/ui';
import { FakeModel, FakeMonaco } from '../testing/fakeMonaco';
import { LANGUAGE_ID, registerLanguage, setCompletionSource, smallestEdit } from './logqlLanguage';

function setup(text: string) {
  const fake = new FakeMonaco();
  const model = new FakeModel(text);
  const monaco = fake as unknown as Monaco;
  registerLanguage(monaco);
  return { fake, model, monaco, asModel: model as unknown as monacoTypes.editor.ITextModel };
}

describe('registerLanguage', () => {
  it('registers once for all editors of a page', () => {
    const { fake, monaco } = setup('');
    registerLanguage(monaco);
    expect(fake.registered).toEqual([LANGUAGE_ID]);
    expect(fake.providers).toHaveLength(1);
  });

  it('completes with the source of the editor that asks', async () => {
    const { fake, model, asModel } = setup('{app="a');
    setCompletionSource(asModel, () => ({ labelNames: async () => [], labelValues: async () => ['api', 'app'] }));
    const { suggestions } = await fake.providers[0].provideCompletionItems(model, { lineNumber: 1, column: 8 });
    expect(suggestions).toEqual([
      expect.objectContaining({
        label: 'api',
        insertText: 'api',
        range: { start: { lineNumber: 1, column: 7 }, end: { lineNumber: 1, column: 8 } },
      }),
      expect.objectContaining({ label: 'app' }),
    ]);
  });

  it('offers nothing for a text of somebody else, and when the store does not answer', async () => {
    const { fake, model, asModel } = setup('{');
    const end = { lineNumber: 1, column: 2 };
    expect(await fake.providers[0].provideCompletionItems(model, end)).toEqual({ suggestions: [] });
    const refuse = () => Promise.reject(new Error('no store'));
    setCompletionSource(asModel, () => ({ labelNames: refuse, labelValues: refuse }));
    expect(await fake.providers[0].provideCompletionItems(model, end)).toEqual({ suggestions: [] });
  });
});

describe('smallestEdit', () => {
  const f = (before: string, after: string, from: number, to: number, text: string) => {
    expect(smallestEdit(before, after)).toEqual({ from, to, text });
  };

  it('touches only what differs', () => {
    f('', 'abc', 0, 0, 'abc');
    f('abc', '', 0, 3, '');
    f('{a="b"} |= "x"', '{a="b", c="d"} |= "x"', 6, 6, ', c="d"');
    f('{a="b", c="d"}', '{a="b"}', 6, 13, '');
    f('aaa', 'aa', 2, 3, '');
    f('same', 'same', 4, 4, '');
  });
});
