/**
 * The guardian's whole decision: it starts what the worker asks for if the session deadline and the
 * run's own limit are still ahead at that very moment, ends runs on order or timeout, and kills the
 * guarded ones as soon as the deadline passes, whether or not the worker is able to ask for it.
 * It believes nobody about time: the deadline is a point on the machine's monotonic clock.
 */
import type { Clock } from '../../shared/clock.ts';
import { Alarm } from './alarm.ts';
import { BufferPool } from './buffer-pool.ts';
import { encodeMessage, encodeOutputHead, type StartMessage, type ToGuardian } from './messages.ts';
import { OutputRelay, type SendPiece } from './output-relay.ts';
import { Launcher } from './launch.ts';
import type { PipePool } from './pipe-pool.ts';
import type { RunCgroups } from './run-cgroups.ts';
import { RunProcess } from './run-process.ts';
import { Spawner } from './spawner.ts';
import { TreeWatch } from './tree-watch.ts';

/** For the last search of all, when the worker is gone. */
const killAllLimitMs = 1_000;

/** The way to the worker. */
export interface Channel {
  /** Writes the parts in a row; false once more is waiting than should be. */
  write(parts: readonly Buffer[], onWritten?: () => void): boolean;
}

export interface GuardianOptions {
  readonly clock: Clock;
  readonly channel: Channel;
  readonly pipes: PipePool;
  readonly cgroups: RunCgroups | undefined;
  /** Without it Node spawns. */
  readonly hasSpawner: boolean;
  /** The guardian cannot go on: it no longer hears of the runs that its spawner started. */
  readonly onSpawnerGone: (how: string) => void;
}

export class Guardian {
  readonly #clock: Clock;
  readonly #channel: Channel;
  readonly #launcher: Launcher;
  readonly #spawner: Spawner | undefined;
  readonly #watch: TreeWatch;
  readonly #buffers = new BufferPool();
  readonly #runs = new Map<number, RunProcess>();
  readonly #deadlineAlarm: Alarm;
  #deadlineMs = 0;
  #paused = false;

  constructor(options: GuardianOptions) {
    const { clock, channel, pipes, cgroups } = options;
    this.#clock = clock;
    this.#channel = channel;
    this.#watch = new TreeWatch(clock);
    this.#deadlineAlarm = new Alarm(clock, () => this.#fence());
    const probe = pipes.sample;
    if (options.hasSpawner && probe !== undefined) {
      const onPong = (): void => this.#pong();
      this.#spawner = new Spawner({ clock, probe, onPong, onGone: options.onSpawnerGone });
    }
    this.#launcher = new Launcher({ clock, pipes, cgroups, spawner: this.#spawner });
  }

  /** The first thing the worker hears. */
  greet(): void {
    const monotonicMs = this.#clock.monotonicMs();
    this.#channel.write([encodeMessage({ type: 'ready', monotonicMs })]);
  }

  handle(message: ToGuardian): void {
    switch (message.type) {
      case 'deadline':
        this.#deadlineMs = message.deadlineMs;
        if (this.#isDeadlinePassed()) this.#fence();
        else this.#deadlineAlarm.set(message.deadlineMs);
        break;
      case 'start':
        this.#start(message);
        break;
      case 'kill':
        this.#runs.get(message.id)?.end('kill', message.graceMs);
        break;
      case 'hurry':
        this.#runs.get(message.id)?.hurryOutput(message.isHurried);
        break;
      case 'ping':
        // One without the other is of no use.
        if (this.#spawner?.isReady === true) this.#spawner.ping();
        else this.#pong();
        break;
    }
  }

  /** The channel has room again. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    for (const run of this.#runs.values()) run.resume();
  }

  /** KILL to every run's whole tree: the worker is gone. */
  killAll(): void {
    this.#spawner?.end();
    for (const run of this.#runs.values()) run.abandon();
    this.#runs.clear();
    this.#watch.killAll(killAllLimitMs);
  }

  #pong(): void {
    this.#channel.write([encodeMessage({ type: 'pong' })]);
  }

  #isDeadlinePassed(): boolean {
    return !(this.#clock.monotonicMs() < this.#deadlineMs);
  }

  #fence(): void {
    this.#deadlineAlarm.clear();
    for (const run of this.#runs.values()) if (run.guarded) run.end('fence', 0);
  }

  #start(message: StartMessage): void {
    const run = new RunProcess(message, {
      clock: this.#clock,
      output: this.#createRelay(message),
      launcher: this.#launcher,
      watch: this.#watch,
      onTrouble: (text) => {
        const runId = message.spec.environment['CRON_RUN_ID'];
        const of = runId === undefined ? {} : { runId };
        this.#write([encodeMessage({ type: 'notice', text, ...of })]);
      },
      onStarted: (pid, at) => {
        this.#write([encodeMessage({ type: 'started', id: message.id, pid, at })]);
      },
      onOver: (end) => {
        this.#runs.delete(message.id);
        this.#write([encodeMessage(end)]);
      },
    });
    this.#runs.set(message.id, run);
    if (this.#paused) run.pause();
    run.launch({
      beforeMs: () => Math.min(this.#deadlineMs, message.startBy),
      refusal: () => this.#refusal(message.startBy),
    });
  }

  #createRelay({ id, spec }: StartMessage): OutputRelay {
    const send: SendPiece = (piece, data, bytes, onSent) => {
      this.#write([encodeOutputHead({ id, ...piece }, bytes), ...data], onSent);
    };
    return new OutputRelay(this.#clock, this.#buffers, spec.maxOutputBytes, send);
  }

  #refusal(startBy: number): string | undefined {
    if (this.#isDeadlinePassed()) {
      // A long row of starts keeps the deadline's own timer from ringing.
      this.#fence();
      return 'the session deadline has passed';
    }
    const lateMs = this.#clock.monotonicMs() - startBy;
    return lateMs >= 0 ? `too late to start, by ${lateMs.toFixed(0)} ms` : undefined;
  }

  #write(parts: readonly Buffer[], onWritten?: () => void): void {
    if (this.#channel.write(parts, onWritten) || this.#paused) return;
    this.#paused = true;
    for (const run of this.#runs.values()) run.pause();
  }
}
