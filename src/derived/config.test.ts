import { groupDerivedFields, readDerivedFields } from './config';

describe('readDerivedFields', () => {
  it('reads what Loki writes, and keeps keys of others', () => {
    const loki = {
      name: 'traceID',
      matcherRegex: 'traceID=(\\w+)',
      matcherType: 'regex',
      url: '${__value.raw}',
      urlDisplayLabel: 'Open',
      datasourceUid: 'tempo',
      targetBlank: true,
      other: [1],
    };
    expect(readDerivedFields([loki])).toEqual([loki]);
  });

  it.each([undefined, null, 'x', 7, {}, [null, 1, 'x', []]])('finds none in %j', (json) => {
    expect(readDerivedFields(json)).toEqual([]);
  });

  it('takes nothing of a wrong type', () => {
    const [field] = readDerivedFields([
      { name: 1, matcherRegex: {}, matcherType: 'xpath', url: [], datasourceUid: '', targetBlank: 'yes' },
    ]);
    expect(field).toEqual({ name: '', matcherRegex: '' });
  });
});

describe('groupDerivedFields', () => {
  it('puts fields of a name together and leaves out unfinished ones', () => {
    const field = (name: string, matcherRegex = 'x', url?: string) => ({ name, matcherRegex, url });
    const [a1, b, a2] = [field('a', 'x', '1'), field('b'), field('a', 'y', '2')];
    expect(groupDerivedFields([a1, field(''), b, a2, field('c', '')])).toEqual([[a1, a2], [b]]);
  });
});
