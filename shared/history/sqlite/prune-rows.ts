/**
 * Retention over the history file. Looking for old rows is a read and may be done beside writes; what
 * goes is deleted in transactions that end after `deleteForMs`, because every other writer waits for
 * them, in this process and in others.
 */
import { statSync } from 'node:fs';
import { z } from 'zod';
import {
  failureStates,
  holdsFailure,
  lastToLookAt,
  rowsToPrune,
  type OldRow,
  type PruneAsk,
  type StorageUse,
} from '../prune.ts';
import type { RowPosition } from '../runs-query.ts';
import type { HistoryFile } from './history-file.ts';

const deleteForMs = 12;
/** Of a run's output at once; freeing a long piece takes its time, too. */
const chunksAtOnce = 32;
const bytesAtOnce = 1024 * 1024;

/** Rows that go, oldest first, and where the look ended. */
export interface OldRows {
  readonly go: readonly RowPosition[];
  /** Absent when nothing is left to look at. */
  readonly lookedTo?: RowPosition;
}

const position = { tick: z.int(), id: z.string() };
const positionSchema = z.object(position);
const oldRowSchema = z.object({
  ...position,
  state: z.string(),
  endedAt: z
    .int()
    .nullable()
    .catch(null)
    .transform((endedAt) => endedAt ?? undefined),
});
const chunkSchema = z.object({ seq: z.int(), length: z.int() });
const useSchema = z.object({
  bytes: z.int(),
  freeBytes: z.int(),
  rows: z.int(),
  oldestTick: z.int().nullable(),
});

export const nextJobSql = `
  SELECT min(r.job) AS job FROM rows AS r INDEXED BY rows_by_job WHERE r.job > ?`;

export function nextJob(file: HistoryFile, after: string): string | undefined {
  const found = z
    .array(z.object({ job: z.string().nullable() }))
    .parse(file.all(nextJobSql, [after]));
  return found[0]?.job ?? undefined;
}

/** The newest row over the count. */
export const beyondSql = `
  SELECT r.tick, r.id FROM rows AS r INDEXED BY rows_by_job
  WHERE r.job = ? ORDER BY r.tick DESC, r.id DESC LIMIT 1 OFFSET ?`;

export const lastFailureSql = `
  SELECT r.tick, r.id FROM rows AS r INDEXED BY rows_by_job
  WHERE r.job = ? AND r.state IN (${failureStates.map((state) => `'${state}'`).join(', ')})
  ORDER BY r.tick DESC, r.id DESC LIMIT 1`;

export const oldRowsSql = `
  SELECT r.tick, r.id, r.state,
    CASE WHEN json_valid(r.parts) THEN coalesce(
      json_extract(r.parts, '$.verdict.value.at'),
      json_extract(r.parts, '$.ownLost.value.endedAt'),
      json_extract(r.parts, '$.end.value.endedAt'),
      json_extract(r.parts, '$.restored.value.at'),
      json_extract(r.parts, '$.notRun.at')) END AS endedAt
  FROM rows AS r INDEXED BY rows_by_job
  WHERE r.job = ? AND (r.tick, r.id) > (?, ?) AND (r.tick, r.id) <= (?, ?)
  ORDER BY r.tick, r.id LIMIT ?`;

export function oldRows(file: HistoryFile, { job, rule, after, limit }: PruneAsk): OldRows {
  const [beyond] = z.array(positionSchema).parse(file.all(beyondSql, [job, rule.maxRows]));
  const to = lastToLookAt(rule, beyond);
  const values = [job, after?.tick ?? -1, after?.id ?? '', to.tick, to.id, limit];
  const found: OldRow[] = z.array(oldRowSchema).parse(file.all(oldRowsSql, values));
  const lastFailure = holdsFailure(found, rule)
    ? z.array(positionSchema).parse(file.all(lastFailureSql, [job]))[0]?.id
    : undefined;
  const go = rowsToPrune(found, rule, beyond, lastFailure).map(({ tick, id }) => ({ tick, id }));
  const last = found.at(-1);
  return last === undefined || found.length < limit
    ? { go }
    : { go, lookedTo: { tick: last.tick, id: last.id } };
}

export const chunksOfSql = `
  SELECT rowid AS seq, length(data) AS length FROM output WHERE run_id = ? LIMIT ${chunksAtOnce}`;
const deleteChunks = 'DELETE FROM output WHERE rowid IN (SELECT value FROM json_each(?))';
export const deleteRowSql = 'DELETE FROM rows WHERE id = ?';

/** Deletes the first of these, as many as there is time for. `rows` of them are done. */
export function deleteRows(
  file: HistoryFile,
  ids: readonly string[],
): { rows: number; chunks: number } {
  const endMs = performance.now() + deleteForMs;
  const done = { rows: 0, chunks: 0 };
  file.inTransaction(() => {
    for (const id of ids) {
      for (;;) {
        if (performance.now() > endMs) return;
        const deleted = deleteSomeOutput(file, id);
        done.chunks += deleted;
        if (deleted === 0) break;
      }
      file.run(deleteRowSql, [id]);
      done.rows += 1;
    }
  });
  return done;
}

function deleteSomeOutput(file: HistoryFile, runId: string): number {
  const some: number[] = [];
  let bytes = 0;
  for (const { seq, length } of z.array(chunkSchema).parse(file.all(chunksOfSql, [runId]))) {
    if (some.length > 0 && bytes + length > bytesAtOnce) break;
    some.push(seq);
    bytes += length;
  }
  if (some.length > 0) file.run(deleteChunks, [JSON.stringify(some)]);
  return some.length;
}

const useSql = `
  SELECT
    (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size) AS bytes,
    (SELECT freelist_count FROM pragma_freelist_count) * (SELECT page_size FROM pragma_page_size)
      AS freeBytes,
    (SELECT count(*) FROM rows) AS rows,
    (SELECT min(tick) FROM rows) AS oldestTick`;

/** Counts all rows: not for a thread that others wait for. */
export function storageUse(file: HistoryFile, path: string): StorageUse {
  const [use] = z.array(useSchema).parse(file.all(useSql, []));
  if (use === undefined) throw new Error('no answer about the size of the file');
  const { oldestTick, ...rest } = use;
  const logBytes = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  return {
    ...rest,
    bytes: rest.bytes + logBytes,
    ...(oldestTick === null ? {} : { oldestTick }),
  };
}

const problemSchema = z.object({ integrity_check: z.string() });

/** Reads the whole file. */
export function integrityProblems(file: HistoryFile): string[] {
  return z
    .array(problemSchema)
    .parse(file.all('PRAGMA integrity_check(20)', []))
    .map((found) => found.integrity_check)
    .filter((problem) => problem !== 'ok');
}
