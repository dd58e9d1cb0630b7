import { type DataQueryRequest, dateTime } from '@grafana/data';
import { lastValueFrom } from 'rxjs';
import type { WoodshedDatasource } from '../datasource';
import { LABEL_VALUES, type VariableQuery } from './query';
import { VariableSupport } from './VariableSupport';

it('asks for the values in the range and with the variables of the request', async () => {
  const metricFindQuery = jest.fn(async () => [{ text: 'v', value: 'v' }]);
  const { query } = new VariableSupport({ metricFindQuery } as unknown as WoodshedDatasource);
  const from = dateTime(0);
  const range = { from, to: from, raw: { from, to: from } };
  const scopedVars = { __searchFilter: { text: 'a', value: 'a' } };
  const target: VariableQuery = { refId: 'V', type: LABEL_VALUES, label: 'app' };
  const request = { targets: [target], range, scopedVars } as unknown as DataQueryRequest<VariableQuery>;
  expect(await lastValueFrom(query(request))).toEqual({ data: [{ text: 'v', value: 'v' }] });
  expect(metricFindQuery).toHaveBeenCalledWith(target, { range, scopedVars });
});
