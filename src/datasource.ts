import {
  type AbstractQuery,
  type AdHocVariableFilter,
  CoreApp,
  type DataFrame,
  type DataQueryRequest,
  type DataQueryResponse,
  type DataSourceApi,
  type DataSourceGetTagKeysOptions,
  type DataSourceGetTagValuesOptions,
  type DataSourceInstanceSettings,
  type DataSourceWithLogsLabelTypesSupport,
  type DataSourceWithQueryExportSupport,
  type DataSourceWithQueryModificationSupport,
  type DataSourceWithSupplementaryQueriesSupport,
  type DataSourceWithToggleableQueryFiltersSupport,
  getDefaultTimeRange,
  type MetricFindValue,
  type QueryFilterOptions,
  type QueryFixAction,
  type QueryFixType,
  type ScopedVars,
  type SupplementaryQueryOptions,
  SupplementaryQueryType,
  type TimeRange,
  type ToggleFilterAction,
} from '@grafana/data';
import { DataSourceWithBackend, getTemplateSrv } from '@grafana/runtime';
import type { DataQuery } from '@grafana/schema';
import { from, map, type Observable, switchMap } from 'rxjs';
import { exportToAbstractQueries, importQueries } from './abstract';
import { addAdHocFilters, AdHocFilters } from './adhoc';
import { annotationSupport } from './annotations/annotationSupport';
import { WoodshedApi } from './api';
import { withInstantTables } from './instantTable';
import type { LabelSource } from './logql/completion';
import { interpolate, type Replace } from './logql/interpolate';
import {
  addLabelFilter,
  addLineFilter,
  hasLabelFilter,
  type LabelType,
  toggleLabelFilter,
  volumeQuery,
} from './logql/modify';
import { isBlank } from './logql/parse';
import { isSelective, type LabelMatcher, printSelector } from './logql/selector';
import { interpolateStats, isCompleteStatsQuery, isStatsQuery, statsQueryText } from './stats';
import { type Direction, LINES_DEFAULT, type WoodshedOptions, type WoodshedQuery } from './types';
import { findVariableValues } from './variables/run';
import { VariableSupport } from './variables/VariableSupport';

// Explore keeps its sort order here and tells only datasources of type "loki" when it changes.
const EXPLORE_SORT_ORDER_KEY = 'grafana.explore.logs.sortOrder';

const LABEL_GROUPS: Record<LabelType, string> = { I: 'Indexed labels', S: 'Structured metadata', P: 'Parsed fields' };

export class WoodshedDatasource
  extends DataSourceWithBackend<WoodshedQuery, WoodshedOptions>
  implements
    DataSourceWithSupplementaryQueriesSupport<WoodshedQuery>,
    DataSourceWithToggleableQueryFiltersSupport<WoodshedQuery>,
    DataSourceWithQueryModificationSupport<WoodshedQuery>,
    DataSourceWithQueryExportSupport<WoodshedQuery>,
    DataSourceWithLogsLabelTypesSupport
{
  readonly api: WoodshedApi;
  /** How many lines a query returns that does not say. */
  readonly maxLines: number;
  annotations = annotationSupport;
  private adHoc: AdHocFilters;

  constructor(settings: DataSourceInstanceSettings<WoodshedOptions>) {
    super(settings);
    this.maxLines = Number(settings.jsonData.maxLines) || LINES_DEFAULT;
    this.api = new WoodshedApi((path, params) => this.getResource(path, params, { showErrorAlert: false }));
    this.adHoc = new AdHocFilters(this.api, (matchers) => this.selectorText(matchers));
    this.variables = new VariableSupport(this);
  }

  query(request: DataQueryRequest<WoodshedQuery>): Observable<DataQueryResponse> {
    const direction = exploreDirection();
    const targets =
      request.app === CoreApp.Explore
        ? request.targets.map((query) => ({ ...query, direction: query.direction ?? direction }))
        : request.targets;
    const run = () => super.query({ ...request, targets });
    const answer = request.filters?.length ? from(this.adHoc.learn(request.range)).pipe(switchMap(run)) : run();
    return answer.pipe(map((response) => withInstantTables(response, request)));
  }

  getDefaultQuery(app: CoreApp): Partial<WoodshedQuery> {
    // An alert rule compares one value.
    return { expr: '', queryType: app === CoreApp.UnifiedAlerting ? 'instant' : 'range' };
  }

  getQueryDisplayText(query: WoodshedQuery): string {
    return isStatsQuery(query) ? statsQueryText(query) : query.expr;
  }

  filterQuery(query: WoodshedQuery): boolean {
    return !query.hide && (isStatsQuery(query) ? isCompleteStatsQuery(query) : !isBlank(query.expr ?? ''));
  }

  applyTemplateVariables(query: WoodshedQuery, scopedVars: ScopedVars, filters?: AdHocVariableFilter[]): WoodshedQuery {
    if (isStatsQuery(query)) {
      return interpolateStats(query, (text) => getTemplateSrv().replace(text, scopedVars));
    }
    const expr = interpolate(query.expr ?? '', scopedVars, replaceVariables);
    return {
      ...query,
      expr: addAdHocFilters(expr, filters, this.adHoc.indexed),
      legendFormat: query.legendFormat && getTemplateSrv().replace(query.legendFormat, scopedVars),
      step: query.step && getTemplateSrv().replace(query.step, scopedVars),
    };
  }

  metricFindQuery(
    query: unknown,
    options?: { range?: TimeRange; scopedVars?: ScopedVars }
  ): Promise<MetricFindValue[]> {
    const { range = getDefaultTimeRange(), scopedVars } = options ?? {};
    return findVariableValues(query, { api: this.api, replace: replaceVariables, range, scopedVars });
  }

  getTagKeys(options?: DataSourceGetTagKeysOptions<WoodshedQuery>): Promise<MetricFindValue[]> {
    return this.adHoc.keys(options ?? {});
  }

  getTagValues(options: DataSourceGetTagValuesOptions<WoodshedQuery>): Promise<MetricFindValue[]> {
    return this.adHoc.values(options);
  }

  importQueries(queries: DataQuery[], origin: DataSourceApi): Promise<WoodshedQuery[]> {
    return importQueries(queries, origin, () => this.api.labelNames(getDefaultTimeRange()));
  }

  exportToAbstractQueries(queries: WoodshedQuery[]): Promise<AbstractQuery[]> {
    return Promise.resolve(exportToAbstractQueries(queries));
  }

  /** Label names and values in a range, for pickers and completion. */
  labelSource(range: TimeRange): LabelSource {
    return {
      labelNames: (matchers) => this.api.labelNames(range, this.selectorText(matchers)),
      labelValues: (name, matchers) => this.api.labelValues(name, range, this.selectorText(matchers)),
    };
  }

  /** A selector as the store can be asked for it: variables replaced; undefined when it would match everything. */
  selectorText(matchers: readonly LabelMatcher[]): string | undefined {
    return isSelective(matchers) ? interpolate(printSelector(matchers), {}, replaceVariables) : undefined;
  }

  getSupportedSupplementaryQueryTypes(): SupplementaryQueryType[] {
    return [SupplementaryQueryType.LogsVolume];
  }

  getSupplementaryQuery(options: SupplementaryQueryOptions, query: WoodshedQuery): WoodshedQuery | undefined {
    const expr =
      options.type === SupplementaryQueryType.LogsVolume && !query.hide && !isStatsQuery(query)
        ? volumeQuery(query.expr)
        : undefined;
    if (!expr) {
      return undefined;
    }
    return {
      refId: `log-volume-${query.refId}`,
      datasource: query.datasource,
      queryType: 'range',
      expr,
      legendFormat: '{{detected_level}}',
      supportingQueryType: 'logsVolume',
    };
  }

  getSupplementaryRequest(
    type: SupplementaryQueryType,
    request: DataQueryRequest<WoodshedQuery>
  ): DataQueryRequest<WoodshedQuery> | undefined {
    if (type !== SupplementaryQueryType.LogsVolume) {
      return undefined;
    }
    const targets = request.targets.flatMap((query) => this.getSupplementaryQuery({ type }, query) ?? []);
    return targets.length > 0 ? { ...request, targets } : undefined;
  }

  toggleQueryFilter(query: WoodshedQuery, filter: ToggleFilterAction): WoodshedQuery {
    const { key: name, value } = filter.options;
    const op = filter.type === 'FILTER_FOR' ? '=' : '!=';
    return { ...query, expr: toggleLabelFilter(query.expr ?? '', { name, op, value }, labelType(filter.frame, name)) };
  }

  queryHasFilter(query: WoodshedQuery, { key: name, value }: QueryFilterOptions): boolean {
    return hasLabelFilter(query.expr ?? '', { name, op: '=', value });
  }

  modifyQuery(query: WoodshedQuery, action: QueryFixAction): WoodshedQuery {
    const expr = query.expr ?? '';
    const { key: name = '', value = '' } = action.options ?? {};
    switch (action.type) {
      case 'ADD_FILTER':
        return { ...query, expr: addLabelFilter(expr, { name, op: '=', value }, labelType(action.frame, name)) };
      case 'ADD_FILTER_OUT':
        return { ...query, expr: addLabelFilter(expr, { name, op: '!=', value }, labelType(action.frame, name)) };
      case 'ADD_STRING_FILTER':
        return { ...query, expr: addLineFilter(expr, '|=', value) };
      case 'ADD_STRING_FILTER_OUT':
        return { ...query, expr: addLineFilter(expr, '!=', value) };
      default:
        return query;
    }
  }

  getSupportedQueryModifications(): QueryFixType[] {
    return ['ADD_FILTER', 'ADD_FILTER_OUT', 'ADD_STRING_FILTER', 'ADD_STRING_FILTER_OUT'];
  }

  getLabelDisplayTypeFromFrame(name: string, frame: DataFrame | undefined, row: number | null): string | null {
    const type = labelType(frame, name, row);
    return type ? LABEL_GROUPS[type] : null;
  }
}

function replaceVariables(...[text, variables, format]: Parameters<Replace>): string {
  return getTemplateSrv().replace(text, variables, format);
}

/** The order of rows that Explore shows: a limited answer has to hold the rows of that end. */
function exploreDirection(): Direction {
  return window.localStorage.getItem(EXPLORE_SORT_ORDER_KEY)?.includes('Ascending') ? 'forward' : 'backward';
}

/** Where a label comes from. The frame tells for each row; without a row, the first row that has the label answers. */
function labelType(frame: DataFrame | undefined, name: string, row: number | null = null): LabelType | undefined {
  const values: unknown[] = frame?.fields.find((field) => field.name === 'labelTypes')?.values ?? [];
  for (const types of row === null ? values : [values[row]]) {
    const type: unknown = typeof types === 'object' && types !== null ? Reflect.get(types, name) : undefined;
    if (type === 'I' || type === 'S' || type === 'P') {
      return type;
    }
  }
  return undefined;
}
