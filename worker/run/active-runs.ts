/**
 * The runs this worker has in hand, from the won claim to the settled completion. It starts them
 * (transaction 3), kills them on orders (15), takes them along into a new session (10) and ends them
 * (7): outcome on disk and held, then the completion, then release to the store, always. Output that
 * somebody watches goes to the store without waiting for company.
 */
import type { Clock, Random } from '../../shared/clock.ts';
import type { EtcdKv } from '../../shared/etcd/port.ts';
import type { Session } from '../../shared/etcd/session.ts';
import type { RanOutcome } from '../../shared/history/records.ts';
import { isGuarded } from '../../shared/job/limits.ts';
import type { Logger } from '../../shared/log.ts';
import type { MeshView } from '../../shared/mesh/view.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import { standsAgainst } from '../../shared/protocol/kill.ts';
import type { Executor, RunHandle } from '../executor/port.ts';
import type { TxnBatcher } from '../mesh/txn-batcher.ts';
import type { WonFire } from '../schedule/fire-claims.ts';
import type { Spool } from '../spool/port.ts';
import { Completer } from './completer.ts';
import { confirmStart, type StartVerdict } from './confirm-start.ts';
import { endOfResult, factsOf, lostEnd } from './run-records.ts';
import { runEnvironment } from './environment.ts';
import { reown } from './reown.ts';

export interface ActiveRunsOptions {
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly etcd: Pick<EtcdKv, 'txn'>;
  readonly batcher: TxnBatcher;
  readonly executor: Executor;
  readonly spool: Spool;
  readonly session: Session;
  readonly view: MeshView;
  readonly signal: AbortSignal;
  readonly baseEnvironment: Readonly<Record<string, string>>;
  readonly workDirectory: string;
  /** A run was started or is over: a slot may be free. */
  onChange(): void;
  /** A run is over, and its end settled. */
  onEnded(job: string, runId: string, outcome: RanOutcome): void;
}

export interface ActiveRun {
  readonly won: WonFire;
  /** mod revision of the fire as this worker last wrote it. */
  fireModRevision: number;
  fire: WonFire['fire'];
  handle: RunHandle | undefined;
  /** Orders of a later revision stand against it. */
  ordersAfter: number;
  /** An order that came before the start. */
  killReason: string | undefined;
  /** Its processes are gone; its end is being settled. */
  hasEnded: boolean;
  outcome: RanOutcome | undefined;
}

/** A claim older than this is confirmed again before its run starts. */
const confirmAfterMs = 1_000;

export class ActiveRuns {
  readonly #options: ActiveRunsOptions;
  readonly #runs = new Map<string, ActiveRun>();
  readonly #completer: Completer;
  /** Slots promised to claims that are under way. */
  #promised = 0;
  /** Runs whose processes are gone, and whose ends are being settled. */
  #ended = 0;
  #isOpened = false;
  #relaxSpool: (() => void) | undefined;

  constructor(options: ActiveRunsOptions) {
    this.#options = options;
    this.#completer = new Completer(options);
  }

  get size(): number {
    return this.#runs.size;
  }

  has(runId: string): boolean {
    return this.#runs.has(runId);
  }

  /** Runs whose processes are there, or are about to be. */
  get running(): number {
    return this.#runs.size - this.#ended;
  }

  /**
   * A slot is a process's: it is free while the end of its run is on its way to disk and etcd. As
   * many ends as there are slots may be on that way, so that a slow disk holds the claims up.
   */
  freeSlots(): number {
    const { slots } = this.#options.executor;
    return Math.min(slots - this.running, 2 * slots - this.#runs.size) - this.#promised;
  }

  takeSlot(): boolean {
    if (this.freeSlots() <= 0) return false;
    this.#promised++;
    return true;
  }

  giveSlotBack(): void {
    this.#promised--;
    this.#options.onChange();
  }

  /** Decisions may be made from here on: for the first time, or again after a restore of etcd. */
  opened(since: number | undefined): void {
    if (!this.#isOpened) {
      this.#isOpened = true;
      this.#resumeHeld();
    } else if (since !== undefined) {
      // Their claims are of another state: whatever is ordered in this one is newer.
      for (const run of this.#runs.values()) run.ordersAfter = Math.min(run.ordersAfter, since);
    }
    const { session } = this.#options;
    if (session.id !== undefined) void this.reownAll(session.id);
  }

  /** Ends of an earlier life that were on disk before their completion was settled. */
  #resumeHeld(): void {
    const { spool, logger } = this.#options;
    for (const entry of spool.held()) {
      this.#completer.resume(entry).catch((error: unknown) => {
        logger.warn({ err: error, runId: entry.id }, 'a held end is left for the next start');
      });
    }
  }

  start(won: WonFire): void {
    this.#promised--;
    const run: ActiveRun = {
      won,
      fireModRevision: won.claimRevision,
      fire: won.fire,
      handle: undefined,
      ordersAfter: won.claimRevision,
      killReason: undefined,
      hasEnded: false,
      outcome: undefined,
    };
    this.#runs.set(won.fire.runId, run);
    void this.#live(run).catch((error: unknown) => {
      this.#options.logger.error({ err: error, ...logFields(run) }, 'run failed inside the worker');
    });
  }

  /** Applies the orders that stand in the view against runs of `name`. */
  applyOrders(name: string): void {
    const orders = this.#options.view.part(name)?.orders;
    if (orders === undefined || orders.size === 0) return;
    for (const run of this.#runs.values()) {
      if (run.won.entry.name !== name) continue;
      for (const order of [orders.get(''), orders.get(run.fire.runId)]) {
        if (order === undefined || !standsAgainst(order.orderRevision, run.ordersAfter)) continue;
        const { by, graceSeconds } = order.value;
        run.killReason ??= `killed by ${by ?? 'an order in etcd'}`;
        run.handle?.kill(
          run.killReason,
          graceSeconds === undefined ? undefined : graceSeconds * 1_000,
        );
      }
    }
  }

  /** Whether somebody watches the run's output may have changed. */
  applyWatch(runId: string): void {
    const run = this.#runs.get(runId);
    if (run === undefined) return;
    run.handle?.hurryOutput(this.#isWatched(runId));
    this.#hurrySpool();
  }

  applyAllWatches(): void {
    for (const [runId, { handle }] of this.#runs) handle?.hurryOutput(this.#isWatched(runId));
    this.#hurrySpool();
  }

  #isWatched(runId: string): boolean {
    return this.#options.view.snapshot.watched.has(runId);
  }

  #hurrySpool(): void {
    const { watched } = this.#options.view.snapshot;
    let isHurried = false;
    for (const runId of watched) isHurried ||= this.#runs.has(runId);
    if (isHurried) this.#relaxSpool ??= this.#options.spool.hurry();
    else {
      this.#relaxSpool?.();
      this.#relaxSpool = undefined;
    }
  }

  applyAllOrders(): void {
    const names = new Set([...this.#runs.values()].map((run) => run.won.entry.name));
    for (const name of names) this.applyOrders(name);
  }

  killAll(reason: string, graceMs?: number): void {
    for (const run of this.#runs.values()) {
      run.killReason ??= reason;
      run.handle?.kill(reason, graceMs);
    }
  }

  /** 10: after a new session, what still runs goes along into it. */
  async reownAll(sessionId: string): Promise<void> {
    await Promise.all(
      [...this.#runs.values()]
        .filter((run) => run.fire.session !== sessionId)
        .map((run) => reown(this.#options, run, sessionId)),
    );
  }

  async #live(run: ActiveRun): Promise<void> {
    const { spool, logger } = this.#options;
    try {
      await this.#startAndWait(run);
    } finally {
      this.#runs.delete(run.fire.runId);
      if (run.hasEnded) this.#ended--;
      if (this.#relaxSpool !== undefined) this.#hurrySpool();
      this.#options.onChange();
      const { outcome, fire } = run;
      if (outcome !== undefined) this.#options.onEnded(run.won.entry.name, fire.runId, outcome);
      logger.debug({ ...logFields(run), spool: spool.state().pendingRecords }, 'run is over');
    }
  }

  async #startAndWait(run: ActiveRun): Promise<void> {
    const verdict = await this.#mayStart(run);
    if (verdict.kind === 'settled') return;
    const facts = factsOf(run.won);
    if (verdict.kind === 'changed') {
      await this.#completer.giveUp(run, verdict.reason);
      return;
    }
    if (verdict.kind === 'refused') {
      const end = lostEnd(verdict.reason, this.#options.clock.wallMs(), verdict.outcome);
      if (await this.#completer.finish(run, facts, end)) run.outcome = end.outcome;
      return;
    }
    const result = await this.#execute(run, verdict.startBy);
    if (result.endedBy === 'refused' && run.killReason === undefined) {
      // Too late for the guardian: look at the claim again, or learn that the session is gone.
      run.handle = undefined;
      await this.#startAndWait(run);
      return;
    }
    const end = endOfResult(result);
    run.hasEnded = true;
    this.#ended++;
    this.#options.onChange();
    if (await this.#completer.finish(run, facts, end)) run.outcome = end.outcome;
  }

  async #mayStart(run: ActiveRun): Promise<StartVerdict> {
    const { session, clock } = this.#options;
    if (session.id !== run.fire.session || !session.alive()) {
      return { kind: 'refused', outcome: 'lost', reason: 'session went away before the start' };
    }
    this.applyOrders(run.won.entry.name);
    if (run.killReason !== undefined) {
      return { kind: 'refused', outcome: 'killed', reason: `${run.killReason} before the start` };
    }
    const { sentAtMs, resent } = run.won;
    const startBy = sentAtMs + confirmAfterMs;
    // The claim itself is fresh enough to start on, once.
    if (!resent && run.handle === undefined && clock.monotonicMs() < startBy) {
      return { kind: 'start', startBy };
    }
    return confirmStart(this.#options, run, confirmAfterMs);
  }

  async #execute(run: ActiveRun, startBy: number): ReturnType<Executor['run']>['result'] {
    const { executor, spool, logger, baseEnvironment, workDirectory } = this.#options;
    const { job } = run.won.entry;
    const facts = factsOf(run.won);
    const quietly = (append: Promise<void>): void => {
      append.catch((error: unknown) => {
        logger.warn({ err: error, ...logFields(run) }, 'output could not be spooled');
      });
    };
    run.handle = executor.run(
      {
        runId: run.fire.runId,
        job: job.name,
        shell: job.shell,
        command: job.command,
        workingDirectory: job.workingDirectory ?? workDirectory,
        environment: runEnvironment(baseEnvironment, job, run.fire, run.won.claimRevision),
        timeoutMs: job.timeoutSeconds * 1_000,
        killGraceMs: job.killGraceSeconds * 1_000,
        maxOutputBytes: job.maxOutputBytes,
        guarded: isGuarded(job, run.fire.attempt),
      },
      {
        onStarted: (startedAt) => {
          quietly(spool.append([{ kind: 'run-started', run: facts, startedAt }]));
        },
        onOutput: (piece) => {
          quietly(
            spool.append([{ kind: 'output', runId: run.fire.runId, job: job.name, ...piece }]),
          );
        },
      },
      startBy,
    );
    if (run.killReason !== undefined) run.handle.kill(run.killReason);
    if (this.#isWatched(run.fire.runId)) this.applyWatch(run.fire.runId);
    return run.handle.result;
  }
}

export function logFields(run: ActiveRun): { job: string; tick: number; runId: string } {
  return { job: run.won.entry.name, tick: run.fire.tick, runId: run.fire.runId };
}
