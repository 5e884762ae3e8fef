/**
 * Sweeps the tombstones of deleted jobs that are older than any trigger of theirs could be. A heap knows
 * which is due when, so that nothing is scanned; it is looked at once a minute. Of those that are due,
 * the worker whose rank comes first takes them in that look and every other one a look later for each
 * rank, a bounded number at a time; deletions in bulk are spread over an hour.
 */
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/log.ts';
import type { JobParts, MeshView } from '../../shared/mesh/view.ts';
import { deletedSchedule } from '../../shared/protocol/cursor.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import { sweepTombstone, tombstoneLifeMs } from '../../shared/protocol/sweep.ts';
import { DueHeap } from '../schedule/due-heap.ts';
import { hash32, staggerMs } from '../schedule/rank.ts';
import type { TxnBatcher } from './txn-batcher.ts';

const mostAtATime = 100;
const nextHelpingMs = 1_000;
/** By then a worker has usually verified its clock. */
const firstLookMs = 5_000;

export interface TombstonesOptions {
  readonly keys: Keys;
  readonly view: MeshView;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly batcher: TxnBatcher;
  /** Default: longer than any trigger lives. A shorter one is for tests. */
  readonly lifeMs?: number | undefined;
  /** This worker's session; undefined: it sweeps nothing. */
  sessionId(): string | undefined;
  /** Its clock is verified, among other things: the age is told by it. */
  canDecide(): boolean;
  delayMs(job: string, subject: string): number;
}

export class Tombstones {
  readonly #options: TombstonesOptions;
  readonly #lifeMs: number;
  readonly #spreadMs: number;
  readonly #lookEveryMs: number;
  readonly #due = new DueHeap();
  readonly #stopView: () => void;
  #cancel: (() => void) | undefined;

  constructor(options: TombstonesOptions) {
    this.#options = options;
    this.#lifeMs = options.lifeMs ?? tombstoneLifeMs;
    this.#spreadMs = Math.ceil(this.#lifeMs / 72);
    this.#lookEveryMs = Math.min(60_000, this.#lifeMs / 30);
    const { view } = options;
    this.#noteAll();
    this.#stopView = view.onChange((change) => {
      if (change.type === 'resync') this.#noteAll();
      else if (change.key.kind === 'cursor')
        this.#note(change.key.name, view.part(change.key.name));
    });
  }

  start(): void {
    this.#after(Math.min(firstLookMs, this.#lookEveryMs));
  }

  stop(): void {
    this.#cancel?.();
    this.#stopView();
  }

  #after(delayMs: number): void {
    this.#cancel = this.#options.clock.after(delayMs, () => {
      this.#after(this.#look() ? nextHelpingMs : this.#lookEveryMs);
    });
  }

  #noteAll(): void {
    const { parts } = this.#options.view.snapshot;
    for (const name of this.#due.names()) if (!parts.has(name)) this.#due.delete(name);
    for (const [name, part] of parts) this.#note(name, part);
  }

  #note(name: string, part: JobParts | undefined): void {
    const cursor = part?.cursor?.cursor;
    if (cursor?.schedule === deletedSchedule) this.#due.set(name, this.#dueMs(name, cursor.tick));
    else this.#due.delete(name);
  }

  #dueMs(name: string, tick: number): number {
    return tick + this.#lifeMs + (hash32(name) % this.#spreadMs);
  }

  /** True when there may be more that is due. */
  #look(): boolean {
    const { view, clock } = this.#options;
    const sessionId = this.#options.sessionId();
    if (sessionId === undefined || !view.isConnected || !this.#options.canDecide()) return false;
    const nowMs = clock.wallMs();
    for (let left = mostAtATime; left > 0; left--) {
      const name = this.#due.take(nowMs);
      if (name === undefined) return false;
      // Comes back with the next look but one, if the tombstone is still there then.
      this.#due.set(name, nowMs + 2 * this.#lookEveryMs);
      const part = view.part(name);
      if (part !== undefined) this.#consider(part, nowMs, sessionId);
    }
    return true;
  }

  #consider(part: JobParts, nowMs: number, sessionId: string): void {
    const { name, cursor } = part;
    if (part.entry !== undefined || cursor?.cursor === undefined) return;
    if (part.fires.size + part.triggers.size + part.dones.size > 0) return;
    const rank = this.#options.delayMs(name, 'sweep') / staggerMs;
    const turnMs = this.#dueMs(name, cursor.cursor.tick) + rank * this.#lookEveryMs;
    if (nowMs < turnMs) this.#due.set(name, turnMs);
    else void this.#sweep(name, cursor.raw, sessionId);
  }

  async #sweep(name: string, cursorRaw: string, sessionId: string): Promise<void> {
    const { keys, batcher, logger } = this.#options;
    try {
      const txn = sweepTombstone({ keys, name, cursorRaw, sessionId });
      const { result } = await batcher.submit(name, txn);
      if (result.succeeded) logger.info({ job: name }, 'tombstone swept');
    } catch (error) {
      logger.warn({ err: error, job: name }, 'tombstone could not be swept; will be tried again');
    }
  }
}
