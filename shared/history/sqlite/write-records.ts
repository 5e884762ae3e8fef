/**
 * Records into the history file: one short transaction, output before rows, so that whoever sees a
 * run ended finds all of its output that came with it.
 */
import { z } from 'zod';
import type { HistoryRecord } from '../records.ts';
import {
  foldRows,
  indexFieldsOf,
  mergeParts,
  rowPartsSchema,
  type RowParts,
} from '../row-parts.ts';
import type { HistoryFile } from './history-file.ts';

const storedSchema = z.object({ parts: z.string() });

const insertChunk = `
  INSERT INTO output (run_id, first_byte, stream, at, data) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (run_id, first_byte) DO NOTHING`;
const selectParts = 'SELECT parts FROM rows WHERE id = ?';
const upsertRow = `
  INSERT INTO rows (id, job, job_group, worker, tick, state, parts) VALUES (?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET
    job = excluded.job, job_group = excluded.job_group, worker = excluded.worker,
    tick = excluded.tick, state = excluded.state, parts = excluded.parts`;

export function writeRecords(file: HistoryFile, records: readonly HistoryRecord[]): void {
  file.inTransaction(() => {
    for (const record of records) {
      if (record.kind !== 'output') continue;
      const { runId, offset, stream, at, data } = record;
      file.run(insertChunk, [runId, offset, stream, at, data]);
    }
    const rows = foldRows(records.filter((record) => record.kind !== 'output'));
    for (const [id, parts] of rows) writeRow(file, id, parts);
  });
}

function writeRow(file: HistoryFile, id: string, parts: RowParts): void {
  const [stored] = z.array(storedSchema).parse(file.all(selectParts, [id]));
  // Throws when the row was damaged: overwriting it could lose what it held.
  const merged = stored === undefined ? parts : mergeParts(parsePartsText(stored.parts), parts);
  const { job, group, worker, tick, state } = indexFieldsOf(merged);
  file.run(upsertRow, [id, job, group, worker, tick, state, JSON.stringify(merged)]);
}

/** The `parts` column. */
export function parsePartsText(text: string): RowParts {
  return rowPartsSchema.parse(JSON.parse(text));
}
