import { Random } from '../testing/random';
import {
  addLine,
  addWhere,
  type BuilderView,
  isWritable,
  type LabelTest,
  LINE_OPERATORS,
  type LineOperator,
  type LineTest,
  type Parser,
  readQuery,
  setCount,
  setLine,
  setParser,
  setWhere,
  WHERE_OPERATORS,
} from './builder';
import { findProblems, tokenize } from './parse';

const line = (op: LineOperator, value: string): LineTest => ({ op, value });
const test = (name: string, op: LabelTest['op'], value: string): LabelTest => ({ name, op, value });

/** A view without places. */
function simple({ lines, where, ...rest }: BuilderView) {
  return {
    ...rest,
    lines: lines.map(({ op, value }) => line(op, value)),
    where: where.map(({ name, op, value }) => test(name, op, value)),
  };
}

describe('readQuery', () => {
  const f = (text: string, want: Partial<ReturnType<typeof simple>>) => {
    const empty = { lines: [], where: [], parser: { kind: 'none' }, count: { kind: 'none' }, onlyInText: [] };
    expect(simple(readQuery(text))).toEqual({ ...empty, ...want });
  };

  it('reads the parts that it has fields for', () => {
    f('{a="b"}', {});
    f('{a="b"} |= "x" != `y` # why\n|~ "z+" !~ "q"', {
      lines: [line('|=', 'x'), line('!=', 'y'), line('|~', 'z+'), line('!~', 'q')],
    });
    f('{a="b"} | json', { parser: { kind: 'json' } });
    f('{a="b"} | logfmt', { parser: { kind: 'logfmt' } });
    f('{a="b"} | pattern "<ip> <_>"', { parser: { kind: 'pattern', pattern: '<ip> <_>' } });
    f('{a="b"} | c="d" | e!~"f" | g >= 5 | h<1.5s | i > 2MB | j != 7 | k == -1', {
      where: [
        test('c', '=', 'd'),
        test('e', '!~', 'f'),
        test('g', '>=', '5'),
        test('h', '<', '1.5s'),
        test('i', '>', '2MB'),
        test('j', '!=', '7'),
        test('k', '==', '-1'),
      ],
    });
    f('sum by (a, c) (count_over_time({a="b"} |= "x" [$__auto]))', {
      lines: [line('|=', 'x')],
      count: { kind: 'count', by: ['a', 'c'] },
    });
    f('sum(count_over_time({a="b"}[5m]))', { count: { kind: 'count', by: [] } });
  });

  it('names what is only in the text', () => {
    f('{a="b"} |= "x" or "y" |> "<_>" |= ip("1.1.1.1") |= "z"', {
      lines: [line('|=', 'z')],
      onlyInText: ['|= "x" or "y"', '|> "<_>"', '|= ip("1.1.1.1")'],
    });
    f('{a="b"} | json | a="b" or c="d" | line_format "{{.x}}" | logfmt', {
      parser: { kind: 'json' },
      onlyInText: ['| a="b" or c="d"', '| line_format "{{.x}}"', '| logfmt'],
    });
    f('{a="b"} | regexp "(?P<x>.)" | x="y"', {
      parser: undefined,
      where: [test('x', '=', 'y')],
      onlyInText: ['| regexp "(?P<x>.)"'],
    });
    f('{a="b"} | logfmt --strict', { parser: undefined, onlyInText: ['| logfmt --strict'] });
    f('topk(3, rate({a="b"} |= "x" [5m]))', {
      lines: [line('|=', 'x')],
      count: { kind: 'other' },
      onlyInText: ['topk(3, rate( … [5m]))'],
    });
    f('sum(count_over_time({a="b"} | unwrap x [5m]))', {
      count: { kind: 'other' },
      onlyInText: ['sum(count_over_time( … | unwrap x [5m]))'],
    });
  });

  it('says when there is nothing to build on', () => {
    expect(readQuery('').blocked).toBe('empty');
    expect(readQuery('{}').blocked).toBe('empty');
    expect(readQuery('{} |= "x"')).toMatchObject({ blocked: 'empty', lines: [{ value: 'x' }] });
    expect(readQuery('{a="b"} |= "x').blocked).toBe('unfinished');
    expect(readQuery('{a="b"').blocked).toBe('unfinished');
  });
});

describe('lines', () => {
  it('are added behind the selector and the filters there', () => {
    expect(addLine('{a="b"}', line('|=', 'say "x"'))).toBe('{a="b"} |= "say \\"x\\""');
    expect(addLine('{a="b"} |= "x" # why\n| json', line('!~', 'y'))).toBe('{a="b"} |= "x" !~ "y" # why\n| json');
    expect(addLine('rate({a="b"}[5m])', line('|=', 'x'))).toBe('rate({a="b"} |= "x"[5m])');
  });

  it('are changed and removed where they stand', () => {
    const text = '{a="b"} |=  `x` != "y"\n  |= "z" # c\n|~ "q" | json';
    expect(setLine(text, 0, line('|=', 'xx'))).toBe(text.replace('`x`', '`xx`'));
    expect(setLine(text, 0, line('!=', 'x'))).toBe(text.replace('|=  `x`', '!=  `x`'));
    expect(setLine(text, 1, undefined)).toBe(text.replace(' != "y"', ''));
    expect(setLine(text, 2, undefined)).toBe(text.replace('\n  |= "z"', ''));
    expect(setLine(text, 3, undefined)).toBe(text.replace('|~ "q"', ''));
    expect(setLine(text, 9, undefined)).toBe(text);
  });
});

describe('setParser', () => {
  it('writes one parser behind the line filters', () => {
    const text = '{a="b"} |= "x" | c="d"';
    expect(setParser(text, { kind: 'json' })).toBe('{a="b"} |= "x" | json | c="d"');
    expect(setParser('{a="b"} | json # c', { kind: 'logfmt' })).toBe('{a="b"} | logfmt # c');
    expect(setParser('{a="b"} |  json', { kind: 'pattern', pattern: '<x>' })).toBe('{a="b"} |  pattern "<x>"');
    expect(setParser('{a="b"} | json | c="d"', { kind: 'none' })).toBe('{a="b"} | c="d"');
    expect(setParser(text, { kind: 'none' })).toBe(text);
  });
});

describe('where', () => {
  it('is added behind the parser', () => {
    expect(addWhere('{a="b"} | json', test('c', '=', 'd'))).toBe('{a="b"} | json | c="d"');
    expect(addWhere('{a="b"} | json | c="d" | line_format "x"', test('e', '>', '1s'))).toBe(
      '{a="b"} | json | c="d" | e > 1s | line_format "x"'
    );
    expect(addWhere('{a="b"}', test('e', '>', 'much'))).toBe('{a="b"}');
  });

  it('is changed and removed where it stands', () => {
    const text = '{a="b"} | json | c = `d` | e!=5';
    expect(setWhere(text, 0, test('c', '!=', 'd'))).toBe('{a="b"} | json | c != `d` | e!=5');
    expect(setWhere(text, 0, test('c', '>', '7'))).toBe('{a="b"} | json | c > 7 | e!=5');
    expect(setWhere(text, 1, test('e', '!=', '6'))).toBe('{a="b"} | json | c = `d` | e!=6');
    expect(setWhere(text, 1, test('e', '!=', 'six'))).toBe('{a="b"} | json | c = `d` | e!="six"');
    expect(setWhere(text, 1, test('e', '=', '5'))).toBe('{a="b"} | json | c = `d` | e="5"');
    expect(setWhere(text, 1, test('e', '<', 'six'))).toBe(text);
    expect(setWhere(text, 0, undefined)).toBe('{a="b"} | json | e!=5');
  });

  it('compares only numbers, durations and bytes by size', () => {
    for (const value of ['5', '-1.5', '1h30m', '20ms', '1.5s', '10KB', '2MiB']) {
      expect(isWritable(test('a', '>=', value))).toBe(true);
    }
    for (const value of ['', 'x', '5x', '"5"', '1 s', '5 or b="c"']) {
      expect(isWritable(test('a', '>=', value))).toBe(false);
      expect(isWritable(test('a', '=', value))).toBe(true);
    }
    expect(isWritable(test('a-b', '=', 'x'))).toBe(false);
  });
});

describe('setCount', () => {
  const text = '# top\n{a="b"} |= "x" # end';

  it('wraps the lines and lets them go again', () => {
    const counted = '# top\nsum by (a, c) (count_over_time({a="b"} |= "x" [$__auto])) # end';
    expect(setCount(text, ['a', 'c'])).toBe(counted);
    expect(setCount(counted, ['d'])).toBe(counted.replace('(a, c)', '(d)'));
    expect(setCount(counted, [])).toBe(counted.replace('sum by (a, c) (', 'sum('));
    expect(setCount(setCount(counted, []), ['a', 'c'])).toBe(counted);
    expect(setCount(counted, undefined)).toBe(text);
  });

  it('leaves what it does not know', () => {
    for (const other of [
      'rate({a="b"}[5m])',
      'sum(count_over_time({a="b"}[5m])) > 1',
      'sum(# c\ncount_over_time({a="b"}[5m]))',
    ]) {
      expect(setCount(other, undefined)).toBe(other);
      expect(setCount(other, ['a'])).toBe(other);
    }
  });
});

/** A query of known parts and of parts that the builder has no field for, with comments and blanks between. */
function randomQuery(random: Random): string {
  const gap = () => random.pick([' ', ' ', '  ', '\n', ' # c | json {x}\n', '\n  ']);
  const parts = [
    ...random.some(3, () => random.pick(['|= "x"', '!= `y"`', '|~ "z\\\\d"', '|= "a" or "b"', '|> "<_>"'])),
    ...random.some(1, () => random.pick(['| json', '| logfmt', '| pattern "<a> <_>"', '| regexp "(?P<a>.)"'])),
    ...random.some(4, () =>
      random.pick([
        '| a="b"',
        '| c >= 5',
        '| d<1s',
        '| e=~`f.`',
        '| g="h" or i="j"',
        '| line_format "{{.x}}"',
        '|= "late"',
      ])
    ),
  ];
  const lines = `{a="b"}${parts.map((part) => gap() + part).join('')}`;
  const [before, behind] = random.pick([
    ['', ''],
    ['# top\n', ' # end'],
    ['sum by (a, b) (count_over_time(', ' [5m]))'],
    ['max(rate(', '[$__auto])) / 2'],
  ]);
  return before + lines + behind;
}

describe('edits of the builder', () => {
  const words = (text: string) => text.split(/\s+/).join(' ').trim();
  const comments = (text: string) => tokenize(text).filter(({ kind }) => kind === 'comment').length;

  function checkEdits(random: Random): void {
    const text = randomQuery(random);
    expect(findProblems(text)).toEqual([]);
    const view = simple(readQuery(text));
    /** The edit does what it says to the view, nothing to the rest, and its undoing gives the query back. */
    const check = (edited: string, want: Partial<typeof view>, undone: string) => {
      expect([text, edited, findProblems(edited)]).toEqual([text, edited, []]);
      expect([text, edited, simple(readQuery(edited))]).toEqual([text, edited, { ...view, ...want }]);
      expect(comments(edited)).toBe(comments(text));
      expect([edited, words(undone)]).toEqual([edited, words(text)]);
    };
    const added = line(random.pick(LINE_OPERATORS), random.pick(['n', '"', '# |']));
    const withLine = addLine(text, added);
    const at = simple(readQuery(withLine)).lines.findIndex(
      (_, i, all) => all[i] !== undefined && !sameLine(all[i], view.lines[i])
    );
    check(withLine, { lines: inserted(view.lines, at, added) }, setLine(withLine, at, undefined));
    const value = test('n', random.pick(WHERE_OPERATORS), '5');
    const withWhere = addWhere(text, value);
    const place = readQuery(withWhere).where.findIndex(({ name }) => name === 'n');
    check(withWhere, { where: inserted(view.where, place, value) }, setWhere(withWhere, place, undefined));
    view.lines.forEach((old, i) => {
      const edited = setLine(text, i, added);
      check(edited, { lines: replaced(view.lines, i, added) }, setLine(edited, i, old));
    });
    view.where.forEach((old, i) => {
      const edited = setWhere(text, i, value);
      const undone = setWhere(edited, i, old);
      expect(simple(readQuery(edited))).toEqual({ ...view, where: replaced(view.where, i, value) });
      expect(simple(readQuery(undone))).toEqual(view);
    });
    if (view.parser) {
      const parser: Parser = random.pick([{ kind: 'json' }, { kind: 'pattern', pattern: '<n>' }]);
      const edited = setParser(text, parser);
      check(edited, { parser }, setParser(edited, view.parser));
    }
    if (view.count.kind !== 'other') {
      const edited = setCount(text, ['n']);
      check(
        edited,
        { count: { kind: 'count', by: ['n'] } },
        setCount(edited, 'by' in view.count ? view.count.by : undefined)
      );
    }
  }

  function inserted<T>(list: T[], at: number, item: T): T[] {
    return [...list.slice(0, at), item, ...list.slice(at)];
  }

  function replaced<T>(list: T[], at: number, item: T): T[] {
    return list.map((old, index) => (index === at ? item : old));
  }

  function sameLine(a: LineTest, b: LineTest | undefined): boolean {
    return a.op === b?.op && a.value === b.value;
  }

  it('change what they name and can be undone', () => {
    for (let seed = 0; seed < 150; seed++) {
      checkEdits(new Random(seed));
    }
  });
});
