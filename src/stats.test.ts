import { interpolateStats, isCompleteStatsQuery, isStatsQuery, readStatistics, statsQueryText } from './stats';

const query = { refId: 'A', expr: '', queryType: 'stats' as const };

describe('stats queries', () => {
  it('are told from others, and complete ones from those that are begun', () => {
    expect(isStatsQuery(query)).toBe(true);
    expect(isStatsQuery({ refId: 'A', expr: '' })).toBe(false);
    expect(isCompleteStatsQuery(query)).toBe(false);
    expect(isCompleteStatsQuery({ ...query, stat: ' ' })).toBe(false);
    expect(isCompleteStatsQuery({ ...query, stat: 'cpu' })).toBe(true);
    expect(isCompleteStatsQuery({ refId: 'A', expr: '', stat: 'cpu' })).toBe(false);
  });

  it('are said in a few words', () => {
    expect(statsQueryText(query)).toBe('');
    expect(statsQueryText({ ...query, stat: 'cpu' })).toBe('cpu');
    expect(statsQueryText({ ...query, stat: 'disk_bytes', by: 'kind' })).toBe('disk_bytes by kind');
  });

  it('have their variables replaced', () => {
    const replace = (text: string) => text.replace('$x', 'cpu');
    expect(interpolateStats({ ...query, stat: '$x' }, replace)).toEqual({ ...query, stat: 'cpu', by: undefined });
    expect(interpolateStats({ ...query, stat: 'a', by: '$x' }, replace)).toMatchObject({ stat: 'a', by: 'cpu' });
  });

  it('choose among what the store lists', () => {
    const cpu = { name: 'cpu', title: 'Processors', by: ['none'], process: true };
    expect(readStatistics({ data: [cpu, { name: 'half' }, null, 7, { ...cpu, by: [7] }] })).toEqual([cpu]);
    for (const answer of [undefined, null, [], 'x', { data: 1 }]) {
      expect(readStatistics(answer)).toEqual([]);
    }
  });
});
