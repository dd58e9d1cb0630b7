import { FieldType, LogLevel, type LogRowModel, toDataFrame } from '@grafana/data';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React from 'react';
import { LogContext } from './context';
import { ContextPicker } from './ContextPicker';

const row: LogRowModel = {
  entryFieldIndex: 1,
  rowIndex: 0,
  dataFrame: toDataFrame({
    refId: 'A',
    fields: [{ name: 'labelTypes', type: FieldType.other, values: [{ app: 'I', pod: 'I', id: 'S' }] }],
  }),
  entry: '',
  raw: '',
  hasAnsi: false,
  hasUnescapedContent: false,
  labels: { app: 'api', pod: 'p1', id: '7' },
  logLevel: LogLevel.info,
  timeEpochMs: 0,
  timeEpochNs: '0',
  timeFromNow: '',
  timeLocal: '',
  timeUtc: '',
  uid: 'A_1',
};

const query = { refId: 'A', expr: '{app="api"} |= "x" | logfmt' };
const button = (name: string | RegExp) => screen.getByRole('button', { name });
const switches = () => screen.queryAllByRole('switch').concat(screen.queryAllByRole('checkbox'));

function show(expr = query.expr) {
  const context = new LogContext(jest.fn());
  const onChange = jest.fn();
  const view = render(<ContextPicker context={context} row={row} query={{ ...query, expr }} onChange={onChange} />);
  return { context, onChange, asked: () => context.query(row, { ...query, expr }).expr, unmount: view.unmount };
}

describe('ContextPicker', () => {
  it('widens by a label of the stream, and narrows again', async () => {
    const { asked, onChange } = show();
    expect(screen.queryByText(/id=/)).toBeNull();
    onChange.mockImplementation(() => expect(asked()).toBe('{app="api"} | logfmt'));
    await userEvent.click(button(/pod="p1"/));
    expect(onChange).toHaveBeenCalledTimes(1);
    expect(button(/pod="p1"/)).toHaveAttribute('aria-pressed', 'false');

    onChange.mockImplementation(() => expect(asked()).toBe('{app="api", pod="p1"} | logfmt'));
    await userEvent.click(button('Only this stream'));
    expect(onChange).toHaveBeenCalledTimes(2);
    expect(button(/pod="p1"/)).toHaveAttribute('aria-pressed', 'true');
  });

  it('keeps one label', async () => {
    const { onChange } = show();
    await userEvent.click(button(/pod="p1"/));
    await userEvent.click(button(/app="api"/));
    expect(onChange).toHaveBeenCalledTimes(1);
  });

  it('parses as the query does, or not', async () => {
    const { asked } = show();
    await userEvent.click(switches()[0]);
    expect(asked()).toBe('{app="api", pod="p1"}');
  });

  it('offers no parsers where there are none, and forgets the choice when it closes', async () => {
    const { asked, unmount } = show('{app="api"} |= "x"');
    expect(switches()).toHaveLength(0);
    await userEvent.click(button(/pod="p1"/));
    expect(asked()).toBe('{app="api"}');
    unmount();
    expect(asked()).toBe('{app="api", pod="p1"}');
  });
});
