import type { AnnotationSupport } from '@grafana/data';
import { of } from 'rxjs';
import { isBlank } from '../logql/parse';
import type { WoodshedQuery } from '../types';
import { AnnotationEditor } from './AnnotationEditor';
import { readEvents } from './events';
import { prepareAnnotation } from './model';

/** Annotations of dashboards from lines or series. */
export const annotationSupport: AnnotationSupport<WoodshedQuery> = {
  QueryEditor: AnnotationEditor,
  prepareAnnotation,
  prepareQuery: ({ target }) => (target && !isBlank(target.expr ?? '') ? target : undefined),
  processEvents: (annotation, frames) => of(readEvents(annotation, frames)),
};
