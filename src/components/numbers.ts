import { formattedValueToString, getValueFormat } from '@grafana/data';

/** 1.2 GB, 380 MB */
export function formatBytes(bytes: number): string {
  return formattedValueToString(getValueFormat('decbytes')(bytes, 1)).replace('.0 ', ' ');
}

/** 48,210 */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** 1 stream, 48,210 entries */
export function countOf(count: number, noun: string): string {
  const plural = noun.endsWith('y') ? `${noun.slice(0, -1)}ies` : `${noun}s`;
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}
