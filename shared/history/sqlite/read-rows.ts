/**
 * The queries over the history file. Each one names its index, so a query that could not use it
 * fails in the tests instead of scanning a big table one day. Lists of values go through
 * json_each: the newest rows of each value are taken from the index, then merged.
 */
import { z } from 'zod';
import {
  encodeCursor,
  type OutputRange,
  type RowPosition,
  type RowsFilter,
} from '../runs-query.ts';
import { rowOf } from '../row-parts.ts';
import type { HistoryRow, OutputChunk } from '../records.ts';
import { chunkWindow, maxWindowChunks } from '../chunk-window.ts';
import type { HistoryFile, SqlValue } from './history-file.ts';
import type { RowsAnswer } from './thread-protocol.ts';
import { parsePartsText } from './write-records.ts';

/** In the order in which they are worth being walked: the fewest rows a value first. */
const facets = [
  { field: 'job', column: 'job', index: 'rows_by_job' },
  { field: 'worker', column: 'worker', index: 'rows_by_worker' },
  { field: 'state', column: 'state', index: 'rows_by_state' },
  { field: 'group', column: 'job_group', index: 'rows_by_group' },
] as const;

export interface Sql {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

const rowSchema = z.object({ id: z.string(), tick: z.int(), parts: z.string() });
const sizeSchema = z.object({ offset: z.int(), length: z.int() });
/** libsql gives a blob as a Buffer in the main thread, and as an ArrayBuffer in any other. */
const blobSchema = z.union([
  z.instanceof(Buffer),
  z.instanceof(ArrayBuffer).transform((bytes) => Buffer.from(bytes)),
]);
const chunkSchema = z.object({
  offset: z.int(),
  stream: z.enum(['stdout', 'stderr']),
  at: z.int(),
  data: blobSchema,
});

export function listRuns(file: HistoryFile, filter: RowsFilter): RowsAnswer {
  const { sql, values } = listRunsSql(filter);
  const found = z.array(rowSchema).parse(file.all(sql, values));
  const page = found.slice(0, filter.limit);
  const last = page.at(-1);
  return {
    ...rowsFrom(page),
    ...(found.length > filter.limit && last !== undefined
      ? { nextCursor: encodeCursor(last) }
      : {}),
  };
}

/** Asks for one row more than a page, to know whether there is another page. */
export function listRunsSql(filter: RowsFilter): Sql {
  const given = facets.filter(({ field }) => filter[field] !== undefined);
  const [driver, ...others] = given;
  const backwards = filter.order === 'desc';
  const direction = backwards ? 'DESC' : 'ASC';
  const start = startOf(filter, backwards);
  const where = [
    backwards ? '(r.tick, r.id) < (?, ?)' : '(r.tick, r.id) > (?, ?)',
    backwards ? 'r.tick >= ?' : 'r.tick < ?',
    ...others.map(({ column }) => `r.${column} IN (SELECT value FROM json_each(?))`),
  ];
  const values: SqlValue[] = [
    start.tick,
    start.id,
    backwards ? filter.from : filter.to,
    ...others.map(({ field }) => JSON.stringify(filter[field])),
    filter.limit + 1,
  ];
  if (driver === undefined) {
    const sql = `
      SELECT r.id, r.tick, r.parts FROM rows AS r INDEXED BY rows_by_tick
      WHERE ${where.join(' AND ')}
      ORDER BY r.tick ${direction}, r.id ${direction} LIMIT ?`;
    return { sql, values };
  }
  const sql = `
    SELECT w.id, w.tick, w.parts FROM json_each(?) AS v CROSS JOIN rows AS w
    WHERE w.seq IN (
      SELECT r.seq FROM rows AS r INDEXED BY ${driver.index}
      WHERE r.${driver.column} = v.value AND ${where.join(' AND ')}
      ORDER BY r.tick ${direction}, r.id ${direction} LIMIT ?)
    ORDER BY w.tick ${direction}, w.id ${direction} LIMIT ?`;
  return { sql, values: [JSON.stringify(filter[driver.field]), ...values, filter.limit + 1] };
}

export function getRun(file: HistoryFile, id: string): RowsAnswer {
  return rowsFrom(z.array(rowSchema).parse(file.all(getRunSql, [id])));
}

export const getRunSql = 'SELECT id, tick, parts FROM rows WHERE id = ?';

export function lastRuns(
  file: HistoryFile,
  ask: { readonly jobs: readonly string[]; readonly limit: number },
): RowsAnswer {
  const found = file.all(lastRunsSql, [JSON.stringify(ask.jobs), ask.limit]);
  return rowsFrom(z.array(rowSchema).parse(found));
}

export const lastRunsSql = `
  SELECT w.id, w.tick, w.parts FROM json_each(?) AS v CROSS JOIN rows AS w
  WHERE w.seq IN (
    SELECT r.seq FROM rows AS r INDEXED BY rows_by_job
    WHERE r.job = v.value ORDER BY r.tick DESC, r.id DESC LIMIT ?)
  ORDER BY v.key, w.tick DESC, w.id DESC`;

export function readOutput(file: HistoryFile, range: OutputRange): OutputChunk[] {
  const { runId, fromOffset, maxBytes } = range;
  const sizes = z
    .array(sizeSchema)
    .parse(file.all(chunkSizesSql, [runId, runId, fromOffset, fromOffset, maxWindowChunks]));
  const window = chunkWindow(sizes, fromOffset, maxBytes);
  if (window === undefined) return [];
  return z.array(chunkSchema).parse(file.all(chunksSql, [runId, window.first, window.last]));
}

export function outputEnd(file: HistoryFile, runId: string): number {
  const [last] = z.array(sizeSchema).parse(file.all(lastChunkSql, [runId]));
  return last === undefined ? 0 : last.offset + last.length;
}

export const lastChunkSql = `
  SELECT first_byte AS offset, length(data) AS length FROM output
  WHERE run_id = ? ORDER BY first_byte DESC LIMIT 1`;

export const chunkSizesSql = `
  SELECT first_byte AS offset, length(data) AS length FROM output
  WHERE run_id = ? AND first_byte >= coalesce(
    (SELECT max(first_byte) FROM output WHERE run_id = ? AND first_byte <= ?), ?)
  ORDER BY first_byte LIMIT ?`;

export const chunksSql = `
  SELECT first_byte AS offset, stream, at, data FROM output
  WHERE run_id = ? AND first_byte BETWEEN ? AND ? ORDER BY first_byte`;

function rowsFrom(found: readonly z.output<typeof rowSchema>[]): {
  rows: HistoryRow[];
  unreadable: string[];
} {
  const rows: HistoryRow[] = [];
  const unreadable: string[] = [];
  for (const row of found) {
    try {
      rows.push(rowOf(parsePartsText(row.parts)));
    } catch {
      // One damaged row must not hide all the others.
      unreadable.push(row.id);
    }
  }
  return { rows, unreadable };
}

/** The window's edge or the page's place, whichever is further; no id is below ''. */
function startOf(filter: RowsFilter, backwards: boolean): RowPosition {
  const { after, from, to } = filter;
  if (backwards) return after !== undefined && after.tick < to ? after : { tick: to, id: '' };
  return after !== undefined && after.tick >= from ? after : { tick: from, id: '' };
}
