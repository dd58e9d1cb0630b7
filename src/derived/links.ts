/** The links of derived fields, as Grafana takes them in a field's configuration. */
import type { DataLink } from '@grafana/data';
import { getDataSourceSrv } from '@grafana/runtime';
import type { DataQuery } from '@grafana/schema';
import type { DerivedField } from './config';

const VALUE = '${__value.raw}';

interface LinkedQuery extends DataQuery {
  query?: string;
  queryType?: string;
  expr?: string;
}

/** The links of fields that share a name. A field without an address and a data source shows its value alone. */
export function linksOf(fields: readonly DerivedField[]): DataLink[] {
  return fields.flatMap((field) => {
    const { url, urlDisplayLabel: title = '', datasourceUid, targetBlank } = field;
    if (datasourceUid) {
      const target = getDataSourceSrv().getInstanceSettings(datasourceUid);
      const query = linkedQuery(target?.type, url ?? VALUE);
      const internal = { query, datasourceUid, datasourceName: target?.name ?? 'Data source not found' };
      return [{ title, url: '', internal, targetBlank }];
    }
    return url ? [{ title, url, targetBlank }] : [];
  });
}

/** A query in the words of the data source that a link opens. */
export function linkedQuery(type: string | undefined, text: string): LinkedQuery {
  switch (type) {
    case 'tempo':
      return { refId: 'A', query: text, queryType: 'traceql' };
    case 'grafana-x-ray-datasource':
      return { refId: 'A', query: text, queryType: 'getTrace' };
    case 'loki':
    case 'prometheus':
    case 'woodshed-logs-datasource':
      return { refId: 'A', expr: text };
    default:
      return { refId: 'A', query: text };
  }
}
