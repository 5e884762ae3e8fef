/**
 * A query of runs as a download: CSV or JSON lines, a page of the store at a time and the next one
 * only when the client has taken what it was sent. A place in history is (tick, id), so rows that are
 * added meanwhile neither repeat nor hide one.
 */
import { Readable } from 'node:stream';
import type { RunsPage } from '../../shared/history/port.ts';
import type { HistoryRow } from '../../shared/history/records.ts';
import type { Reply } from '../http/reply.ts';
import { csvHeader, csvRow } from './csv-rows.ts';

export const exportFormats = ['csv', 'jsonl'] as const;
export type ExportFormat = (typeof exportFormats)[number];

export const mostExportedRows = 1_000_000;
export const exportedRows = 100_000;
const pageRows = 250;

interface Writing {
  readonly type: string;
  readonly header: string;
  readonly row: (row: HistoryRow) => string;
}

const writings: Readonly<Record<ExportFormat, Writing>> = {
  csv: { type: 'text/csv; charset=utf-8; header=present', header: csvHeader, row: csvRow },
  jsonl: {
    type: 'application/x-ndjson; charset=utf-8',
    header: '',
    row: (row) => `${JSON.stringify(row)}\n`,
  },
};

/** `format` is stronger than what the client accepts; undefined: JSON, as everywhere. */
export function exportFormatOf(
  format: ExportFormat | 'json' | undefined,
  accept: string | undefined,
): ExportFormat | undefined {
  if (format !== undefined) return format === 'json' ? undefined : format;
  const types = new Set((accept ?? '').split(',').map((type) => type.replace(/;.*/, '').trim()));
  if (types.has('application/json')) return undefined;
  if (types.has('text/csv')) return 'csv';
  return types.has('application/x-ndjson') ? 'jsonl' : undefined;
}

/** `pageOf` answers up to so many rows from there on. The first page is read before the answer begins. */
export async function exportRuns(
  format: ExportFormat,
  limit: number,
  start: string | undefined,
  pageOf: (limit: number, cursor: string | undefined) => Promise<RunsPage>,
): Promise<Reply> {
  const writing = writings[format];
  const first = await pageOf(Math.min(limit, pageRows), start);
  const rest = (cursor: string): Promise<RunsPage> => pageOf(pageRows, cursor);
  return {
    status: 200,
    type: writing.type,
    headers: {
      'Content-Disposition': `attachment; filename="cronmesh-runs.${format}"`,
      'X-Row-Limit': String(limit),
    },
    content: Readable.from(textOf(writing, limit, first, rest), { objectMode: false }),
  };
}

async function* textOf(
  { header, row }: Writing,
  limit: number,
  first: RunsPage,
  rest: (cursor: string) => Promise<RunsPage>,
): AsyncGenerator<string> {
  if (header !== '') yield header;
  let left = limit;
  for (let page = first; ; page = await rest(page.nextCursor)) {
    const rows = page.items.slice(0, left);
    left -= rows.length;
    if (rows.length > 0) yield rows.map(row).join('');
    if (left === 0 || page.nextCursor === undefined) return;
  }
}
