/**
 * Instant answers as tables: one row for each series, its labels as columns. It is the shape that Loki's datasource gives, on
 * which the transformations and the overrides of dashboards are built (a column is called "Value #A"). Panels that draw
 * one thing for each series keep the series with their legends.
 */
import {
  CoreApp,
  type DataFrame,
  DataFrameType,
  type DataQueryRequest,
  type DataQueryResponse,
  type Field,
  FieldType,
} from '@grafana/data';
import type { WoodshedQuery } from './types';

const PANELS_OF_SERIES = ['bargauge', 'gauge', 'piechart', 'stat', 'state-timeline', 'status-history', 'timeseries'];

/** Whether the one who asks shows instant answers as tables: Explore, and most panels. */
function showsTables({ app, panelPluginId }: DataQueryRequest<WoodshedQuery>): boolean {
  return app === CoreApp.Explore || (panelPluginId !== undefined && !PANELS_OF_SERIES.includes(panelPluginId));
}

export function withInstantTables(
  response: DataQueryResponse,
  request: DataQueryRequest<WoodshedQuery>
): DataQueryResponse {
  if (!showsTables(request)) {
    return response;
  }
  const frames: DataFrame[] = response.data;
  const byQuery = new Map<string, DataFrame[]>();
  for (const frame of frames.filter(isInstant)) {
    byQuery.set(frame.refId ?? '', [...(byQuery.get(frame.refId ?? '') ?? []), frame]);
  }
  const tables = Array.from(byQuery, ([refId, instants]) => tableOf(refId, instants));
  return tables.length > 0
    ? { ...response, data: [...frames.filter((frame) => !isInstant(frame)), ...tables] }
    : response;
}

function isInstant(frame: DataFrame): boolean {
  return frame.meta?.type === DataFrameType.NumericMulti && frame.fields.length > 0;
}

function tableOf(refId: string, frames: DataFrame[]): DataFrame {
  const rows = frames.flatMap((frame) => {
    const time = frame.fields.find(({ type }) => type === FieldType.time);
    const value = frame.fields.find(({ type }) => type === FieldType.number);
    const labels = value?.labels ?? {};
    return (value?.values ?? []).map((number: unknown, row: number) => ({ time: time?.values[row], labels, number }));
  });
  const names = Array.from(new Set(rows.flatMap(({ labels }) => Object.keys(labels)))).sort();
  const column = (name: string, type: FieldType, values: unknown[], config = {}): Field => ({
    name,
    type,
    config,
    values,
  });
  return {
    refId,
    length: rows.length,
    // The first frame says what is said once per answer.
    meta: { ...frames[0].meta, type: undefined, typeVersion: undefined, preferredVisualisationType: 'table' },
    fields: [
      column(
        'Time',
        FieldType.time,
        rows.map(({ time }) => time)
      ),
      ...names.map((name) => {
        const values = rows.map(({ labels }) => labels[name] ?? '');
        return column(name, FieldType.string, values, { filterable: true });
      }),
      column(
        `Value #${refId}`,
        FieldType.number,
        rows.map(({ number }) => number)
      ),
    ],
  };
}
