import {
  addLabelFilter,
  addLineFilter,
  contextPipeline,
  hasLabelFilter,
  hasParsers,
  type LabelType,
  readsLines,
  removeLabelFilter,
  sampleQuery,
  toggleLabelFilter,
  volumeQuery,
} from './modify';
import type { LabelMatcher, MatchOperator } from './selector';

const m = (name: string, op: MatchOperator, value: string): LabelMatcher => ({ name, op, value });
const stderr = m('stream', '=', 'stderr');
const notStderr = m('stream', '!=', 'stderr');
const level = m('level', '=', 'error');

describe('addLabelFilter', () => {
  const f = (text: string, filter: LabelMatcher, type: LabelType | undefined, want: string) => {
    expect(addLabelFilter(text, filter, type)).toBe(want);
  };

  it('puts a stream label into every selector', () => {
    f('{a="b"} |= "x"', stderr, 'I', '{a="b", stream="stderr"} |= "x"');
    f(
      'rate({a="b"}[5m]) / rate({c="d"} | json [5m])',
      notStderr,
      'I',
      'rate({a="b", stream!="stderr"}[5m]) / rate({c="d", stream!="stderr"} | json [5m])'
    );
  });

  it('puts other labels behind the last stage that makes labels', () => {
    f('{a="b"}', level, 'S', '{a="b"} | level="error"');
    f('{a="b"} |= "x"', level, 'S', '{a="b"} |= "x" | level="error"');
    f('{a="b"} | json | line_format "{{.c}}"', level, 'P', '{a="b"} | json | level="error" | line_format "{{.c}}"');
    f(
      '{a="b"} | json | logfmt | c="d" | drop e',
      level,
      'P',
      '{a="b"} | json | logfmt | c="d" | level="error" | drop e'
    );
    f(
      '{a="b"} | logfmt | label_format level=lvl',
      level,
      'P',
      '{a="b"} | logfmt | label_format level=lvl | level="error"'
    );
    f(
      'rate({a="b"} | json [5m]) / rate({c="d"}[5m])',
      level,
      'P',
      'rate({a="b"} | json | level="error" [5m]) / rate({c="d"} | level="error"[5m])'
    );
    f(
      'sum_over_time({a="b"} | json | unwrap c [5m])',
      level,
      'P',
      'sum_over_time({a="b"} | json | level="error" | unwrap c [5m])'
    );
  });

  it('filters a label of unknown origin in the pipeline, where every kind can be tested', () => {
    f('{a="b"}', level, undefined, '{a="b"} | level="error"');
  });

  it('escapes values', () => f('{a="b"}', m('msg', '=', 'say "hi"\\'), 'P', '{a="b"} | msg="say \\"hi\\"\\\\"'));

  it('adds nothing twice', () => {
    f('{a="b", stream="stderr"}', stderr, 'I', '{a="b", stream="stderr"}');
    f('{a="b"} | level=`error`', level, 'P', '{a="b"} | level=`error`');
  });

  it('leaves comments and lines as they are', () => {
    f('{a="b"} # all of it\n  | json # parse\n', level, 'P', '{a="b"} # all of it\n  | json | level="error" # parse\n');
  });
});

describe('removeLabelFilter', () => {
  const f = (text: string, filter: LabelMatcher, want: string) => expect(removeLabelFilter(text, filter)).toBe(want);

  it('takes it out of selectors and pipelines', () => {
    f('{a="b", stream="stderr"} |= "x"', stderr, '{a="b"} |= "x"');
    f('{stream="stderr", a="b"}', stderr, '{a="b"}');
    f('{a="b"} | json | level="error" | c="d"', level, '{a="b"} | json | c="d"');
    f(
      'rate({a="b", stream="stderr"}[5m]) / rate({stream="stderr", c="d"}[5m])',
      stderr,
      'rate({a="b"}[5m]) / rate({c="d"}[5m])'
    );
  });

  it('leaves another operator, another value, and a part of a larger condition', () => {
    f('{a="b", stream!="stderr"}', stderr, '{a="b", stream!="stderr"}');
    f('{a="b"} | level="error" or level="warn"', level, '{a="b"} | level="error" or level="warn"');
  });
});

describe('hasLabelFilter', () => {
  const f = (text: string, filter: LabelMatcher, want: boolean) => expect(hasLabelFilter(text, filter)).toBe(want);

  it('reads the meaning, not the spelling', () => {
    f('{stream="stderr"}', stderr, true);
    f('{a="b", stream = `stderr`}', stderr, true);
    f('{a="b"} | stream="stderr"', stderr, true);
    f('{stream!="stderr"}', stderr, false);
    f('{stream="stdout"} |= "stream=stderr"', stderr, false);
    f('{stream=~"stderr"}', stderr, false);
    f('', stderr, false);
  });
});

describe('toggleLabelFilter', () => {
  it('adds, and removes again to the same text', () => {
    for (const [text, type] of [
      ['{a="b"} |= "x"', 'I'],
      ['{a="b"} | json | c="d"', 'P'],
      ['{a="b"}', 'S'],
    ] as const) {
      const on = toggleLabelFilter(text, stderr, type);
      expect(hasLabelFilter(on, stderr)).toBe(true);
      expect(toggleLabelFilter(on, stderr, type)).toBe(text);
    }
  });

  it('replaces the opposite', () => {
    expect(toggleLabelFilter('{a="b", stream!="stderr"}', stderr, 'I')).toBe('{a="b", stream="stderr"}');
    expect(toggleLabelFilter('{a="b"} | level="error"', m('level', '!=', 'error'), 'P')).toBe(
      '{a="b"} | level!="error"'
    );
  });
});

describe('addLineFilter', () => {
  const f = (text: string, op: '|=' | '!=', value: string, want: string) =>
    expect(addLineFilter(text, op, value)).toBe(want);

  it('filters the line as it is shown', () => {
    f('{a="b"}', '|=', 'time "out"', '{a="b"} |= "time \\"out\\""');
    f('{a="b"} |= "x" | json', '!=', 'y', '{a="b"} |= "x" != "y" | json');
    f(
      '{a="b"} | json | line_format "{{.c}}" | d="e"',
      '|=',
      'y',
      '{a="b"} | json | line_format "{{.c}}" | d="e" |= "y"'
    );
  });
});

describe('readsLines', () => {
  it('is true when the answer depends on what stands in the lines', () => {
    expect(readsLines('{a="b"}')).toBe(false);
    expect(readsLines('{a="b"} | drop c')).toBe(false);
    expect(readsLines('{a="b"} |= "x"')).toBe(true);
    expect(readsLines('rate({a="b"} | json [5m])')).toBe(true);
  });
});

describe('volumeQuery', () => {
  const f = (text: string, want: string | undefined) => expect(volumeQuery(text)).toBe(want);

  it('counts the lines of a logs query by level', () => {
    f('{a="b"} |= "x"', 'sum by (detected_level) (count_over_time({a="b"} |= "x" [$__auto]))');
    f(' {a="b"} # why', 'sum by (detected_level) (count_over_time({a="b"} # why\n[$__auto]))');
    f('rate({a="b"}[5m])', undefined);
    f('', undefined);
  });
});

describe('contextPipeline', () => {
  it('keeps what shapes lines and drops what leaves them out', () => {
    const f = (text: string, want: string) => {
      expect(contextPipeline(text)).toBe(want);
      expect(hasParsers(text)).toBe(want !== '');
    };
    f('{a="b"}', '');
    f('{a="b"} |= "x" != "y" | c="d" or e > 1 | __error__=""', '');
    f('{a="b"} |= "x" | json | c="d" | line_format "{{.e}}"', '| json | line_format "{{.e}}"');
    f(
      '{a="b"} | decolorize | regexp "(?P<x>.)" | pattern "<y> |" | unpack | logfmt --strict',
      '| decolorize | regexp "(?P<x>.)" | pattern "<y> |" | unpack | logfmt --strict'
    );
    f(
      '{a="b"} | json c="d" | logfmt e="f" | drop g | keep h | label_format i=j',
      '| json c="d" | logfmt e="f" | drop g | keep h | label_format i=j'
    );
  });
});

describe('sampleQuery', () => {
  const f = (text: string, want: string | undefined) => expect(sampleQuery(text)).toBe(want);

  it('finds the lines that a metric query counts', () => {
    f('rate({a="b"}[5m])', '{a="b"}');
    f('sum by (c) (count_over_time({a="b"} |= "x" | json [$__auto]))', '{a="b"} |= "x" | json');
    f('sum_over_time({a="b"} | json | unwrap c [5m] offset 1h)', '{a="b"} | json');
    f('quantile_over_time(0.9, {a="b"} | logfmt | unwrap duration(c) | __error__="" [5m]) by (d)', '{a="b"} | logfmt');
    f('rate({a="b"}[5m]) / rate({c="d"} | json [5m])', '{a="b"}');
    f('rate({a="b"}[5m] |= "x")', '{a="b"} |= "x"');
  });

  it('finds none in logs and numbers', () => {
    f('{a="b"} |= "x"', undefined);
    f('1 + 1', undefined);
    f('', undefined);
  });
});
