import { findProblems, isBlank, isLogsQuery, isMetricQuery, quote, tokenize, unquote } from './parse';

describe('tokenize', () => {
  const f = (text: string, ...want: string[]) => {
    expect(tokenize(text).map(({ kind, from, to }) => `${kind} ${text.slice(from, to)}`)).toEqual(want);
  };

  it('tells strings and comments from code', () => {
    f('');
    f('{a="b"}', 'code {a=', 'string "b"', 'code }');
    f('{a="b\\"c"} # "x"', 'code {a=', 'string "b\\"c"', 'code } ', 'comment # "x"');
    f('|~ `a"b\n#`', 'code |~ ', 'string `a"b\n#`');
    f('|= "#"', 'code |= ', 'string "#"');
    f('{a="b\n', 'code {a=', 'string "b', 'code \n');
    f('# one\n{', 'comment # one', 'code \n{');
  });
});

describe('isMetricQuery and isLogsQuery', () => {
  const f = (text: string, want: 'metric' | 'logs' | 'neither') => {
    expect({ text, metric: isMetricQuery(text), logs: isLogsQuery(text) }).toEqual({
      text,
      metric: want === 'metric',
      logs: want === 'logs',
    });
  };

  it('looks at the tree', () => {
    f('{a="b"}', 'logs');
    f('{a="rate("} |= "sum"', 'logs');
    f('({a="b"} | json)', 'logs');
    f('rate({a="b"}[5m])', 'metric');
    f('sum by (x) (count_over_time({a="b"} | json [$__auto])) / 2', 'metric');
    f('', 'neither');
    f('# nothing', 'neither');
  });
});

describe('isBlank', () => {
  it('is true for space and comments', () => {
    expect(isBlank('')).toBe(true);
    expect(isBlank(' \n# later\n')).toBe(true);
    expect(isBlank('{')).toBe(false);
  });
});

describe('quote and unquote', () => {
  it('write and read the same text', () => {
    for (const text of ['', 'plain', 'a"b', 'back\\slash', 'tab\tline\n', '`tick`', 'ünï→🪵', '\u0000']) {
      expect(unquote(quote(text))).toBe(text);
    }
  });

  it('reads every escape of a Go string', () => {
    expect(unquote('"\\a\\v\\x41\\u00e9\\U0001FAB5\\101\\""')).toBe('\x07\vAé🪵A"');
    expect(unquote('"\\UFFFFFFFF"')).toBe('\ufffd');
    expect(unquote('`a\\n"b`')).toBe('a\\n"b');
    expect(unquote('`open')).toBe('open');
  });
});

describe('findProblems', () => {
  const f = (text: string, ...want: string[]) => {
    expect(findProblems(text).map(({ message }) => message)).toEqual(want);
  };

  it('finds nothing in a good query', () => {
    f('');
    f('# only a comment');
    f('{a="b"} |= "x" | json | c="d" or e > 5 | line_format "{{.f}}"');
    f('sum by (a) (rate({a=~"b|c"} | logfmt | unwrap d [5m] offset 1h)) / 100');
  });

  it('lets variables stand where something else would', () => {
    f('{app="$app", env=~"${env:regex}"} |= "[[text]]"');
    f('rate({a="b"}[$__auto])');
    f('rate({a="b"}[${range}] offset $shift)');
    f('topk($n, sum by ($group) (rate({$label="b"}[5m]))) > $limit');
  });

  it('says where and what to do', () => {
    f('{app="api"} |= timeout', 'Line 1, column 16: unexpected timeout: put the text in quotes');
    f('{app=api}', 'Line 1, column 6: unexpected api: put the text in quotes');
    f('{app="api"', 'Line 1, column 11: unexpected end of the query: close the selector with }');
    f('{}', 'Line 1, column 2: unexpected }: name at least one label, such as {app="api"}');
    f('timeout', 'Line 1, column 1: unexpected timeout: a query starts with a selector, such as {app="api"}');
    f('{a="b"}\n| json\n|= oops', 'Line 3, column 4: unexpected oops: put the text in quotes');
    f('rate({a="b"}[])', 'Line 1, column 14: unexpected ]: give a duration, such as [5m]');
  });
});
