/**
 * What the SQLite thread is asked and what it answers. Output bytes travel packed in one
 * ArrayBuffer that is handed over, not copied: the caller's own Buffers are never detached, and a
 * small Buffer never drags the big allocation along that it is a slice of.
 */
import type { HistoryRecord, HistoryRow, OutputChunk } from '../records.ts';
import type { ErrorCode } from '../../errors.ts';
import type { RowRecord } from '../row-parts.ts';
import type { PruneAsk, StorageUse } from '../prune.ts';
import type { OutputRange, RowsFilter } from '../runs-query.ts';
import type { CountedRows, CountsAsk, DayCountsAsk, DurationsAsk, TimedRun } from '../stats.ts';
import type { OldRows } from './prune-rows.ts';

type OutputRecord = Extract<HistoryRecord, { kind: 'output' }>;

export interface PackedRecords {
  /** Output records carry the length of their data; the bytes stand in `bytes`, in order. */
  readonly records: readonly (RowRecord | (Omit<OutputRecord, 'data'> & { length: number }))[];
  readonly bytes: ArrayBuffer;
}

export interface PackedChunks {
  readonly chunks: readonly (Omit<OutputChunk, 'data'> & { readonly length: number })[];
  readonly bytes: ArrayBuffer;
}

/** Rows that could not be read back are left out and named. */
export interface RowsAnswer {
  readonly rows: readonly HistoryRow[];
  readonly unreadable: readonly string[];
  readonly nextCursor?: string;
}

export interface SqliteCalls {
  ping: { ask: null; answer: null };
  ingest: { ask: PackedRecords; answer: null };
  listRuns: { ask: RowsFilter; answer: RowsAnswer };
  getRun: { ask: string; answer: RowsAnswer };
  lastRuns: { ask: { jobs: readonly string[]; limit: number }; answer: RowsAnswer };
  readOutput: { ask: OutputRange; answer: PackedChunks };
  outputEnd: { ask: string; answer: number };
  countJobs: { ask: CountsAsk; answer: readonly CountedRows<string>[] };
  countDays: { ask: DayCountsAsk; answer: readonly CountedRows<number>[] };
  timedRuns: { ask: DurationsAsk; answer: readonly TimedRun[] };
  nextJob: { ask: string; answer: string | undefined };
  oldRows: { ask: PruneAsk; answer: OldRows };
  deleteRows: { ask: readonly string[]; answer: { rows: number; chunks: number } };
  storageUse: { ask: null; answer: StorageUse };
  check: { ask: null; answer: readonly string[] };
  close: { ask: null; answer: null };
}

export type CallName = keyof SqliteCalls;

export type ThreadRequest = {
  [Name in CallName]: {
    readonly serial: number;
    readonly call: Name;
    readonly ask: SqliteCalls[Name]['ask'];
  };
}[CallName];

export type ThreadReply =
  | { readonly serial: number; readonly answer: unknown }
  | { readonly serial: number; readonly error: { code: ErrorCode; message: string } };

export function packRecords(records: readonly HistoryRecord[]): PackedRecords {
  const packed: PackedRecords['records'][number][] = [];
  const buffers: Uint8Array[] = [];
  for (const record of records) {
    if (record.kind === 'output') {
      const { data, ...rest } = record;
      buffers.push(data);
      packed.push({ ...rest, length: data.length });
    } else {
      packed.push(record);
    }
  }
  return { records: packed, bytes: joined(buffers) };
}

export function unpackRecords(packed: PackedRecords): HistoryRecord[] {
  let position = 0;
  return packed.records.map((record) => {
    if (record.kind !== 'output') return record;
    const { length, ...rest } = record;
    const data = Buffer.from(packed.bytes, position, length);
    position += length;
    return { ...rest, data };
  });
}

export function packChunks(chunks: readonly OutputChunk[]): PackedChunks {
  return {
    chunks: chunks.map(({ data, ...rest }) => ({ ...rest, length: data.length })),
    bytes: joined(chunks.map(({ data }) => data)),
  };
}

export function unpackChunks(packed: PackedChunks): OutputChunk[] {
  let position = 0;
  return packed.chunks.map(({ length, ...rest }) => {
    const data = Buffer.from(packed.bytes, position, length);
    position += length;
    return { ...rest, data };
  });
}

function joined(buffers: readonly Uint8Array[]): ArrayBuffer {
  const length = buffers.reduce((total, buffer) => total + buffer.length, 0);
  const bytes = new Uint8Array(length);
  let position = 0;
  for (const buffer of buffers) {
    bytes.set(buffer, position);
    position += buffer.length;
  }
  return bytes.buffer;
}
