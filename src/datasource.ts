import {
  type AbstractQuery,
  type AdHocVariableFilter,
  AppEvents,
  CoreApp,
  type DataFrame,
  type DataQueryRequest,
  type DataQueryResponse,
  type DataSourceApi,
  type DataSourceGetTagKeysOptions,
  type DataSourceGetTagValuesOptions,
  type DataSourceInstanceSettings,
  type DataSourceWithLogsContextSupport,
  type DataSourceWithLogsLabelTypesSupport,
  type DataSourceWithQueryExportSupport,
  type DataSourceWithQueryModificationSupport,
  type DataSourceWithSupplementaryQueriesSupport,
  type DataSourceWithToggleableQueryFiltersSupport,
  getDefaultTimeRange,
  type MetricFindValue,
  type LogRowContextOptions,
  type LogRowModel,
  type QueryFilterOptions,
  type QueryFixAction,
  type QueryFixType,
  type ScopedVars,
  type SupplementaryQueryOptions,
  type SupplementaryQueryType,
  type TimeRange,
  type ToggleFilterAction,
} from '@grafana/data';
import { DataSourceWithBackend, getAppEvents, getTemplateSrv } from '@grafana/runtime';
import type { DataQuery } from '@grafana/schema';
import { createElement, type ReactNode } from 'react';
import { from, lastValueFrom, map, type Observable, switchMap, tap } from 'rxjs';
import { exportToAbstractQueries, importQueries } from './abstract';
import { addAdHocFilters, AdHocFilters } from './adhoc';
import { annotationSupport } from './annotations/annotationSupport';
import { WoodshedApi } from './api';
import { withDerivedFields } from './derived/frames';
import { LogContext } from './explore/context';
import { ContextPicker } from './explore/ContextPicker';
import { withNanoseconds } from './explore/frames';
import { LABEL_GROUPS, labelType } from './explore/labelTypes';
import { Pages } from './explore/pages';
import { exploreDirection } from './explore/sortOrder';
import { SUPPLEMENTARY_TYPES, supplementaryQuery } from './explore/supplementary';
import { withInstantTables } from './instantTable';
import type { LabelSource } from './logql/completion';
import { displayText } from './logql/display';
import { interpolate, type Replace } from './logql/interpolate';
import { addLabelFilter, addLineFilter, hasLabelFilter, toggleLabelFilter } from './logql/modify';
import { isBlank } from './logql/parse';
import { isSelective, type LabelMatcher, printSelector } from './logql/selector';
import { interpolateStats, isCompleteStatsQuery, isStatsQuery, statsQueryText } from './stats';
import { LINES_DEFAULT, type WoodshedOptions, type WoodshedQuery } from './types';
import { findVariableValues } from './variables/run';
import { VariableSupport } from './variables/VariableSupport';

export class WoodshedDatasource
  extends DataSourceWithBackend<WoodshedQuery, WoodshedOptions>
  implements
    DataSourceWithSupplementaryQueriesSupport<WoodshedQuery>,
    DataSourceWithToggleableQueryFiltersSupport<WoodshedQuery>,
    DataSourceWithQueryModificationSupport<WoodshedQuery>,
    DataSourceWithQueryExportSupport<WoodshedQuery>,
    DataSourceWithLogsLabelTypesSupport,
    DataSourceWithLogsContextSupport<WoodshedQuery>
{
  readonly api: WoodshedApi;
  /** How many lines a query returns that does not say. */
  readonly maxLines: number;
  /** Grafana may offer how far to look for the lines around a line. */
  readonly supportsAdjustableWindow = true;
  annotations = annotationSupport;
  private readonly adHoc: AdHocFilters;
  private readonly pages = new Pages(warn);
  private readonly context = new LogContext((request) => lastValueFrom(this.query(request)));
  /** Adds links from logs to whatever answers with log rows. */
  private readonly addDerivedFields: ReturnType<typeof withDerivedFields>;

  constructor(settings: DataSourceInstanceSettings<WoodshedOptions>) {
    super(settings);
    this.maxLines = Number(settings.jsonData.maxLines) > 0 ? Number(settings.jsonData.maxLines) : LINES_DEFAULT;
    this.addDerivedFields = withDerivedFields(settings.jsonData.derivedFields);
    this.api = new WoodshedApi((path, params) => this.getResource(path, params, { showErrorAlert: false }));
    this.adHoc = new AdHocFilters(this.api, (matchers) => this.selectorText(matchers));
    this.variables = new VariableSupport(this);
  }

  query(request: DataQueryRequest<WoodshedQuery>): Observable<DataQueryResponse> {
    const direction = request.app === CoreApp.Explore ? exploreDirection() : undefined;
    const targets = direction
      ? request.targets.map((query) => this.pages.prepare(query, request, direction))
      : request.targets;
    const run = () => super.query({ ...request, targets });
    const answer = request.filters?.length ? from(this.adHoc.learn(request.range)).pipe(switchMap(run)) : run();
    return answer.pipe(
      map(withNanoseconds),
      tap((response) => direction && this.pages.note(request, response)),
      this.addDerivedFields,
      map((response) => withInstantTables(response, request))
    );
  }

  getDefaultQuery(app: CoreApp): Partial<WoodshedQuery> {
    // An alert rule compares one value.
    return { expr: '', queryType: app === CoreApp.UnifiedAlerting ? 'instant' : 'range' };
  }

  getQueryDisplayText(query: WoodshedQuery): string {
    return isStatsQuery(query) ? statsQueryText(query) : displayText(query);
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
    return SUPPLEMENTARY_TYPES;
  }

  getSupplementaryQuery(options: SupplementaryQueryOptions, query: WoodshedQuery): WoodshedQuery | undefined {
    return isStatsQuery(query) ? undefined : supplementaryQuery(options, query);
  }

  getSupplementaryRequest(
    type: SupplementaryQueryType,
    request: DataQueryRequest<WoodshedQuery>
  ): DataQueryRequest<WoodshedQuery> | undefined {
    const targets = request.targets.flatMap((query) => this.getSupplementaryQuery({ type }, query) ?? []);
    return targets.length > 0 ? { ...request, targets } : undefined;
  }

  async getLogRowContext(
    row: LogRowModel,
    options: LogRowContextOptions = {},
    query?: WoodshedQuery
  ): Promise<DataQueryResponse> {
    return query ? this.context.lines(row, options, query) : { data: [] };
  }

  async getLogRowContextQuery(
    row: LogRowModel,
    _options?: LogRowContextOptions,
    query?: WoodshedQuery,
    cacheFilters = true
  ): Promise<WoodshedQuery | null> {
    return query ? this.context.query(row, query, cacheFilters) : null;
  }

  getLogRowContextUi(row: LogRowModel, runContextQuery?: () => void, query?: WoodshedQuery): ReactNode {
    return createElement(ContextPicker, { key: row.uid, context: this.context, row, query, onChange: runContextQuery });
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

function warn(text: string): void {
  getAppEvents().publish({ type: AppEvents.alertWarning.name, payload: ['Some lines are missing', text] });
}
