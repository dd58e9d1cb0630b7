import { CustomVariableSupport, type DataQueryRequest, type DataQueryResponse } from '@grafana/data';
import { from, map, type Observable } from 'rxjs';
import type { WoodshedDatasource } from '../datasource';
import type { WoodshedOptions, WoodshedQuery } from '../types';
import type { VariableQuery } from './query';
import { VariableEditor } from './VariableEditor';

/** Dashboard variables of labels and their values. */
export class VariableSupport extends CustomVariableSupport<
  WoodshedDatasource,
  VariableQuery,
  WoodshedQuery,
  WoodshedOptions
> {
  editor = VariableEditor;

  constructor(private datasource: WoodshedDatasource) {
    super();
  }

  // An arrow function: Grafana calls it without its object.
  query = (request: DataQueryRequest<VariableQuery>): Observable<DataQueryResponse> => {
    const { targets, range, scopedVars } = request;
    return from(this.datasource.metricFindQuery(targets[0], { range, scopedVars })).pipe(map((data) => ({ data })));
  };
}
