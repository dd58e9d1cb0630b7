import type { DataSourceInstanceSettings } from '@grafana/data';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React from 'react';
import { WoodshedDatasource } from '../datasource';
import { exampleGroups, likelyLabel } from '../logql/examples';
import type { WoodshedOptions, WoodshedQuery } from '../types';
import { QueryHelp } from './QueryHelp';

function setup(expr: string) {
  const datasource = new WoodshedDatasource({
    uid: 'w',
    type: 'w',
    jsonData: {},
  } as DataSourceInstanceSettings<WoodshedOptions>);
  jest.spyOn(datasource.api, 'labelNames').mockResolvedValue(['pod', 'app']);
  jest.spyOn(datasource.api, 'labelValues').mockResolvedValue(['shop']);
  const clicked: WoodshedQuery[] = [];
  const query: WoodshedQuery = { refId: 'A', expr, maxLines: 5 };
  render(<QueryHelp datasource={datasource} query={query} onClickExample={(next) => clicked.push(next)} />);
  return clicked;
}

describe('CheatSheet', () => {
  it('shows examples over the streams of the query, and hands out the one that is clicked', async () => {
    const clicked = setup('sum(rate({app="api", env!="x"} |= "y" [5m]))');
    const name = 'Run {app="api", env!="x"} |= "error"';
    await userEvent.click(await screen.findByRole('button', { name }));
    expect(clicked).toEqual([{ refId: 'A', expr: '{app="api", env!="x"} |= "error"', maxLines: 5 }]);
  });

  it('uses streams that the store has when the query names none', async () => {
    setup('');
    expect(await screen.findByRole('button', { name: 'Run {app="shop"} | json' })).toBeInTheDocument();
  });
});

describe('examples', () => {
  it('are grouped, and each is there once', () => {
    const groups = exampleGroups('{a="b"}');
    expect(groups.map(({ title }) => title)).toEqual(['Find', 'Filter', 'Parse', 'Count', 'Only in Woodshed']);
    const all = groups.flatMap(({ examples }) => examples.map(({ expr }) => expr));
    expect(new Set(all).size).toBe(all.length);
  });

  it('choose streams by the label that people know', () => {
    expect(likelyLabel(['a', 'job', 'app'])).toBe('app');
    expect(likelyLabel(['z', 'y'])).toBe('z');
    expect(likelyLabel([])).toBeUndefined();
  });
});
