import { DataSourcePlugin } from '@grafana/data';
import { ConfigEditor } from './components/ConfigEditor';
import { QueryEditor } from './components/QueryEditor';
import { WoodshedDatasource } from './datasource';
import type { WoodshedOptions, WoodshedQuery } from './types';

export const plugin = new DataSourcePlugin<WoodshedDatasource, WoodshedQuery, WoodshedOptions>(WoodshedDatasource)
  .setConfigEditor(ConfigEditor)
  .setQueryEditor(QueryEditor);
