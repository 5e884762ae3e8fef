/**
 * The queries over the history file. Each one names its index, so a query that could not use it
 * fails in the tests instead of scanning a big table one day. Lists of values go through
 * json_each: the newest rows of each value are taken from the index, then merged.
 */
import { encodeCursor, type OutputRange, type RowsFilter } from '../runs-query.ts';
import { rowOf } from '../row-parts.ts';
import type { HistoryRow, OutputChunk } from '../records.ts';
import { chunkWindow, maxWindowChunks } from '../chunk-window.ts';
import type { HistoryFile, SqlValue } from './history-file.ts';
import type { RowsAnswer } from './thread-protocol.ts';
import { storedPartsOf } from './write-records.ts';

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

export function listRuns(file: HistoryFile, filter: RowsFilter): RowsAnswer {
  const { sql, values } = listRunsSql(filter);
  const found = file.all(sql, values);
  const page = found.slice(0, filter.limit);
  const last = page.at(-1);
  return {
    ...rowsFrom(page),
    ...(found.length > filter.limit && last !== undefined
      ? { nextCursor: encodeCursor({ tick: numberIn(last, 'tick'), id: textIn(last, 'id') }) }
      : {}),
  };
}

/** Asks for one row more than a page, to know whether there is another page. */
export function listRunsSql(filter: RowsFilter): Sql {
  const given = facets.filter(({ field }) => filter[field] !== undefined);
  const [driver, ...others] = given;
  const backwards = filter.order === 'desc';
  const direction = backwards ? 'DESC' : 'ASC';
  // The window's edge and the page's place are one bound: (tick, id) beyond a position.
  const edge = backwards
    ? { tick: filter.to, id: '' }
    : { tick: filter.from - 1, id: '\u{10ffff}' };
  const start = furthest(edge, filter.after, backwards);
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
  return rowsFrom(file.all(getRunSql, [id]));
}

export const getRunSql = 'SELECT id, tick, parts FROM rows WHERE id = ?';

export function lastRuns(
  file: HistoryFile,
  ask: { readonly jobs: readonly string[]; readonly limit: number },
): RowsAnswer {
  return rowsFrom(file.all(lastRunsSql, [JSON.stringify(ask.jobs), ask.limit]));
}

export const lastRunsSql = `
  SELECT w.id, w.tick, w.parts FROM json_each(?) AS v CROSS JOIN rows AS w
  WHERE w.seq IN (
    SELECT r.seq FROM rows AS r INDEXED BY rows_by_job
    WHERE r.job = v.value ORDER BY r.tick DESC, r.id DESC LIMIT ?)
  ORDER BY v.key, w.tick DESC, w.id DESC`;

export function readOutput(file: HistoryFile, range: OutputRange): OutputChunk[] {
  const { runId, fromOffset, maxBytes } = range;
  const found = file.all(chunkSizesSql, [runId, runId, fromOffset, fromOffset, maxWindowChunks]);
  const sizes = found.map((size) => ({
    offset: numberIn(size, 'first_byte'),
    length: numberIn(size, 'length'),
  }));
  const window = chunkWindow(sizes, fromOffset, maxBytes);
  if (window === undefined) return [];
  return file.all(chunksSql, [runId, window.first, window.last]).map(chunkOf);
}

export const chunkSizesSql = `
  SELECT first_byte, length(data) AS length FROM output
  WHERE run_id = ? AND first_byte >= coalesce(
    (SELECT max(first_byte) FROM output WHERE run_id = ? AND first_byte <= ?), ?)
  ORDER BY first_byte LIMIT ?`;

export const chunksSql = `
  SELECT first_byte, stream, at, data FROM output
  WHERE run_id = ? AND first_byte BETWEEN ? AND ? ORDER BY first_byte`;

function chunkOf(row: unknown): OutputChunk {
  const stream = textIn(row, 'stream');
  const data = valueIn(row, 'data');
  if (stream !== 'stdout' && stream !== 'stderr') throw new TypeError(`stream is ${stream}`);
  return {
    offset: numberIn(row, 'first_byte'),
    stream,
    at: numberIn(row, 'at'),
    data: bytes(data),
  };
}

/** libsql gives a blob as a Buffer in the main thread, and as an ArrayBuffer in any other. */
function bytes(blob: unknown): Buffer {
  if (blob instanceof Uint8Array) {
    return Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  }
  if (blob instanceof ArrayBuffer) return Buffer.from(blob);
  throw new TypeError('output data is not a blob');
}

function rowsFrom(found: readonly unknown[]): { rows: HistoryRow[]; unreadable: string[] } {
  const rows: HistoryRow[] = [];
  const unreadable: string[] = [];
  for (const row of found) {
    try {
      rows.push(rowOf(storedPartsOf(row)));
    } catch {
      // One damaged row must not hide all the others.
      unreadable.push(textIn(row, 'id'));
    }
  }
  return { rows, unreadable };
}

function furthest<P extends { readonly tick: number; readonly id: string }>(
  edge: P,
  after: P | undefined,
  backwards: boolean,
): P {
  if (after === undefined) return edge;
  const edgeIsBeyond =
    edge.tick === after.tick
      ? edge.id > after.id === !backwards
      : edge.tick > after.tick === !backwards;
  return edgeIsBeyond ? edge : after;
}

function valueIn(row: unknown, column: string): unknown {
  if (typeof row !== 'object' || row === null) throw new TypeError('a row is not an object');
  return (row as Record<string, unknown>)[column];
}

function numberIn(row: unknown, column: string): number {
  const value = valueIn(row, column);
  if (typeof value !== 'number') throw new TypeError(`${column} is not a number`);
  return value;
}

function textIn(row: unknown, column: string): string {
  const value = valueIn(row, column);
  if (typeof value !== 'string') throw new TypeError(`${column} is not a text`);
  return value;
}
