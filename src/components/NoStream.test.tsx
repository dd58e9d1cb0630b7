import { CoreApp, dateTime, type TimeRange } from '@grafana/data';
import { locationService } from '@grafana/runtime';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React from 'react';
import { NoStream } from './NoStream';

const now = Date.now();
const range: TimeRange = {
  from: dateTime(now - 3_600_000),
  to: dateTime(now),
  raw: { from: 'now-1h', to: 'now' },
};
const day = 24 * 3_600_000;

function setup(lastSeen: number | null | undefined, app?: CoreApp) {
  const selector = { written: '{app="$x"}', asked: '{app="a"}' };
  const ask = jest.fn((_: string) => Promise.resolve(lastSeen));
  render(<NoStream api={{ lastSeen: ask }} selector={selector} range={range} app={app} refId="A" expr="{x}" />);
  return ask;
}

describe('NoStream', () => {
  it('says when the streams were last seen', async () => {
    const ask = setup(now - 3 * day);
    const sentence = 'No stream matches {app="$x"} in the last hour. Last seen 3 days ago.';
    expect(await screen.findByText(sentence)).toBeInTheDocument();
    expect(ask).toHaveBeenCalledWith('{app="a"}');
    expect(screen.queryByRole('button')).not.toBeInTheDocument();
  });

  it('leads to that range', async () => {
    setup(now - 3 * day, CoreApp.Explore);
    const panes = { q: { datasource: 'w', queries: [{ refId: 'A', expr: '{x}' }], range: range.raw } };
    locationService.push(`/explore?panes=${encodeURIComponent(JSON.stringify(panes))}`);
    await userEvent.click(await screen.findByRole('button', { name: 'Show that range' }));
    const { q } = JSON.parse(String(locationService.getSearchObject().panes));
    expect(Number(q.range.to) - (now - 3 * day)).toBeGreaterThan(0);
    expect(Number(q.range.to) - Number(q.range.from)).toBe(3_600_000);
    expect(q.queries).toEqual(panes.q.queries);
  });

  it('says nothing of other times when nobody knows them, and that there is none when there is none', async () => {
    setup(undefined);
    expect(await screen.findByText('No stream matches {app="$x"} in the last hour.')).toBeInTheDocument();
    setup(null);
    expect(await screen.findByText(/None that is stored ever did\./)).toBeInTheDocument();
  });
});
