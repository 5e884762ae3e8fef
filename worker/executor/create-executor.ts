/**
 * The executor over a guardian process. At most `slots` runs are with the guardian at a time (a
 * p-limit pool); every ask is settled exactly once, whatever becomes of the guardian: when it dies,
 * the process trees it ran are killed from here, their runs end as `guardian-lost`, and a new
 * guardian is started with backoff. Runs that wait meanwhile are refused once their `startBy` has
 * passed. start() first ends what a former life of this worker left running.
 */
import { fileURLToPath } from 'node:url';
import pLimit from 'p-limit';
import { sleep, type Clock, type Random } from '../../shared/clock.ts';
import { once } from '../../shared/lifecycle.ts';
import type { Logger } from '../../shared/log.ts';
import { Alarm } from '../guardian/alarm.ts';
import type { EndedMessage } from '../guardian/messages.ts';
import { endTrees } from './end-trees.ts';
import { endFormerRuns } from './former-runs.ts';
import { GuardianKeeper, type RunMessage } from './guardian-keeper.ts';
import type { GuardianLink } from './guardian-link.ts';
import { killLostRuns, rootOf } from './lost-runs.ts';
import { OpenRuns } from './open-runs.ts';
import { PooledRun } from './pooled-run.ts';
import type { Executor, RunHandle, RunListener, RunResult, RunSpec } from './port.ts';

const stopSlackMs = 2_000;
const unansweredKillLimitMs = 500;

export interface ExecutorOptions {
  readonly slots: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  /** The compiled guardian; default: the one beside this file. */
  readonly guardianPath?: string;
  /** The most that stop() waits between TERM and KILL, whatever a run's own grace. */
  readonly stopGraceMs?: number;
  /** The file that tells this worker's next life which runs were open; without it, it cannot know. */
  readonly openRunsPath?: string;
  /** A cgroup for every run, where the system grants it; default: none. */
  readonly cgroups?: boolean;
  /** Whether runs are started by a spawner, where there can be one; default: yes. */
  readonly spawner?: boolean;
}

export function createExecutor(options: ExecutorOptions): Executor {
  return new GuardianExecutor(options);
}

class GuardianExecutor implements Executor {
  readonly slots: number;
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #stopGraceMs: number;
  readonly #keeper: GuardianKeeper;
  readonly #openRuns: OpenRuns;
  readonly #limit: ReturnType<typeof pLimit>;
  readonly #runs = new Map<number, PooledRun>();
  readonly #waitAlarm: Alarm;
  #deadlineMs = 0;
  #nextId = 1;
  #stopping = false;

  constructor(options: ExecutorOptions) {
    this.slots = options.slots;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#stopGraceMs = options.stopGraceMs ?? 5_000;
    this.#openRuns = new OpenRuns(options.openRunsPath, options.logger);
    this.#keeper = new GuardianKeeper({
      cgroups: options.cgroups ?? false,
      spawner: options.spawner ?? true,
      guardianPath:
        options.guardianPath ?? fileURLToPath(new URL('../guardian/main.js', import.meta.url)),
      clock: options.clock,
      logger: options.logger,
      random: options.random,
      onReady: (link) => this.#onReady(link),
      onMessage: (message) => this.#onMessage(message),
      onUnanswered: () => this.#onUnanswered(),
      onGone: (link, how) => this.#onGone(link, how),
    });
    this.#limit = pLimit(options.slots);
    this.#waitAlarm = new Alarm(this.#clock, () => this.#refuseLate());
    this.start = once(() => this.#start());
    this.stop = once(() => this.#stop());
  }

  running(): number {
    let count = 0;
    for (const run of this.#runs.values()) if (run.sentTo !== undefined) count += 1;
    return count;
  }

  freeSlots(): number {
    return Math.max(0, this.slots - this.#runs.size);
  }

  healthy(): boolean {
    return this.#keeper.healthy && !this.#stopping;
  }

  setDeadline(deadlineMs: number): void {
    this.#deadlineMs = finite(deadlineMs);
    this.#keeper.link?.send({ type: 'deadline', deadlineMs: this.#deadlineMs });
  }

  run(spec: RunSpec, listener: RunListener, startBy: number): RunHandle {
    const id = this.#nextId;
    this.#nextId = (this.#nextId + 1) % 2 ** 32;
    const run = new PooledRun({
      id,
      spec,
      listener,
      startBy: finite(startBy),
      clock: this.#clock,
      onOver: () => {
        this.#runs.delete(id);
        this.#openRuns.remove(spec.runId);
      },
    });
    this.#runs.set(id, run);
    if (this.#stopping) {
      run.settleHere('refused', 'the worker is stopping');
    } else {
      if (this.#runs.size > this.slots) this.#watchWaiting(run);
      void this.#limit(async () => {
        this.#begin(run);
        await run.result;
      });
    }
    return {
      runId: spec.runId,
      result: run.result,
      kill: (reason, graceMs) => this.#kill(run, reason, graceMs ?? spec.killGraceMs),
      hurryOutput: (isHurried) => this.#hurry(run, isHurried),
    };
  }

  async #start(): Promise<void> {
    const former = this.#openRuns.start();
    await endFormerRuns(former, this.#openRuns, this.#clock, this.#logger);
    await this.#keeper.start();
  }

  /** The pool has a slot for it. */
  #begin(run: PooledRun): void {
    run.hasSlot = true;
    if (run.over) return;
    const { link } = this.#keeper;
    if (link === undefined) this.#watchWaiting(run);
    else this.#send(run, link);
  }

  #send(run: PooledRun, link: GuardianLink): void {
    const { runId: _runId, job: _job, ...spec } = run.spec;
    run.sentTo = link;
    this.#openRuns.add(run.spec.runId, run.spec.job);
    link.send({
      type: 'start',
      id: run.id,
      startBy: run.startBy,
      spec: {
        ...spec,
        timeoutMs: finite(spec.timeoutMs),
        killGraceMs: finite(spec.killGraceMs),
        maxOutputBytes: finite(spec.maxOutputBytes),
      },
    });
    if (run.isHurried) this.#hurry(run, true);
  }

  #kill(run: PooledRun, reason: string, graceMs: number): void {
    if (run.over) return;
    run.killReason ??= reason;
    if (run.sentTo === undefined) run.settleHere('kill', reason);
    else run.sentTo.send({ type: 'kill', id: run.id, graceMs: finite(graceMs) });
  }

  #hurry(run: PooledRun, isHurried: boolean): void {
    run.isHurried = isHurried;
    if (!run.over) run.sentTo?.send({ type: 'hurry', id: run.id, isHurried });
  }

  #watchWaiting(run: PooledRun): void {
    this.#waitAlarm.set(Math.min(this.#waitAlarm.atMs, run.startBy));
  }

  #refuseLate(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const run of this.#runs.values()) {
      if (run.sentTo !== undefined) continue;
      if (run.startBy > nowMs) this.#watchWaiting(run);
      else run.settleHere('refused', run.hasSlot ? 'no guardian in time' : 'no free slot in time');
    }
  }

  #onReady(link: GuardianLink): void {
    link.send({ type: 'deadline', deadlineMs: this.#deadlineMs });
    for (const run of this.#runs.values()) {
      if (run.hasSlot && run.sentTo === undefined) this.#send(run, link);
    }
  }

  #onMessage(message: RunMessage): void {
    const run = this.#runs.get(message.id);
    if (run === undefined) return;
    switch (message.type) {
      case 'started':
        run.pid = message.pid;
        run.startedAt = message.at;
        run.confirmedAtMs = this.#clock.monotonicMs();
        this.#tell(run, () => run.listener.onStarted(message.at, message.pid));
        break;
      case 'output': {
        const { stream, offset, at, data } = message;
        run.receivedBytes = offset + data.length;
        this.#tell(run, () => run.listener.onOutput({ stream, offset, at, data }));
        break;
      }
      case 'ended':
        run.settle(resultOf(run, message));
        break;
    }
  }

  #tell(run: PooledRun, call: () => void): void {
    try {
      call();
    } catch (error) {
      const { runId, job } = run.spec;
      this.#logger.error({ err: error, runId, job }, 'a run listener failed');
    }
  }

  #onGone(link: GuardianLink, how: string): void {
    const lost = [...this.#runs.values()].filter((run) => run.sentTo === link);
    void killLostRuns(lost, this.#clock).then(() => {
      for (const run of lost) run.settleHere('guardian-lost', `the guardian ended (${how})`);
    });
  }

  /**
   * A guardian that is stopped cannot fence.
   */
  #onUnanswered(): void {
    if (this.#clock.monotonicMs() < this.#deadlineMs) return;
    const guarded = [...this.#runs.values()].filter(
      (run) => run.spec.guarded && run.pid !== undefined,
    );
    for (const { spec } of guarded) {
      const { runId, job } = spec;
      this.#logger.warn({ runId, job }, 'killing a guarded run that the guardian left alive');
    }
    // It is called again in a second, if need be.
    const options = { clock: this.#clock, graceMs: 0, killLimitMs: unansweredKillLimitMs };
    if (guarded.length > 0)
      void endTrees(
        guarded.map((run) => rootOf(run, this.#clock)),
        options,
      );
  }

  async #stop(): Promise<void> {
    this.#stopping = true;
    this.#waitAlarm.clear();
    for (const run of this.#runs.values()) {
      if (run.sentTo === undefined) run.settleHere('refused', 'the worker is stopping');
      else {
        const graceMs = Math.min(run.spec.killGraceMs, this.#stopGraceMs);
        this.#kill(run, 'the worker is stopping', graceMs);
      }
    }
    await this.#keeper.stopRestarting();
    await this.#settled(this.#stopGraceMs + stopSlackMs);
    // What is left is killed by the guardian's end, and settled as lost with it.
    await this.#keeper.end();
    await this.#settled(stopSlackMs);
    this.#openRuns.stop();
  }

  /** When no run is left, or after the limit. */
  async #settled(limitMs: number): Promise<void> {
    const limit = new AbortController();
    const all = Promise.all([...this.#runs.values()].map((run) => run.result));
    const timeUp = sleep(this.#clock, limitMs, limit.signal).catch(() => undefined);
    await Promise.race([all, timeUp]);
    limit.abort();
  }
}

function resultOf(run: PooledRun, message: EndedMessage): RunResult {
  const { type: _type, id: _id, at, ...end } = message;
  return {
    ...(run.startedAt === undefined ? {} : { startedAt: run.startedAt }),
    ...end,
    endedAt: at,
    ...(end.endedBy === 'kill' && run.killReason !== undefined ? { reason: run.killReason } : {}),
  };
}

/** What JSON can carry: no limit is a number, too. */
function finite(value: number): number {
  return Number.isNaN(value) ? 0 : Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, value));
}
