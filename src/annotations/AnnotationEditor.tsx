import { type AnnotationQuery, CoreApp, type QueryEditorProps } from '@grafana/data';
import { InlineField, Input, Stack } from '@grafana/ui';
import React, { useState } from 'react';
import { QueryEditor } from '../components/QueryEditor';
import type { WoodshedDatasource } from '../datasource';
import type { WoodshedOptions, WoodshedQuery } from '../types';
import { type AnnotationFormats, prepareAnnotation, readFormats } from './model';

type Props = QueryEditorProps<WoodshedDatasource, WoodshedQuery, WoodshedOptions> & {
  annotation?: AnnotationQuery<WoodshedQuery>;
  onAnnotationChange?: (annotation: AnnotationQuery<WoodshedQuery>) => void;
};

const FIELDS: Array<{ key: keyof AnnotationFormats; label: string; placeholder: string; tooltip: string }> = [
  {
    key: 'titleFormat',
    label: 'Title',
    placeholder: '{{app}}',
    tooltip: 'Labels stand in double braces. Empty: no title.',
  },
  {
    key: 'textFormat',
    label: 'Text',
    placeholder: 'the line',
    tooltip:
      'Labels stand in double braces, such as {{msg}} behind a parser. Empty: the line, or the value of a series.',
  },
  {
    key: 'tagKeys',
    label: 'Tags',
    placeholder: 'all labels, or: app,env',
    tooltip: 'Names of labels whose values become tags, with commas between them.',
  },
];

/** The query whose lines or series become events, and what is written on the events. */
export function AnnotationEditor({ annotation, onAnnotationChange, ...editor }: Props) {
  // Grafana renders once before it stores the query of an annotation made for Loki in its new place.
  const query = (annotation && prepareAnnotation(annotation).target) ?? editor.query;
  const formats = readFormats(annotation);
  return (
    <Stack direction="column" gap={2}>
      <QueryEditor {...editor} query={query} app={CoreApp.Dashboard} />
      {annotation && onAnnotationChange && (
        <div>
          {FIELDS.map(({ key, ...field }) => (
            <FormatField
              {...field}
              key={`${key} ${formats[key]}`}
              value={formats[key]}
              onCommit={(text) => onAnnotationChange({ ...annotation, [key]: text })}
            />
          ))}
        </div>
      )}
    </Stack>
  );
}

interface FormatFieldProps {
  label: string;
  placeholder: string;
  tooltip: string;
  value: string;
  onCommit: (text: string) => void;
}

/** A text that counts when the field is left or Enter is pressed. */
function FormatField({ label, placeholder, tooltip, value, onCommit }: FormatFieldProps) {
  const [text, setText] = useState(value);
  const commit = () => {
    if (text !== value) {
      onCommit(text);
    }
  };
  return (
    <InlineField label={label} labelWidth={12} tooltip={tooltip}>
      <Input
        aria-label={label}
        width={48}
        placeholder={placeholder}
        value={text}
        onChange={({ currentTarget }) => setText(currentTarget.value)}
        onBlur={commit}
        onKeyDown={({ key }) => key === 'Enter' && commit()}
      />
    </InlineField>
  );
}
