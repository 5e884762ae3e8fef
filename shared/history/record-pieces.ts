/**
 * Cuts a list of records into the pieces that are written at once: small enough that a
 * transaction stays short, and that preparing one never holds the caller's thread for long.
 */
import type { HistoryRecord } from './records.ts';

const maxPieceRecords = 500;
const maxPieceBytes = 2 * 1024 * 1024;

export interface RecordPiece {
  /** Index of the first record in the caller's list. */
  readonly first: number;
  readonly records: readonly HistoryRecord[];
}

export function* piecesOf(records: readonly HistoryRecord[]): Generator<RecordPiece, void> {
  let first = 0;
  let bytes = 0;
  for (const [index, record] of records.entries()) {
    const recordBytes = record.kind === 'output' ? record.data.length : 0;
    const full = index - first >= maxPieceRecords || bytes + recordBytes > maxPieceBytes;
    if (full && index > first) {
      yield { first, records: records.slice(first, index) };
      first = index;
      bytes = 0;
    }
    bytes += recordBytes;
  }
  if (first < records.length) yield { first, records: records.slice(first) };
}
