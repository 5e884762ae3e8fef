/**
 * The executor over a guardian process. At most `slots` runs are with the guardian at a time (a
 * p-limit pool); every ask is settled exactly once, whatever becomes of the guardian: when it dies,
 * the groups it ran are killed from here, their runs end as `guardian-lost`, and a new guardian is
 * started with backoff. Runs that wait meanwhile are refused once their `startBy` has passed.
 */
import { fileURLToPath } from 'node:url';
import pLimit from 'p-limit';
import { backoffMs, sleep, type Clock, type Random } from '../../shared/clock.ts';
import { once } from '../../shared/lifecycle.ts';
import type { Logger } from '../../shared/log.ts';
import { Alarm } from '../guardian/alarm.ts';
import type { EndedMessage, FromGuardian } from '../guardian/messages.ts';
import { signalGroup } from '../guardian/process-group.ts';
import { GuardianLink } from './guardian-link.ts';
import { PooledRun } from './pooled-run.ts';
import { killLostRuns } from './lost-runs.ts';
import type { Executor, RunHandle, RunListener, RunResult, RunSpec } from './port.ts';

const pingMs = 1_000;
const missedPingsUnhealthy = 2;
const missedPingsKill = 15;
const minBackoffMs = 50;
const maxBackoffMs = 5_000;
/** A guardian that lived this long was not part of a row of failures. */
const settledMs = 10_000;
/** Beyond the deadline, before the executor sees to it itself. */
const fenceSlackMs = 500;
const stopSlackMs = 2_000;

export interface ExecutorOptions {
  readonly slots: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  /** The compiled guardian; default: the one beside this file. */
  readonly guardianPath?: string;
  /** The most that stop() waits between TERM and KILL, whatever a run's own grace. */
  readonly stopGraceMs?: number;
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
  readonly #random: Random;
  readonly #guardianPath: string;
  readonly #stopGraceMs: number;
  readonly #limit: ReturnType<typeof pLimit>;
  readonly #runs = new Map<number, PooledRun>();
  readonly #waitAlarm: Alarm;
  readonly #pingAlarm: Alarm;
  readonly #restartAlarm: Alarm;
  readonly #fenceAlarm: Alarm;
  #link: GuardianLink | undefined;
  #linkSinceMs = 0;
  #failures = 0;
  #missedPings = 0;
  #isPongDue = false;
  #connecting: Promise<void> | undefined;
  #deadlineMs = 0;
  #nextId = 1;
  #stopping = false;

  constructor(options: ExecutorOptions) {
    this.slots = options.slots;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#random = options.random;
    this.#guardianPath =
      options.guardianPath ?? fileURLToPath(new URL('../guardian/main.js', import.meta.url));
    this.#stopGraceMs = options.stopGraceMs ?? 5_000;
    this.#limit = pLimit(options.slots);
    this.#waitAlarm = new Alarm(this.#clock, () => this.#refuseLate());
    this.#pingAlarm = new Alarm(this.#clock, () => this.#ping());
    this.#restartAlarm = new Alarm(this.#clock, () => void this.#restart());
    this.#fenceAlarm = new Alarm(this.#clock, () => this.#fenceLate());
    this.start = once(() => this.#connectFirst());
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
    return this.#link !== undefined && this.#missedPings < missedPingsUnhealthy && !this.#stopping;
  }

  setDeadline(deadlineMs: number): void {
    this.#deadlineMs = finite(deadlineMs);
    this.#link?.send({ type: 'deadline', deadlineMs: this.#deadlineMs });
    this.#fenceAlarm.set(this.#deadlineMs + fenceSlackMs);
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
      onOver: () => this.#runs.delete(id),
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
    };
  }

  /** The pool has a slot for it. */
  #begin(run: PooledRun): void {
    run.hasSlot = true;
    if (run.over) return;
    if (this.#link === undefined) this.#watchWaiting(run);
    else this.#send(run, this.#link);
  }

  #send(run: PooledRun, link: GuardianLink): void {
    const { runId: _runId, job: _job, ...spec } = run.spec;
    run.sentTo = link;
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
  }

  #kill(run: PooledRun, reason: string, graceMs: number): void {
    if (run.over) return;
    run.killReason ??= reason;
    if (run.sentTo === undefined) run.settleHere('kill', reason);
    else run.sentTo.send({ type: 'kill', id: run.id, graceMs: finite(graceMs) });
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

  async #connect(): Promise<void> {
    const link = new GuardianLink({
      guardianPath: this.#guardianPath,
      clock: this.#clock,
      onMessage: (message) => this.#onMessage(message),
      onGone: (how) => this.#onGone(link, how),
    });
    await link.ready();
    if (this.#stopping) {
      await link.end();
      return;
    }
    this.#link = link;
    this.#linkSinceMs = this.#clock.monotonicMs();
    this.#isPongDue = false;
    this.#missedPings = 0;
    this.#pingAlarm.set(this.#linkSinceMs + pingMs);
    link.send({ type: 'deadline', deadlineMs: this.#deadlineMs });
    for (const run of this.#runs.values()) {
      if (run.hasSlot && run.sentTo === undefined) this.#send(run, link);
    }
    this.#logger.debug({ guardian: link.pid }, 'guardian ready');
  }

  #onMessage(message: Exclude<FromGuardian, { type: 'ready' }>): void {
    this.#isPongDue = false;
    this.#missedPings = 0;
    if (message.type === 'pong') return;
    const run = this.#runs.get(message.id);
    if (run === undefined) return;
    switch (message.type) {
      case 'started':
        run.pid = message.pid;
        run.startedAt = message.at;
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
    if (this.#link === link) this.#link = undefined;
    this.#pingAlarm.clear();
    const lost = [...this.#runs.values()].filter((run) => run.sentTo === link);
    void killLostRuns(lost, this.#clock).then(() => {
      for (const run of lost) run.settleHere('guardian-lost', `the guardian ended (${how})`);
    });
    if (this.#stopping) return;
    this.#logger.error({ guardian: link.pid, how, lost: lost.length }, 'guardian lost, restarting');
    if (this.#clock.monotonicMs() - this.#linkSinceMs > settledMs) this.#failures = 0;
    this.#restartLater();
  }

  #restartLater(): void {
    const delayMs = backoffMs(this.#failures, minBackoffMs, maxBackoffMs, this.#random);
    this.#failures += 1;
    this.#restartAlarm.set(this.#clock.monotonicMs() + delayMs);
  }

  async #restart(): Promise<void> {
    try {
      this.#connecting = this.#connect();
      await this.#connecting;
    } catch (error) {
      this.#logger.error({ err: error }, 'the guardian could not be restarted');
      if (!this.#stopping) this.#restartLater();
    }
  }

  #ping(): void {
    if (this.#link === undefined) return;
    // Counted by our own ticks: a pause of the worker itself is one tick, however long it was.
    if (this.#isPongDue) this.#missedPings += 1;
    if (this.#missedPings === missedPingsUnhealthy) {
      this.#logger.warn({ guardian: this.#link.pid }, 'the guardian does not answer');
    }
    if (this.#missedPings >= missedPingsKill) this.#link.kill();
    this.#isPongDue = true;
    this.#link.send({ type: 'ping' });
    this.#pingAlarm.set(this.#clock.monotonicMs() + pingMs);
  }

  /** The guardian has fenced these long since, unless it is itself stopped. */
  #fenceLate(): void {
    for (const run of this.#runs.values()) {
      if (!run.spec.guarded || run.pid === undefined) continue;
      const { runId, job } = run.spec;
      this.#logger.warn({ runId, job }, 'the guardian left a guarded run alive, killing it');
      signalGroup(run.pid, 'SIGKILL');
    }
  }

  async #connectFirst(): Promise<void> {
    if (this.#stopping) return;
    this.#connecting = this.#connect();
    await this.#connecting;
  }

  async #stop(): Promise<void> {
    this.#stopping = true;
    for (const alarm of [this.#restartAlarm, this.#waitAlarm]) alarm.clear();
    for (const run of this.#runs.values()) {
      if (run.sentTo === undefined) run.settleHere('refused', 'the worker is stopping');
      else {
        const graceMs = Math.min(run.spec.killGraceMs, this.#stopGraceMs);
        this.#kill(run, 'the worker is stopping', graceMs);
      }
    }
    // A guardian that is just coming up sees `stopping` and is ended by its own connect.
    await this.#connecting?.catch(() => undefined);
    await this.#settled(this.#stopGraceMs + stopSlackMs);
    for (const alarm of [this.#pingAlarm, this.#fenceAlarm]) alarm.clear();
    // What is left is killed by the guardian's end, and settled as lost with it.
    await this.#link?.end();
    await this.#settled(stopSlackMs);
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
