/**
 * One worker over whatever stands behind its ports: watches the mesh, schedules every job, races,
 * runs, spools, reports. States: ready (claims), blocked (claims nothing, and says why), draining
 * (finishes what it has). stop() drains: no claim any more, runs finish within the grace or are ended,
 * history goes out as far as the store takes it, and the registration is gone at once because the
 * session is revoked. Etcd, spool and executor are started and stopped by whoever made them.
 */
import { setMaxListeners } from 'node:events';
import type { Clock, Random } from '../shared/clock.ts';
import type { Etcd } from '../shared/etcd/port.ts';
import { createSession, type Session } from '../shared/etcd/session.ts';
import { once, Releasers, type Component } from '../shared/lifecycle.ts';
import type { Logger } from '../shared/log.ts';
import { MeshView, type JobParts } from '../shared/mesh/view.ts';
import { createKeys } from '../shared/protocol/keys.ts';
import { encodeValue, type WorkerValue } from '../shared/protocol/values.ts';
import type { WorkerConfig } from './config.ts';
import type { Executor } from './executor/port.ts';
import { FleetClock } from '../shared/mesh/fleet-clock.ts';
import { SecondPulse } from '../shared/mesh/second-pulse.ts';
import { FormerKnowledge } from './mesh/former-knowledge.ts';
import { Outbox } from './mesh/outbox.ts';
import { Rebaser } from './mesh/rebaser.ts';
import { SessionWatch } from './mesh/session-watch.ts';
import { Settler } from './mesh/settler.ts';
import type { StateMemory } from './mesh/state-memory.ts';
import { Tombstones } from './mesh/tombstones.ts';
import { toldOfSpool } from './mesh/told-of-spool.ts';
import { TxnBatcher } from './mesh/txn-batcher.ts';
import { ActiveRuns } from './run/active-runs.ts';
import { OrderAnswers } from './run/order-answers.ts';
import { candidatesIn } from './schedule/candidates.ts';
import { CarryOut } from './schedule/carry-out.ts';
import type { DecideContext } from './schedule/decision.ts';
import { JobLoop } from './schedule/job-loop.ts';
import { rankDelayMs } from './schedule/rank.ts';
import type { Spool } from './spool/port.ts';

export interface MeshWorkerDeps {
  readonly config: Pick<
    WorkerConfig,
    'prefix' | 'workerId' | 'slots' | 'sessionTtlSeconds' | 'drainSeconds' | 'etcdMaxTxnOps'
  >;
  readonly etcd: Etcd;
  readonly spool: Spool;
  readonly executor: Executor;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Epoch ms of an etcd member's clock, cut to the second. */
  serverDateMs(): Promise<number>;
  /** What the registration tells of the machine. */
  machine(): Pick<WorkerValue, 'host' | 'version' | 'pid' | 'load'>;
  readonly baseEnvironment: Readonly<Record<string, string>>;
  readonly workDirectory: string;
  /** How long the tombstone of a deleted job stays; for tests. */
  readonly tombstoneLifeMs?: number | undefined;
  readonly memory: StateMemory;
}

const drainStoreMs = 5_000;

export class MeshWorker implements Component {
  readonly #deps: MeshWorkerDeps;
  readonly #releasers = new Releasers();
  readonly #startedAt: number;
  readonly #abort = new AbortController();
  #parts: Parts | undefined;
  #draining = false;
  #lastClaimable = false;

  constructor(deps: MeshWorkerDeps) {
    this.#deps = deps;
    this.#startedAt = deps.clock.wallMs();
    // Every transaction that is sent again waits on it: thousands, when etcd is away.
    setMaxListeners(0, this.#abort.signal);
  }

  readonly start = once(async (): Promise<void> => {
    try {
      await this.#start();
    } catch (error) {
      await this.#release();
      throw error;
    }
  });

  readonly stop = once(async (): Promise<void> => {
    const { logger, config, clock } = this.#deps;
    this.#draining = true;
    const parts = this.#parts;
    if (parts !== undefined) {
      parts.session.poke();
      parts.loop.stop();
      logger.info({ running: parts.runs.size }, 'draining: no more claims');
      const deadline = clock.monotonicMs() + config.drainSeconds * 1_000;
      await this.#untilIdle(parts, deadline);
      if (parts.runs.size > 0) {
        logger.warn({ running: parts.runs.size }, 'drain grace is over; ending what still runs');
        parts.runs.killAll('the worker was stopped');
        await this.#untilIdle(parts, clock.monotonicMs() + 60_000);
      }
      await this.#drainSpool(parts.spool);
    }
    await this.#release();
    logger.info('stopped');
  });

  async #start(): Promise<void> {
    const { config, etcd, spool, executor, clock, random, logger } = this.#deps;
    const keys = createKeys(config.prefix);
    const { signal } = this.#abort;
    const view = new MeshView(keys);
    const mirror = etcd.mirror(keys.root, view);
    await this.#startPart('mirror', mirror);
    await mirror.ready();
    const sessions = new SessionWatch(view, clock);
    const pulse = new SecondPulse(clock);
    const fleetClock = new FleetClock({
      clock,
      pulse,
      logger,
      serverDateMs: () => this.#deps.serverDateMs(),
      onChange: () => this.#changed(),
    });
    const common = { keys, view, etcd, clock, random, logger, signal };
    const sending = { ...common, maxOperations: config.etcdMaxTxnOps };
    const rebaser: Rebaser = new Rebaser({
      ...common,
      mirror,
      batcher: new TxnBatcher(sending),
      memory: this.#deps.memory,
      config,
      sessionId: () => session.id,
      latestMs: () => fleetClock.latestMs(),
      onClosed: () => {
        former.note();
        session.fence('etcd was restored from a backup');
        this.#changed();
      },
      onReplaced: () => former.spool(),
      onOpened: (since) => {
        former.forget();
        runs.opened(since);
        this.#changed();
      },
    });
    const batcher = new TxnBatcher({ ...sending, gate: rebaser });
    await fleetClock.start();
    this.#releasers.add('fleet clock', () => fleetClock.stop());

    const session = createSession({
      ...common,
      ttlSeconds: config.sessionTtlSeconds,
      sessionKey: (leaseId) => keys.session(leaseId),
      sessionValue: encodeValue({
        v: 1,
        worker: config.workerId,
        ttlSeconds: config.sessionTtlSeconds,
      }),
      beatKey: keys.worker(config.workerId),
      beatValue: (sequence, sessionId) => encodeValue(this.registration(sequence, sessionId)),
      beatGuards: () => rebaser.guards(),
    });
    /** Undefined also while nothing may be decided. */
    const sessionId = (): string | undefined =>
      rebaser.isOpen && session.alive() ? session.id : undefined;
    const runs = new ActiveRuns({
      ...common,
      batcher,
      executor,
      spool,
      session,
      baseEnvironment: this.#deps.baseEnvironment,
      workDirectory: this.#deps.workDirectory,
      onChange: () => this.#parts?.loop.slotFreed(),
      onEnded: (job, runId, outcome) => orders.ended(job, runId, outcome),
    });
    const carryOut = new CarryOut({
      keys,
      clock,
      random,
      batcher,
      workerId: config.workerId,
      ttlSeconds: config.sessionTtlSeconds,
      sessionId,
      calendars: () => view.snapshot.calendars,
      takeSlot: () => runs.takeSlot(),
      giveSlotBack: () => runs.giveSlotBack(),
      startRun: (won) => runs.start(won),
    });
    const loop = new JobLoop({
      ...common,
      pulse,
      act: (part, action) => carryOut.act(part, action),
      context: (part, firstSeenMs) => this.#context(part, view, firstSeenMs),
      hasFreeSlot: () => runs.freeSlots() > 0,
    });
    const shared = {
      ...common,
      batcher,
      sessions,
      sessionId,
      workerId: config.workerId,
      isMine: (runId: string) => runs.has(runId),
      delayMs: (job: string, subject: string) => this.#delayMs(job, subject),
    };
    const settler = new Settler({
      ...shared,
      isMine: (runId) => runs.has(runId) || carryOut.isClaiming(runId),
    });
    const orders = new OrderAnswers({ ...shared, gate: rebaser });
    const tombstones = new Tombstones({
      ...shared,
      lifeMs: this.#deps.tombstoneLifeMs,
      canDecide: () => this.#reasons().length === 0,
    });
    const outbox = new Outbox({ ...shared, spool });
    const former = new FormerKnowledge({ ...shared, spool });
    this.#parts = { executor, spool, session, runs, loop, fleetClock, rebaser, view, sessions };
    this.#followSession(this.#parts);
    this.#followView(view, runs, fleetClock);
    this.#releasers.add('session watch', () => sessions.stop());
    await this.#startPart('session', session);
    await this.#startPart('rebaser', rebaser);
    for (const [name, part] of Object.entries({ settler, outbox, orders, tombstones, loop })) {
      part.start();
      this.#releasers.add(name, () => part.stop());
    }
    this.#watchClaimable(pulse);
    logger.info({ slots: config.slots, jobs: view.snapshot.parts.size }, 'ready');
  }

  async #startPart(name: string, part: Component): Promise<void> {
    this.#releasers.add(name, () => part.stop());
    await part.start();
  }

  async #release(): Promise<void> {
    this.#abort.abort(new Error('the worker was stopped'));
    await this.#releasers.releaseAll((name, error) => {
      this.#deps.logger.error({ err: error, part: name }, 'part did not stop cleanly');
    });
  }

  #followSession({ session, executor, runs, rebaser }: Parts): void {
    const stop = session.onChange((change) => {
      const { logger } = this.#deps;
      executor.setDeadline(session.deadlineMs);
      if (change.type === 'begun') {
        logger.info({ session: change.id }, 'session begun');
        if (rebaser.isOpen) void runs.reownAll(change.id);
        this.#changed();
      } else if (change.type === 'fenced') {
        logger.warn({ session: change.id, reason: change.reason }, 'session in doubt: fenced');
        void rebaser.verify();
      } else {
        void rebaser.beat();
      }
    });
    this.#releasers.add('session listener', stop);
  }

  #followView(view: MeshView, runs: ActiveRuns, fleetClock: FleetClock): void {
    const { workerId } = this.#deps.config;
    const stop = view.onChange((change) => {
      if (change.type === 'resync') {
        runs.applyAllOrders();
        runs.applyAllWatches();
      } else if (change.key.kind === 'killer' && !change.deleted) {
        runs.applyOrders(change.key.name);
      } else if (change.key.kind === 'watch') {
        runs.applyWatch(change.key.id);
      } else if (change.key.kind === 'worker' && !change.deleted && change.key.id !== workerId) {
        const beat = view.snapshot.workers.get(change.key.id);
        if (beat !== undefined) fleetClock.sawBeat(change.key.id, beat.value.wallMs);
      }
    });
    this.#releasers.add('view listener', stop);
  }

  /** What blocks claims can end without any event of a job: look again when it does. */
  #watchClaimable(pulse: SecondPulse): void {
    const look = (): void => {
      const claimable = this.#reasons().length === 0;
      if (claimable !== this.#lastClaimable) this.#changed();
      this.#lastClaimable = claimable;
    };
    look();
    this.#releasers.add('recheck', pulse.add(look));
  }

  #changed(): void {
    this.#parts?.loop.considerAll();
    this.#parts?.session.poke();
  }

  /** Why nothing can be claimed now; empty when it can. */
  #reasons(): string[] {
    const parts = this.#parts;
    if (parts === undefined) return ['starting'];
    const clock = parts.fleetClock.verdict();
    const spool = parts.spool.state();
    return [
      ...(this.#draining ? ['draining'] : []),
      ...(parts.rebaser.reason === undefined ? [] : [parts.rebaser.reason]),
      ...(parts.session.alive() ? [] : ['no session']),
      ...(clock.ok ? [] : [clock.reason ?? 'the clock is not verified']),
      ...(spool.accepting ? [] : [spool.reason ?? 'the spool takes nothing']),
      ...(parts.executor.healthy() ? [] : ['the guardian is being restarted']),
    ];
  }

  #context(
    part: JobParts,
    view: MeshView,
    firstSeenMs: (subject: string) => number,
  ): DecideContext {
    const parts = this.#parts;
    return {
      nowMs: this.#deps.clock.wallMs(),
      calendars: view.snapshot.calendars,
      // Most looks end in a wait: whether anything stands in the way is asked only before an act.
      canDecide: () => this.#reasons().length === 0,
      canClaim: () => (parts?.runs.freeSlots() ?? 0) > 0 && this.#reasons().length === 0,
      canCatchUp: () =>
        (parts?.runs.freeSlots() ?? 0) > keptSlots(this.#deps.config.slots) &&
        this.#reasons().length === 0,
      sessionAlive: (sessionId) => parts?.sessions.alive(sessionId) === true,
      delayMs: (subject, avoid) => this.#delayMs(part.name, subject, avoid),
      firstSeenMs,
    };
  }

  #delayMs(job: string, subject: string, avoid?: string): number {
    const { workerId } = this.#deps.config;
    const workers = this.#parts?.view.snapshot.workers ?? new Map<string, never>();
    const candidates = candidatesIn(workers, workerId, avoid);
    return rankDelayMs(candidates, workerId, job, subject);
  }

  /** What the registry says of this worker, as of now. */
  registration(sequence = 0, session = this.#parts?.session.id ?? ''): WorkerValue {
    const { config, clock } = this.#deps;
    const parts = this.#parts;
    const reasons = this.#reasons().filter((reason) => reason !== 'no session');
    const offsetMs = parts?.fleetClock.verdict().offsetMs;
    return {
      v: 1,
      id: config.workerId,
      session,
      sequence,
      wallMs: clock.wallMs(),
      ...this.#deps.machine(),
      startedAt: this.#startedAt,
      slots: config.slots,
      running: parts?.runs.running ?? 0,
      ...(offsetMs === undefined ? {} : { clockOffsetMs: offsetMs }),
      state: this.#draining ? 'draining' : reasons.length === 0 ? 'ready' : 'blocked',
      reasons,
      spool: toldOfSpool(parts?.spool.state()),
    };
  }

  /** As far as the store takes it in a few seconds; the rest is on disk for the next start. */
  async #drainSpool(spool: Spool): Promise<void> {
    const giveUp = new AbortController();
    const cancel = this.#deps.clock.after(drainStoreMs, () => giveUp.abort());
    await spool.drained(giveUp.signal).catch(() => undefined);
    cancel();
  }

  /** Resolves when no run is in hand, or at `deadlineMs` (monotonic). */
  async #untilIdle(parts: Parts, deadlineMs: number): Promise<void> {
    const { clock } = this.#deps;
    while (parts.runs.size > 0 && clock.monotonicMs() < deadlineMs) {
      await new Promise<void>((resolve) => void clock.after(50, resolve));
    }
  }
}

/** Free slots that catch-ups leave to what is due now: a backlog of hours must not make more of it. */
function keptSlots(slots: number): number {
  return Math.floor(slots / 4);
}

interface Parts {
  readonly executor: Executor;
  readonly spool: Spool;
  readonly session: Session;
  readonly runs: ActiveRuns;
  readonly loop: JobLoop;
  readonly fleetClock: FleetClock;
  readonly rebaser: Rebaser;
  readonly view: MeshView;
  readonly sessions: SessionWatch;
}
