/**
 * Tells the workers whose output somebody watches: `watch/<runId>`, put when the first client of this
 * master begins to watch and again every few seconds, on a lease, so that it goes by itself when the
 * last watcher has gone or this master has died. Masters share the key of a run; nobody deletes it. A
 * run that is not watched costs nothing. A mark that cannot be put only makes the output slower.
 */
import type { Clock } from '../../shared/clock.ts';
import { PassingLease } from '../../shared/etcd/passing-lease.ts';
import type { Etcd } from '../../shared/etcd/port.ts';
import type { Logger } from '../../shared/log.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import { markWatched } from '../../shared/protocol/watch.ts';

/** A mark lives from this to twice this. */
const leaseSeconds = 15;
const againMs = 10_000;
/** Of one master; the output of more of them is as quick as that of runs which nobody watches. */
const maxMarks = 200;

export class WatchMarks {
  readonly #etcd: Etcd;
  readonly #keys: Keys;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #lease: PassingLease;
  /** By run: the timer of the next put. */
  readonly #marks = new Map<string, () => void>();

  constructor(etcd: Etcd, keys: Keys, clock: Clock, logger: Logger) {
    this.#etcd = etcd;
    this.#keys = keys;
    this.#clock = clock;
    this.#logger = logger;
    this.#lease = new PassingLease(etcd, clock, leaseSeconds);
  }

  hold(runId: string): void {
    if (this.#marks.has(runId) || this.#marks.size >= maxMarks) return;
    this.#put(runId);
  }

  release(runId: string): void {
    this.#marks.get(runId)?.();
    this.#marks.delete(runId);
  }

  stop(): void {
    for (const cancel of this.#marks.values()) cancel();
    this.#marks.clear();
  }

  #put(runId: string): void {
    this.#marks.set(
      runId,
      this.#clock.after(againMs, () => this.#put(runId)),
    );
    this.#lease
      .with((leaseId) => this.#etcd.txn(markWatched(this.#keys, runId, leaseId)))
      .catch((error: unknown) => {
        this.#logger.debug({ err: error, runId }, 'the workers could not be told who watches');
      });
  }
}
