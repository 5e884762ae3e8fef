/**
 * Rows of history as CSV (RFC 4180): a header, CRLF, quotes where a field needs them; times in UTC
 * (ISO 8601). Jobs write reasons and commands, and spreadsheets run what looks like a formula, so a
 * text that begins like one gets an apostrophe before it. JSON lines have every text as it is.
 */
import type { HistoryRow } from '../../shared/history/records.ts';

type Field = string | number | boolean | undefined;

const columns: readonly (readonly [name: string, of: (row: HistoryRow) => Field])[] = [
  ['id', ({ id }) => id],
  ['job', ({ job }) => job],
  ['group', ({ group }) => group],
  ['kind', ({ kind }) => kind],
  ['cause', ({ cause }) => cause],
  ['outcome', ({ outcome }) => outcome ?? 'running'],
  ['tick', ({ tick }) => isoOf(tick)],
  ['startedAt', ({ startedAt }) => isoOf(startedAt)],
  ['endedAt', ({ endedAt }) => isoOf(endedAt)],
  ['durationMs', ({ startedAt, endedAt }) => spanOf(startedAt, endedAt)],
  ['worker', ({ worker }) => worker],
  ['attempt', ({ attempt }) => attempt],
  ['exitCode', ({ exitCode }) => exitCode],
  ['signal', ({ signal }) => signal],
  ['reason', ({ reason }) => reason],
  ['by', ({ by }) => by],
  ['fence', ({ fence }) => fence],
  ['outputBytes', ({ outputBytes }) => outputBytes],
  ['outputTruncated', ({ outputTruncated }) => outputTruncated],
  ['fromTick', ({ fromTick }) => isoOf(fromTick)],
  ['count', ({ count }) => count],
  ['command', ({ command }) => command],
];

export const csvHeader = `${columns.map(([name]) => name).join(',')}\r\n`;

export function csvRow(row: HistoryRow): string {
  return `${columns.map(([, of]) => csvField(of(row))).join(',')}\r\n`;
}

function csvField(field: Field): string {
  if (typeof field !== 'string') return String(field ?? '');
  const text = /^[=+\-@\t\r\n]/.test(field) ? `'${field}` : field;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const latestDateMs = 8_640_000_000_000_000;

function isoOf(ms: number | undefined): Field {
  // What no date can be is shown as it is.
  return ms === undefined || Math.abs(ms) > latestDateMs ? ms : new Date(ms).toISOString();
}

function spanOf(startedAt: number | undefined, endedAt: number | undefined): Field {
  return startedAt === undefined || endedAt === undefined
    ? undefined
    : Math.max(0, endedAt - startedAt);
}
