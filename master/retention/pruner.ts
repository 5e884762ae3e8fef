/**
 * Prunes history, at any number of masters with nobody in charge: each looks every minute whether a
 * round is due, and who announces one first does it. Two that do it at once delete nothing that one
 * alone would not. A round is due ten minutes after the last one, and soon after the setting, or a job
 * that has a rule of its own, was changed. None is begun while this master does not see etcd as it is,
 * or does not know the fleet's time: a rule that was read wrongly deletes for ever.
 */
import type { Random } from '../../shared/clock.ts';
import { CronmeshError, isCronmeshError } from '../../shared/errors.ts';
import type { EtcdKv } from '../../shared/etcd/port.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import type { Component } from '../../shared/lifecycle.ts';
import type { Logger } from '../../shared/log.ts';
import type { MeshChange } from '../../shared/mesh/view.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import {
  putPruned,
  readRetention,
  type PrunedValue,
  type StoredRetention,
} from '../../shared/protocol/retention.ts';
import type { FleetTime } from '../live/fleet-time.ts';
import type { MeshLink } from '../live/mesh-link.ts';
import { pruneRound } from './prune-round.ts';

const lookEveryMs = 60_000;
const roundEveryMs = 600_000;
const afterChangeMs = 1_000;
/** Between two rounds, whatever is changed. */
const minGapMs = 5_000;
/** A mesh so large that a round takes long has fewer of them: it rests for so many times as long. */
const restFactor = 20;
const restAfterChangeFactor = 2;
/** A round that takes long says so again, or another master takes it for dead. */
const announceEveryMs = 120_000;

export interface PrunerDeps {
  readonly etcd: EtcdKv;
  readonly keys: Keys;
  readonly link: MeshLink;
  readonly store: Pick<HistoryStore, 'nextJob' | 'prune'>;
  readonly clock: FleetTime;
  readonly random: Random;
  readonly logger: Logger;
  /** After a round of this master, with what it deleted. */
  onRound(rows: number): void;
}

export class Pruner implements Component {
  readonly #deps: PrunerDeps;
  readonly #stopping = new AbortController();
  #unsubscribe: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  /** Revision of the newest change that asks for a round. */
  #changed = 0;
  #isTold = false;

  constructor(deps: PrunerDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { link, random } = this.#deps;
    this.#unsubscribe ??= link.view.onChange((change) => {
      if (!this.#asksForRound(change)) return;
      this.#changed = link.view.revision;
      this.#lookIn(afterChangeMs);
    });
    // Masters that were started together do not look together.
    this.#lookIn(afterChangeMs + random() * minGapMs);
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#cancelLook?.();
    this.#stopping.abort();
    await this.#looking;
  }

  #asksForRound(change: MeshChange): boolean {
    if (change.type === 'resync') return false;
    const { key } = change;
    if (key.kind === 'setting') return key.id === 'history';
    if (key.kind !== 'job') return false;
    const entry = this.#deps.link.view.part(key.name)?.entry;
    return entry?.ok === true && entry.job.history !== undefined;
  }

  #lookIn(delayMs: number): void {
    if (this.#stopping.signal.aborted) return;
    this.#cancelLook?.();
    this.#cancelLook = this.#deps.clock.after(delayMs, () => {
      // A round is under way: what was changed meanwhile is seen when it has ended.
      this.#looking ??= this.#look()
        .catch((error: unknown) => this.#noteFailure(error))
        .then((waitMs) => {
          this.#looking = undefined;
          this.#lookIn(waitMs ?? lookEveryMs);
        });
    });
  }

  #noteFailure(error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    this.#deps.logger.warn({ err: error }, 'history could not be pruned now');
  }

  /** Answers when to look again, if that is sooner than usual. */
  async #look(): Promise<number | undefined> {
    if (!this.#isSure()) return undefined;
    const { etcd, keys, link, clock } = this.#deps;
    const seen = link.view.revision;
    const stored = await readRetention(etcd, keys);
    if (!this.#isReadable(stored)) return undefined;
    const waitMs = dueInMs(stored.pruned, this.#changed, clock.wallMs());
    if (waitMs > 0) return Math.min(waitMs, lookEveryMs);
    const { last } = stored.pruned ?? {};
    const turn = new Turn(this.#deps, stored.prunedRevision, {
      seen,
      ...(last === undefined ? {} : { last }),
    });
    if (await turn.announce()) await this.#round(turn);
    return this.#changed > seen ? minGapMs : undefined;
  }

  async #round(turn: Turn): Promise<void> {
    const { etcd, keys, link, store, clock, logger } = this.#deps;
    const begunMs = clock.monotonicMs();
    // Read after the turn was announced: a change since then asks for another round.
    const { retention } = await readRetention(etcd, keys);
    if (retention === undefined) return;
    const counts = await pruneRound(
      {
        store,
        clock,
        retention,
        entryOf: (job) => link.view.part(job)?.entry,
        goOn: async () => {
          if (!this.#isSure()) {
            throw new CronmeshError('etcd-unavailable', 'etcd or the time is in doubt');
          }
          await turn.keep();
        },
      },
      this.#stopping.signal,
    );
    const tookMs = Math.round(clock.monotonicMs() - begunMs);
    await turn.announce({ ...counts, tookMs, endedAt: clock.wallMs() });
    const level = counts.rows > 0 ? 'info' : 'debug';
    logger[level]({ ...counts, tookMs }, 'history pruned');
    this.#deps.onRound(counts.rows);
  }

  #isSure(): boolean {
    const { link, clock } = this.#deps;
    return link.status.etcd === 'ok' && link.restoreReason === undefined && clock.isKnown;
  }

  #isReadable({ retention }: StoredRetention): boolean {
    const isReadable = retention !== undefined;
    if (!isReadable && !this.#isTold) {
      const key = this.#deps.keys.setting('history');
      this.#deps.logger.warn({ key }, 'what is kept of history cannot be read: all of it is kept');
    }
    this.#isTold = !isReadable;
    return isReadable;
  }
}

/** 0 or less: now. `changed` is the revision of the newest change that asks for a round. */
export function dueInMs(pruned: PrunedValue | undefined, changed: number, nowMs: number): number {
  // What is begun in the future was so by a clock that was wrong.
  if (pruned === undefined || pruned.begunAt > nowMs + roundEveryMs) return 0;
  const tookMs = pruned.last?.tookMs ?? 0;
  const everyMs =
    changed > pruned.seen
      ? Math.max(minGapMs, tookMs * restAfterChangeFactor)
      : Math.max(roundEveryMs, tookMs * restFactor);
  return pruned.begunAt + everyMs - nowMs;
}

/** The announcement of a round, for as long as it is this master's. */
class Turn {
  readonly #deps: PrunerDeps;
  #revision: number;
  #value: Pick<PrunedValue, 'seen' | 'last'>;
  #announcedMs = -Infinity;

  constructor(deps: PrunerDeps, revision: number, value: Pick<PrunedValue, 'seen' | 'last'>) {
    this.#deps = deps;
    this.#revision = revision;
    this.#value = value;
  }

  /** False when another master has it. */
  async announce(last?: PrunedValue['last']): Promise<boolean> {
    const { etcd, keys, clock } = this.#deps;
    this.#value = { ...this.#value, ...(last === undefined ? {} : { last }) };
    const value = { v: 1, begunAt: clock.wallMs(), ...this.#value } as const;
    try {
      const put = await etcd.txn(putPruned(keys, this.#revision, value));
      if (put.succeeded) this.#revision = put.revision;
      this.#announcedMs = clock.monotonicMs();
      return put.succeeded;
    } catch (error) {
      if (isCronmeshError(error, 'unknown-result')) return false;
      throw error;
    }
  }

  /** Throws `conflict` when another master has taken it. */
  async keep(): Promise<void> {
    if (this.#deps.clock.monotonicMs() - this.#announcedMs < announceEveryMs) return;
    if (await this.announce()) return;
    throw new CronmeshError('conflict', 'another master goes on with the round');
  }
}
