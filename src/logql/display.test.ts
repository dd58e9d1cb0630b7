import type { WoodshedQuery } from '../types';
import { displayText } from './display';

describe('displayText', () => {
  const f = (query: Partial<WoodshedQuery>, want: string) => {
    expect(displayText({ refId: 'A', expr: '', ...query })).toBe(want);
  };

  it('is the query', () => {
    f({ expr: '{a="b"} |= "x"' }, '{a="b"} |= "x"');
    f({ expr: '{a="b"}', queryType: 'range', direction: 'backward' }, '{a="b"}');
    f({ maxLines: 5 }, '');
  });

  it('says as a comment what is not the default', () => {
    f({ expr: '{a="b"}\n', maxLines: 20, direction: 'forward', step: '1m' }, '{a="b"} # 20 lines, oldest first');
    f(
      { expr: 'rate({a="b"}[5m])', queryType: 'instant', step: '30s', maxLines: 5 },
      'rate({a="b"}[5m]) # instant, step 30s'
    );
  });
});
