import { DataSourcePlugin } from '@grafana/data';
import { ConfigEditor } from './components/ConfigEditor';
import { QueryHelp } from './components/QueryHelp';
import { AnyQueryEditor } from './components/StatsQuery';
import { WoodshedDatasource } from './datasource';
import type { WoodshedOptions, WoodshedQuery } from './types';

export const plugin = new DataSourcePlugin<WoodshedDatasource, WoodshedQuery, WoodshedOptions>(WoodshedDatasource)
  .setConfigEditor(ConfigEditor)
  .setQueryEditor(AnyQueryEditor)
  .setQueryEditorHelp(QueryHelp);
