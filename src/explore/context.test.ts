import {
  type DataFrame,
  type DataQueryRequest,
  FieldType,
  LogLevel,
  LogRowContextQueryDirection,
  type LogRowModel,
  toDataFrame,
} from '@grafana/data';
import type { WoodshedQuery } from '../types';
import { canKeepParsers, LogContext, streamLabels } from './context';

const query: WoodshedQuery = {
  refId: 'A',
  datasource: { uid: 'w' },
  expr: '{app="api"} |= "x" | logfmt | order > 1 | line_format "{{.msg}}"',
};

const frame = toDataFrame({
  refId: 'A',
  fields: [{ name: 'labelTypes', type: FieldType.other, values: [{}, { app: 'I', pod: 'I', id: 'S', msg: 'P' }] }],
});

const row: LogRowModel = {
  entryFieldIndex: 1,
  rowIndex: 1,
  rowId: 'id_0',
  dataFrame: frame,
  entry: 'x',
  raw: 'x',
  hasAnsi: false,
  hasUnescapedContent: false,
  labels: { app: 'api', pod: 'a"\\\nb', id: '1', msg: 'm' },
  logLevel: LogLevel.info,
  timeEpochMs: 1_700_000_000_000,
  timeEpochNs: '1700000000000000005',
  timeFromNow: '',
  timeLocal: '',
  timeUtc: '',
  uid: 'A_id_0',
};

const SELECTOR = String.raw`{app="api", pod="a\"\\\nb"}`;

describe('LogContext.query', () => {
  const context = () => new LogContext(jest.fn());

  it('selects the stream of the row and leaves no line out', () => {
    expect(context().query(row, query)).toEqual({
      refId: 'A',
      datasource: { uid: 'w' },
      queryType: 'range',
      expr: `${SELECTOR} | logfmt | line_format "{{.msg}}"`,
    });
    expect(context().query(row, { ...query, expr: '{app="api"} != "y" | a="b"' }).expr).toBe(SELECTOR);
  });

  it('follows what a person chose, for all rows while it is open', () => {
    const log = context();
    const close = log.open(row, { dropped: ['pod'], parsers: false });
    const other = { ...row, labels: { ...row.labels, pod: 'other' } };
    expect(log.query(other, query).expr).toBe('{app="api"}');
    expect(log.query(other, query, false).expr).toContain('pod="other"');
    close();
    expect(log.query(row, query).expr).toContain(SELECTOR);
  });

  it('is closed only by what opened it last', () => {
    const log = context();
    const first = log.open(row, { dropped: ['pod'], parsers: false });
    log.open(row, { dropped: ['app'], parsers: false });
    first();
    expect(log.query(row, query).expr).not.toContain('app=');
  });

  it('falls back to the query when the row has no labels of a stream', () => {
    expect(context().query({ ...row, rowIndex: 0 }, query).expr).toContain('{app="api"} | logfmt');
  });
});

describe('LogContext.lines', () => {
  const answer: DataFrame = toDataFrame({ fields: [{ name: 'body', type: FieldType.string, values: ['a', 'b'] }] });
  const ask = async (direction: LogRowContextQueryDirection, options = {}) => {
    const run = jest.fn((_: DataQueryRequest<WoodshedQuery>) => Promise.resolve({ data: [answer] }));
    const { data } = await new LogContext(run).lines(row, { direction, limit: 50, ...options }, query);
    const [request] = run.mock.calls[0];
    return { request, target: request.targets[0], values: data[0].fields[0].values };
  };

  it('asks for what is before the row, with the lines of its nanosecond but without itself', async () => {
    const { request, target, values } = await ask(LogRowContextQueryDirection.Backward, { timeWindowMs: 1000 });
    expect(target).toMatchObject({
      refId: 'log-context-A-1',
      direction: 'backward',
      maxLines: 50,
      startNs: '1699999999000000005',
      endNs: '1700000000000000006',
      seamNs: 1,
      omitId: 'id_0',
    });
    expect(values).toEqual(['a', 'b']);
    expect(request.range.from.valueOf()).toBe(1_699_999_999_000);
    expect(request.range.to.valueOf()).toBe(1_700_000_000_001);
  });

  it('asks for what is newer than the row, and turns it around', async () => {
    const { target, values } = await ask(LogRowContextQueryDirection.Forward);
    expect(target).toMatchObject({ direction: 'forward', startNs: '1700000000000000006' });
    expect(target.omitId).toBeUndefined();
    expect(target.seamNs).toBeUndefined();
    expect(values).toEqual(['b', 'a']);
  });

  it('never uses a name twice', async () => {
    const run = jest.fn((_: DataQueryRequest<WoodshedQuery>) => Promise.resolve({ data: [] }));
    const context = new LogContext(run);
    await Promise.all([context.lines(row, {}, query), context.lines(row, {}, query)]);
    expect(new Set(run.mock.calls.map(([{ requestId }]) => requestId)).size).toBe(2);
  });

  it('fails with the words of the store', async () => {
    const failing = new LogContext(() => Promise.resolve({ data: [], errors: [{ message: 'too long' }] }));
    await expect(failing.lines(row, {}, query)).rejects.toThrow('too long');
  });
});

describe('rows', () => {
  it('tell the labels of their stream', () => {
    expect(streamLabels(row).map(({ name }) => name)).toEqual(['app', 'pod']);
  });

  it('can be parsed when the query does', () => {
    expect(canKeepParsers(query)).toBe(true);
    expect(canKeepParsers({ ...query, expr: '{app="api"} |= "x"' })).toBe(false);
    expect(canKeepParsers(undefined)).toBe(false);
  });
});
