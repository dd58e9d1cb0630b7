/**
 * What a dashboard stores for an annotation. The query stands in `target`; title, text and tags stand beside it under Loki's
 * names. Dashboards made for Loki keep the query beside them too, and are read as they are.
 */
import type { AnnotationQuery } from '@grafana/data';
import type { WoodshedQuery } from '../types';

export interface AnnotationFormats {
  /** A text with {{label}} in it. */
  titleFormat?: string;
  /** Likewise; without it, the line. */
  textFormat?: string;
  /** Names of labels, with commas between them, whose values become tags; without them, all labels. */
  tagKeys?: string;
}

/** The annotation with its query in the place where it is edited. It is the same object when there is nothing to move. */
export function prepareAnnotation(stored: AnnotationQuery<WoodshedQuery>): AnnotationQuery<WoodshedQuery> {
  const expr: unknown = stored.expr;
  if (stored.target?.expr || typeof expr !== 'string' || expr === '') {
    return stored;
  }
  const { expr: _, maxLines, instant, queryType, step, ...annotation } = stored;
  const lines = Number(maxLines);
  const target: WoodshedQuery = {
    refId: 'Anno',
    expr,
    queryType: instant === true || queryType === 'instant' ? 'instant' : 'range',
    ...(lines > 0 && { maxLines: lines }),
    ...(typeof step === 'string' && step !== '' && { step }),
  };
  return { ...annotation, target };
}

export function readFormats(annotation: AnnotationQuery<WoodshedQuery> | undefined): Required<AnnotationFormats> {
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  return {
    titleFormat: text(annotation?.titleFormat),
    textFormat: text(annotation?.textFormat),
    tagKeys: text(annotation?.tagKeys),
  };
}

/** Fills the labels into a text; an absent one is nothing. */
export function fillFormat(format: string, labels: Readonly<Record<string, string>>): string {
  return format.replace(/\{\{\s*([^{}]+?)\s*\}\}/g, (_, name: string) => labels[name] ?? '');
}
