/** The words of LogQL that can be offered while typing, with what they do in a few words. */
import type { Completion } from './completion';

type Kind = Completion['kind'];

/** Words that stand as they are. */
function plain(kind: Kind, words: Record<string, string>): Completion[] {
  return Object.entries(words).map(([label, detail]) => ({ label, insert: label, kind, detail }));
}

/** Words with something to fill in behind them. */
function templates(kind: Kind, words: Array<[label: string, insert: string, detail: string]>): Completion[] {
  return words.map(([label, insert, detail]) => ({ label, insert, kind, detail, snippet: insert.includes('$0') }));
}

export const DURATIONS = plain('duration', {
  $__auto: 'the step: from one point to the next',
  $__interval: 'what the panel suggests as step',
  $__range: 'the whole time range',
  '1m': '',
  '5m': '',
  '10m': '',
  '30m': '',
  '1h': '',
  '6h': '',
  '1d': '',
  '7d': '',
});

export const LINE_FILTERS = templates('operator', [
  ['|=', '|= "$0"', 'line contains'],
  ['!=', '!= "$0"', 'line does not contain'],
  ['|~', '|~ "$0"', 'line matches a regular expression'],
  ['!~', '!~ "$0"', 'line does not match a regular expression'],
  ['|>', '|> "$0"', 'line has the shape of a pattern'],
  ['!>', '!> "$0"', 'line does not have the shape of a pattern'],
]);

export const STAGES = templates('keyword', [
  ['json', 'json', 'labels from a JSON line'],
  ['logfmt', 'logfmt', 'labels from key=value pairs'],
  ['pattern', 'pattern "$0"', 'labels from the shape of a line'],
  ['regexp', 'regexp "$0"', 'labels from a regular expression'],
  ['unpack', 'unpack', 'labels from a packed line'],
  ['line_format', 'line_format "{{.$0}}"', 'rewrite the line'],
  ['label_format', 'label_format $0=', 'rename or compute a label'],
  ['decolorize', 'decolorize', 'remove terminal colours'],
  ['drop', 'drop ', 'forget labels'],
  ['keep', 'keep ', 'keep only these labels'],
  ['distinct', 'distinct ', 'the first line for each value of labels'],
  ['unwrap', 'unwrap ', 'take a label as the number to compute with'],
]);

export const STAGE_NAMES = new Set(STAGES.map(({ label }) => label));

export const LOGFMT_FLAGS = plain('keyword', {
  '--strict': 'stop at what is no key=value pair',
  '--keep-empty': 'keep keys without a value',
});

export const CONVERSIONS = templates('function', [
  ['bytes()', 'bytes($0)', 'a size such as 5KB'],
  ['duration()', 'duration($0)', 'a duration such as 1.5s, in seconds'],
  ['duration_seconds()', 'duration_seconds($0)', 'a duration such as 1.5s, in seconds'],
]);

export const COMPARISONS = templates('operator', [
  ['=', '="$0"', 'is'],
  ['!=', '!="$0"', 'is not'],
  ['=~', '=~"$0"', 'matches a regular expression'],
  ['!~', '!~"$0"', 'does not match a regular expression'],
  ['>', '> ', 'is more than a number, a duration or a size'],
  ['>=', '>= ', 'is at least'],
  ['<', '< ', 'is less than'],
  ['<=', '<= ', 'is at most'],
  ['==', '== ', 'is the number'],
]);

export const JOINS = plain('keyword', { and: 'both filters hold', or: 'one of the filters holds' });

export const GROUPINGS = templates('keyword', [
  ['by', 'by ($0)', 'one series for each value of these labels'],
  ['without', 'without ($0)', 'one series for each value of all other labels'],
]);

export const BINARY_OPERATORS = plain('operator', {
  '+': 'sum of two',
  '-': 'difference of two',
  '*': 'product of two',
  '/': 'quotient of two',
  '%': 'remainder',
  '^': 'power',
  '>': 'keep what is more',
  '>=': 'keep what is at least',
  '<': 'keep what is less',
  '<=': 'keep what is at most',
  '==': 'keep what is equal',
  '!=': 'keep what is not equal',
  and: 'keep series that the right side has too',
  or: 'add series that only the right side has',
  unless: 'keep series that the right side does not have',
});

export const OFFSET: Completion = { label: 'offset', insert: 'offset ', kind: 'keyword', detail: 'look further back' };

/** Aggregations over the lines of a window. Those marked with a bar need a number in each line, by unwrap. */
const RANGE_FUNCTIONS: Record<string, string> = {
  count_over_time: 'number of lines',
  rate: 'lines, or sum of values, per second',
  bytes_over_time: 'bytes of lines',
  bytes_rate: 'bytes of lines per second',
  sum_over_time: 'sum of values',
  avg_over_time: 'mean of values',
  min_over_time: 'smallest value',
  max_over_time: 'largest value',
  first_over_time: 'first value',
  last_over_time: 'last value',
  stddev_over_time: 'standard deviation of values',
  stdvar_over_time: 'variance of values',
  rate_counter: 'increase of a counter per second',
  absent_over_time: '1 when there is no line',
};

const VECTOR_FUNCTIONS: Record<string, string> = {
  sum: 'sum of series',
  avg: 'mean of series',
  min: 'smallest of series',
  max: 'largest of series',
  count: 'number of series',
  stddev: 'standard deviation over series',
  stdvar: 'variance over series',
  sort: 'series by value, smallest first',
  sort_desc: 'series by value, largest first',
};

const SELECTING_FUNCTIONS: Record<string, string> = {
  topk: 'the k largest series',
  bottomk: 'the k smallest series',
  approx_topk: 'the k largest series',
};

/** Aggregations that take by and without. */
export const AGGREGATIONS = new Set([
  ...Object.keys(VECTOR_FUNCTIONS),
  ...Object.keys(SELECTING_FUNCTIONS),
  ...Object.keys(RANGE_FUNCTIONS).filter((name) => /^(avg|min|max|stddev|stdvar|first|last)_over_time$/.test(name)),
  'quantile_over_time',
]);

export const RANGE_FUNCTION_NAMES = new Set([...Object.keys(RANGE_FUNCTIONS), 'quantile_over_time']);

export const FUNCTIONS: Completion[] = [
  ...Object.entries({ ...VECTOR_FUNCTIONS, ...RANGE_FUNCTIONS }).map(([label, detail]): Completion => ({
    label,
    insert: `${label}($0)`,
    kind: 'function',
    detail,
    snippet: true,
  })),
  ...templates('function', [
    ...Object.entries(SELECTING_FUNCTIONS).map(([label, detail]): [string, string, string] => [
      label,
      `${label}(\${1:10}, $0)`,
      detail,
    ]),
    ['quantile_over_time', 'quantile_over_time(${1:0.99}, $0)', 'quantile of values'],
    ['label_replace', 'label_replace($0, "new", "\\$1", "label", "(.*)")', 'a label made of another'],
    ['vector', 'vector($0)', 'a number as a series without labels'],
  ]),
];

/** What line_format and label_format can call, as the store knows it. */
export const TEMPLATE_FUNCTIONS = plain('function', {
  __line__: 'the line as it came',
  __timestamp__: 'the time of the line',
  ToLower: 'in lower case',
  ToUpper: 'in upper case',
  Replace: 'Replace text old new count',
  Trim: 'without these characters at both ends',
  TrimLeft: 'without these characters at the start',
  TrimRight: 'without these characters at the end',
  TrimPrefix: 'without this text at the start',
  TrimSuffix: 'without this text at the end',
  TrimSpace: 'without white space at both ends',
  regexReplaceAll: 'regexReplaceAll regex text new',
  regexReplaceAllLiteral: 'regexReplaceAllLiteral regex text new',
  count: 'how often a regular expression matches',
  urldecode: 'read URL escapes',
  urlencode: 'write URL escapes',
  bytes: 'a size such as 5KB as a number',
  duration: 'a duration such as 1.5s in seconds',
  duration_seconds: 'a duration such as 1.5s in seconds',
  unixEpochMillis: 'a time in milliseconds',
  unixEpochNanos: 'a time in nanoseconds',
  toDateInZone: 'toDateInZone layout zone text',
  unixToTime: 'a time from seconds, milliseconds or more',
  alignLeft: 'alignLeft width text',
  alignRight: 'alignRight width text',
  b64dec: 'read base64',
  b64enc: 'write base64',
  lower: 'in lower case',
  upper: 'in upper case',
  title: 'with capitals',
  trunc: 'the first so many characters',
  substr: 'substr start end text',
  contains: 'contains part text',
  hasPrefix: 'hasPrefix start text',
  hasSuffix: 'hasSuffix end text',
  indent: 'with so many blanks before each line',
  nindent: 'the same on a new line',
  replace: 'replace old new text',
  repeat: 'repeat count text',
  trim: 'without white space at both ends',
  trimAll: 'trimAll characters text',
  trimSuffix: 'trimSuffix end text',
  trimPrefix: 'trimPrefix start text',
  int: 'as a whole number',
  float64: 'as a number',
  add: 'sum of whole numbers',
  sub: 'difference of whole numbers',
  mul: 'product of whole numbers',
  div: 'quotient of whole numbers',
  mod: 'remainder of whole numbers',
  addf: 'sum',
  subf: 'difference',
  mulf: 'product',
  divf: 'quotient',
  max: 'larger whole number',
  min: 'smaller whole number',
  maxf: 'larger number',
  minf: 'smaller number',
  ceil: 'rounded up',
  floor: 'rounded down',
  round: 'round number digits',
  fromJson: 'read JSON',
  date: 'date layout time',
  toDate: 'toDate layout text',
  now: 'the time now',
  unixEpoch: 'a time in seconds',
  default: 'default otherwise value',
  and: 'the first empty one, or the last',
  or: 'the first that is not empty, or the last',
  not: 'is empty',
  eq: 'equal',
  ne: 'not equal',
  lt: 'less',
  le: 'at most',
  gt: 'more',
  ge: 'at least',
  len: 'length',
  index: 'index list key',
  slice: 'slice list from to',
  call: 'call a function',
  print: 'as text',
  printf: 'printf format values',
  println: 'as text with a line break',
  html: 'with HTML escapes',
  js: 'with JavaScript escapes',
  urlquery: 'with URL escapes',
});

export const LEVELS = ['critical', 'error', 'warn', 'info', 'debug', 'trace', 'unknown'];
