/**
 * The one port to history. Adapters: MongoDB (a fleet) and SQLite (one machine). Calls never block
 * the caller's thread and throw `store-unavailable` (retryable) or `store-rejected`.
 */
import type { Component } from '../lifecycle.ts';
import type { PruneAsk, PruneStep, StorageUse } from './prune.ts';
import type { HistoryRecord, HistoryRow, Outcome, OutputChunk } from './records.ts';
import type {
  CountsQuery,
  DayCounts,
  DayCountsQuery,
  DurationsQuery,
  JobCounts,
  JobDurations,
} from './stats.ts';

export interface RunsQuery {
  readonly jobs?: readonly string[];
  readonly groups?: readonly string[];
  readonly workers?: readonly string[];
  /** 'running' selects rows without an outcome. */
  readonly outcomes?: readonly (Outcome | 'running')[];
  /** Tick window, epoch ms: from inclusive, to exclusive. */
  readonly from?: number;
  readonly to?: number;
  /** By tick. Default 'desc'. */
  readonly order?: 'asc' | 'desc';
  /** 1 to 1,000. */
  readonly limit: number;
  /** Opaque, from an earlier page. */
  readonly cursor?: string;
}

export interface RunsPage {
  readonly items: readonly HistoryRow[];
  readonly nextCursor?: string;
}

export interface HistoryStore extends Component {
  /** Takes all of `records` or throws; harmless to repeat; order within one call is kept. */
  ingest(records: readonly HistoryRecord[]): Promise<void>;
  listRuns(query: RunsQuery): Promise<RunsPage>;
  getRun(id: string): Promise<HistoryRow | undefined>;
  /** The newest `limit` rows of each job in one call, newest first. */
  lastRuns(
    jobs: readonly string[],
    limit: number,
  ): Promise<ReadonlyMap<string, readonly HistoryRow[]>>;
  /** Chunks from the one that holds byte `fromOffset`, whole chunks, at most about `maxBytes`. */
  readOutput(runId: string, fromOffset: number, maxBytes: number): Promise<readonly OutputChunk[]>;
  /** The byte after the last one that is stored of the run's output; 0 when there is none. */
  outputEnd(runId: string): Promise<number>;
  /** Rows by job and state, in order of names; jobs without rows in the window are left out. */
  countByJob(query: CountsQuery): Promise<readonly JobCounts[]>;
  /** Rows by day and state, oldest first; days without rows are left out. */
  countByDay(query: DayCountsQuery): Promise<readonly DayCounts[]>;
  /** How long each job's newest runs took, in the order of `jobs`. */
  durations(query: DurationsQuery): Promise<readonly JobDurations[]>;
  /** The first job after `after`, in order of names, that has rows. */
  nextJob(after: string): Promise<string | undefined>;
  /**
   * Deletes some of what the rule does not keep of a job, and its output, oldest first: so little that
   * no other write waits for it for long. To be called again with `next` while there is one.
   */
  prune(ask: PruneAsk): Promise<PruneStep>;
  /** May take seconds, and holds nobody up. */
  storageUse(): Promise<StorageUse>;
  /** What is damaged in the store, by reading all of it: nothing where the store sees to that itself. */
  check(): Promise<readonly string[]>;
  /** Throws when the store cannot be used now. */
  ping(): Promise<void>;
}
