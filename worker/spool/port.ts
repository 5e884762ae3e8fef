/**
 * The worker's on-disk queue of history not yet in the store. What append() or hold() resolved for
 * survives SIGKILL and a power cut, and reaches the store at least once, in order; the store's
 * idempotency makes that once. A held entry (a run's end whose completion is not settled in etcd
 * yet) goes to the store only after release(); held entries of an earlier life come back at start.
 */
import type { Component } from '../../shared/lifecycle.ts';
import type { HistoryRecord } from '../../shared/history/records.ts';

export interface HeldEntry {
  readonly id: string;
  readonly records: readonly HistoryRecord[];
  /** What the worker needs to finish the completion after a restart; JSON. */
  readonly completion: unknown;
}

export interface SpoolState {
  /** Bytes on disk not yet acknowledged by the store. */
  readonly pendingBytes: number;
  readonly pendingRecords: number;
  readonly maxBytes: number;
  /** Records that the store refused, or that nobody understands; in a file for a person to look at. */
  readonly rejectedRecords: number;
  /** False when nearly full or the disk fails: nothing is claimed then. Running runs may still append. */
  readonly accepting: boolean;
  readonly reason?: string;
  /** Epoch ms of the last successful ingest, and the last failure in words when draining fails now. */
  readonly lastDrainedAt?: number;
  readonly drainError?: string;
}

export interface Spool extends Component {
  /** Resolves when on disk (group commit: one fdatasync for all that waits). */
  append(records: readonly HistoryRecord[]): Promise<void>;
  hold(entry: HeldEntry): Promise<void>;
  /** Lets a held entry go to the store, together with `extra` records. Unknown ids are ignored. */
  release(id: string, extra?: readonly HistoryRecord[]): Promise<void>;
  /** Held entries found on disk at start, oldest first, that nobody released yet. */
  held(): readonly HeldEntry[];
  state(): SpoolState;
  /** Until the returned function is called, what is on disk goes to the store at once. */
  hurry(): () => void;
  /** Resolves when everything released is in the store, or the signal aborts. */
  drained(signal: AbortSignal): Promise<void>;
}
