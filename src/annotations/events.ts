/**
 * Events of an annotation from the frames of its query: one for each line, and one for each time that a series is not zero,
 * where times that follow each other step by step make one region.
 */
import {
  type AnnotationEvent,
  type AnnotationEventMappings,
  type AnnotationQuery,
  type DataFrame,
  type Field,
  FieldType,
} from '@grafana/data';
import type { WoodshedQuery } from '../types';
import { type AnnotationFormats, fillFormat, readFormats } from './model';

type Labels = Record<string, string>;

const COLOR = 'red'; // Grafana's own; it shows the colour of the annotation instead.

export function readEvents(annotation: AnnotationQuery<WoodshedQuery>, frames: DataFrame[]): AnnotationEvent[] {
  const formats = readFormats(annotation);
  return frames.flatMap((frame) => {
    const events = frame.meta?.type === 'log-lines' ? lineEvents(frame, formats) : seriesEvents(frame, formats);
    return events.map(({ event, row, labels }) => mapEvent(event, annotation.mappings, frame, row, labels));
  });
}

interface FoundEvent {
  event: AnnotationEvent;
  row: number;
  labels: Labels;
}

function fieldNamed(frame: DataFrame, name: string): Field | undefined {
  return frame.fields.find((field) => field.name === name);
}

function lineEvents(frame: DataFrame, formats: Required<AnnotationFormats>): FoundEvent[] {
  const times = fieldNamed(frame, 'timestamp');
  return (times?.values ?? []).map((time: unknown, row: number) => {
    const labels = readLabels(fieldNamed(frame, 'labels')?.values[row]);
    const line = String(fieldNamed(frame, 'body')?.values[row] ?? '');
    const event = newEvent(Number(time), labels, formats, line);
    return { event, row, labels };
  });
}

function seriesEvents(frame: DataFrame, formats: Required<AnnotationFormats>): FoundEvent[] {
  const times = frame.fields.find(({ type }) => type === FieldType.time);
  const value = frame.fields.find(({ type }) => type === FieldType.number);
  if (!times || !value) {
    return [];
  }
  const labels = value.labels ?? {};
  const step = Number(times.config.interval) || 0;
  const name = value.config.displayNameFromDS ?? '';
  const found: FoundEvent[] = [];
  times.values.forEach((at: unknown, row: number) => {
    const time = Number(at);
    if (!Number(value.values[row])) {
      return; // Zero or no number: nothing happened.
    }
    const last = found[found.length - 1]?.event;
    if (last && step > 0 && time - Number(last.timeEnd ?? last.time) <= step) {
      last.timeEnd = time;
      last.isRegion = true;
      return;
    }
    const event = newEvent(time, labels, formats, `${name}: ${String(value.values[row])}`);
    found.push({ event, row, labels });
  });
  return found;
}

function newEvent(
  time: number,
  labels: Labels,
  { titleFormat, textFormat, tagKeys }: Required<AnnotationFormats>,
  text: string
): AnnotationEvent {
  return {
    type: 'default',
    color: COLOR,
    time,
    title: fillFormat(titleFormat, labels),
    text: fillFormat(textFormat, labels) || text,
    tags: readTags(labels, tagKeys),
  };
}

function readTags(labels: Labels, tagKeys: string): string[] {
  const wanted = tagKeys.split(',').flatMap((key) => key.trim() || []);
  const keys = wanted.length > 0 ? wanted : Object.keys(labels);
  return Array.from(new Set(keys.flatMap((key) => labels[key]?.trim() || [])));
}

function readLabels(value: unknown): Labels {
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]))
    : {};
}

/** What a person set in Grafana's own table of mappings: a constant, a field of the frame or a label, or nothing at all. */
function mapEvent(
  event: AnnotationEvent,
  mappings: AnnotationEventMappings | undefined,
  frame: DataFrame,
  row: number,
  labels: Labels
): AnnotationEvent {
  const mapped: Record<string, unknown> = { ...event };
  for (const [key, mapping] of Object.entries(mappings ?? {})) {
    if (mapping.source === 'skip') {
      delete mapped[key];
    } else if (mapping.source === 'text') {
      mapped[key] = split(key, mapping.value);
    } else if (mapping.value) {
      const value: unknown = fieldNamed(frame, mapping.value)?.values[row] ?? labels[mapping.value];
      if (value !== undefined) {
        mapped[key] = split(key, value);
      }
    }
  }
  return mapped;
}

function split(key: string, value: unknown): unknown {
  return key === 'tags' && typeof value === 'string' ? value.split(',') : value;
}
