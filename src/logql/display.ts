/** A query as one text, for histories and tables. What is not the default stands behind it as a comment, so it is still LogQL. */
import type { WoodshedQuery } from '../types';
import { isBlank, isMetricQuery } from './parse';

export function displayText(query: WoodshedQuery): string {
  const expr = query.expr ?? '';
  if (isBlank(expr)) {
    return expr;
  }
  const isMetric = isMetricQuery(expr);
  const notes = isMetric
    ? [query.queryType === 'instant' && 'instant', query.step && `step ${query.step}`]
    : [query.maxLines && `${query.maxLines} lines`, query.direction === 'forward' && 'oldest first'];
  const comment = notes.filter((note) => typeof note === 'string' && note !== '').join(', ');
  return comment ? `${expr.trimEnd()} # ${comment}` : expr;
}
