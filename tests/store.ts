/** What the specs share: lines of their own in the store, and the way to them in Explore. */
import { randomUUID } from 'node:crypto';
import type { ExplorePage } from '@grafana/plugin-e2e';
import { expect, type Locator, type Page } from '@playwright/test';

export const DATASOURCE_FILE = 'woodshed.yaml';

export interface PushedStream {
  labels: Record<string, string>;
  lines: string[];
  /** When each line was written; without it, one second apart and the last a moment ago. */
  timesMS?: number[];
  /** The same in nanoseconds, as text. */
  timesNS?: string[];
  /** Structured metadata of all lines. */
  metadata?: Record<string, string>;
}

/** A value that marks the lines of one test, so that tests share a store without seeing each other. */
export function newRun(): string {
  return `run-${randomUUID().slice(0, 8)}`;
}

/** Pushes lines as an agent does. */
export async function push(streams: PushedStream[]): Promise<void> {
  const nowMS = Date.now();
  const body = {
    streams: streams.map(({ labels, lines, timesMS, timesNS, metadata }) => ({
      stream: labels,
      values: lines.map((line, index) => [
        timesNS?.[index] ?? `${timesMS?.[index] ?? nowMS - (lines.length - index) * 1000}000000`,
        line,
        ...(metadata ? [metadata] : []),
      ]),
    })),
  };
  const response = await fetch(`${process.env.WOODSHED_PUSH_URL}/loki/api/v1/push`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status, await response.text()).toBe(204);
}

/** The lines that most specs look at: two containers, their output and their errors. */
export function shopLines(run: string): PushedStream[] {
  return [
    {
      labels: { run, container: 'checkout', stream: 'stdout' },
      lines: ['level=info msg="order placed" order=1', 'level=debug msg="cache filled" order=2'],
    },
    {
      labels: { run, container: 'checkout', stream: 'stderr' },
      lines: ['level=error msg="payment refused" order=3', 'level=warn msg="payment slow" order=4'],
    },
    { labels: { run, container: 'catalogue', stream: 'stdout' }, lines: ['level=info msg="page served" page=5'] },
  ];
}

export async function openExplore(explorePage: ExplorePage, uid: string, expr: string, theme = 'dark'): Promise<void> {
  const datasource = { type: 'woodshed-logs-datasource', uid };
  const pane = { datasource: uid, queries: [{ refId: 'A', datasource, expr }], range: { from: 'now-1h', to: 'now' } };
  const queryParams = new URLSearchParams({
    schemaVersion: '1',
    orgId: '1',
    theme,
    panes: JSON.stringify({ a: pane }),
  });
  await explorePage.goto({ queryParams });
}

/** The text of the query, as the field shows it. Monaco writes blanks as no-break spaces. */
export async function expectQuery(page: Page, text: string): Promise<void> {
  await expect(queryField(page).locator('.view-lines')).toHaveText(text.replaceAll(' ', '\u00a0'));
}

export function queryField(page: Page): Locator {
  return page.getByTestId('logql-field');
}

/** Puts a text into the query field without running it. Autocompletion is closed, so that it completes nothing. */
export async function typeQuery(page: Page, text: string): Promise<void> {
  await queryField(page).locator('.view-lines').click();
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.press('Delete'); // A brace typed over a selection would enclose it.
  await page.keyboard.insertText(text);
}

/** A row of the logs panel, by a part of its line that stands nowhere else on the page. */
export function logRow(page: Page, text: string): Locator {
  return page.getByText(text).first();
}

export function pickerRow(page: Page, label: string): Locator {
  return page.getByRole('group', { name: `Label ${label}`, exact: true });
}

/** An option of an open list by its text; what is said below it does not matter. */
export function option(page: Page, text: string): Locator {
  return page.getByRole('option').filter({ has: page.getByText(text, { exact: true }) });
}

/** Adds a label to the picker and leaves the list of its values open. */
export async function addLabel(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: 'Add label' }).click();
  await page.getByRole('group', { name: 'New label' }).getByRole('combobox', { name: 'Label name' }).click();
  await option(page, name).click();
  await pickerRow(page, name).getByRole('combobox', { name: 'Values' }).click();
}
