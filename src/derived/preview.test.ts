import { preview, readLabels } from './preview';

const replace = (url: string, value: string) => url.replaceAll('${__value.raw}', value);
const test = { line: 'traceID=7f3a', labels: '{app="api", trace_id="9b"}' };

describe('preview', () => {
  it('shows what each link would find and where it would lead', () => {
    expect(
      preview(
        [
          { name: 'line', matcherRegex: 'traceID=(\\w+)', url: 'https://a/${__value.raw}' },
          { name: 'label', matcherRegex: 'trace_id', matcherType: 'label', datasourceUid: 'tempo' },
          { name: 'line', matcherRegex: 'other', url: 'https://b' },
          { name: 'none', matcherRegex: 'x', url: 'https://c' },
          { name: '', matcherRegex: 'unfinished' },
        ],
        test,
        replace
      )
    ).toEqual([
      { name: 'line', value: '7f3a', targets: ['https://a/7f3a', 'https://b'] },
      { name: 'label', value: '9b', targets: ['9b'] },
      { name: 'none', value: null, targets: [] },
    ]);
  });

  it('says why a link finds nothing', () => {
    const [bad, slow] = preview(
      [
        { name: 'bad', matcherRegex: '(' },
        { name: 'slow', matcherRegex: '.*.*.*.*.*.*.*=x' },
      ],
      { line: 'a'.repeat(100_000), labels: '' },
      replace
    );
    expect(bad.fault).toBe('the regular expression has a fault: Unterminated group.');
    expect(slow.fault).toBe('the regular expression takes too long on this line.');
  });
});

describe('readLabels', () => {
  it('reads a selector, logfmt and JSON', () => {
    const want = { app: 'my api', trace_id: '7f' };
    expect(readLabels('{app="my api", trace_id=`7f`}'.replaceAll('`', '"'))).toEqual(want);
    expect(readLabels('app="my api" trace_id=7f')).toEqual(want);
    expect(readLabels('{"app":"my api","trace_id":"7f"}')).toEqual(want);
    expect(readLabels('a="say \\"hi\\""')).toEqual({ a: 'say "hi"' });
    expect(readLabels('nothing')).toEqual({});
  });
});
