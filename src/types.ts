import type { DataSourceJsonData } from '@grafana/data';
import type { DataQuery } from '@grafana/schema';
import type { DerivedField } from './derived/config';

export const LINES_DEFAULT = 1000; // Loki's default.

export type QueryType = 'range' | 'instant' | 'stats';
export type EditorMode = 'code' | 'builder';
export type Direction = 'backward' | 'forward';

/** A query in Loki's field names. An absent field has its default: range, the datasource's lines, backward, automatic step. */
export interface WoodshedQuery extends DataQuery {
  expr: string;
  queryType?: QueryType;
  maxLines?: number;
  direction?: Direction;
  step?: string;
  legendFormat?: string;
  /** Of type stats: which statistic of the store, split by what, and whether its value now is meant. */
  stat?: string;
  by?: string;
  instant?: boolean;
  /** Whether the editor shows the builder; absent means that nobody has chosen. */
  editorMode?: EditorMode;
  /** Who asks, when it is not the person: Grafana sets it for older rows, we set it for the histogram. */
  supportingQueryType?: string;
  /** Where Explore's pages begin and end; see docs/datasource/explore.md. */
  startNs?: string;
  endNs?: string;
  seamNs?: number;
  wholeNs?: number;
  fillNs?: number;
  omitId?: string;
}

export interface WoodshedOptions extends DataSourceJsonData {
  maxLines?: number;
  tenant?: string;
  /** Links from logs. */
  derivedFields?: DerivedField[];
}

/** What the store says of itself, in health details and under the resource `status`. */
export interface StoreStatus {
  version: string;
  /** starting, replaying, ready or degraded. */
  state: string;
  /** The state in sentences. */
  message?: string;
  /** The address that takes pushes; empty when none is open. */
  listen?: string;
  /** Why none is open, unless that is meant. */
  listenError?: string;
  /** Only administrators are told. */
  dataDir?: string;
  streams: number;
  entries: number;
  bytes: number;
  diskBytes: number;
  oldest?: string;
  /** How long logs are kept, in words. */
  retention?: string;
  /** Free space of the disk and what is kept free, in words. Only administrators are told. */
  space?: string;
  /** Who gets how much of the memory limit, in sentences. Only administrators are told. */
  memory?: string[];
  refused?: RefusedPushes[];
  warnings?: string[];
  /** The tenant that this data source reads. */
  tenant?: string;
  /** Whether every push has to name its tenant. */
  authEnabled?: boolean;
  /** The tenants that this organisation may read, when there is a choice. */
  tenants?: string[];
  /** How many lines no query may exceed. */
  rowsMax?: number;
}

/** Entries that agents pushed of late and the store did not take. */
export interface RefusedPushes {
  reason: string;
  tenant?: string;
  entries: number;
  /** The whole sentence, with the number. */
  text: string;
}

/** What a selector would have to read. */
export interface SelectorStats {
  streams: number;
  chunks: number;
  entries: number;
  bytes: number;
}
