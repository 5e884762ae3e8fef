/**
 * One run, from its start to its end, in a process group of its own.
 * starting -> running -> (ending: TERM, grace, KILL) -> leader exited -> whole tree gone or killed -> pipes
 * closed -> over. An order that comes while it is starting is carried out when it has. Without an order to end it, a run is over when its shell has exited and its pipes
 * are closed; a daemon it left behind may hold them for `pipeLimitMs`, is then no longer heard, and
 * lives on, as under cron.
 * Every timer belongs to the run and is cleared when it is over.
 */
import type { Readable } from 'node:stream';
import type { Clock } from '../../shared/clock.ts';
import { Alarm } from './alarm.ts';
import type { Launcher, LaunchListener, StartedShell } from './launch.ts';
import type { EndedMessage, StartMessage } from './messages.ts';
import type { OutputRelay } from './output-relay.ts';
import { RunTree } from './run-tree.ts';
import { describeSpawnFailure } from './spawn-failure.ts';
import type { TreeWatch } from './tree-watch.ts';

const pipeLimitMs = 500;

export interface RunProcessDependencies {
  readonly clock: Clock;
  readonly output: OutputRelay;
  readonly launcher: Launcher;
  readonly watch: TreeWatch;
  readonly onStarted: (pid: number, at: number) => void;
  /** For the worker's log. */
  readonly onTrouble: (text: string) => void;
  /** The last thing a run does. */
  readonly onOver: (end: EndedMessage) => void;
}

export type EndCause = 'timeout' | 'kill' | 'fence';

/** Until when a run may start, as it stands at the moment of asking. */
export interface StartLimit {
  /** Monotonic ms. */
  beforeMs(): number;
  /** The reason why it must not start now, if there is one. */
  refusal(): string | undefined;
}

export class RunProcess {
  readonly #start: StartMessage;
  readonly #deps: RunProcessDependencies;
  readonly #timeoutAlarm: Alarm;
  readonly #killAlarm: Alarm;
  readonly #pipeAlarm: Alarm;
  readonly #open = new Set<Readable>();
  #tree: RunTree | undefined;
  /** What was ordered while it was starting; the grace is the shortest. */
  #ordered: { readonly cause: EndCause; readonly graceMs: number } | undefined;
  #exit: { code: number | null; signal: string | null } | undefined;
  #cause: EndCause | undefined;
  #isKilled = false;
  #treeOver = false;
  #paused = false;
  #over = false;

  constructor(start: StartMessage, deps: RunProcessDependencies) {
    this.#start = start;
    this.#deps = deps;
    const { clock } = deps;
    this.#timeoutAlarm = new Alarm(clock, () => this.end('timeout', start.spec.killGraceMs));
    this.#killAlarm = new Alarm(clock, () => this.#kill());
    this.#pipeAlarm = new Alarm(clock, () => this.#giveUpPipes());
  }

  get guarded(): boolean {
    return this.#start.spec.guarded;
  }

  /** The limit is looked at right before the start, and by the spawner once more. */
  launch(limit: StartLimit): void {
    const reason = limit.refusal();
    if (reason !== undefined) {
      this.#finishUnstarted('refused', reason);
      return;
    }
    const listener: LaunchListener = {
      onStarted: (started) => this.#onStarted(started),
      onFailed: (error) => {
        const why = describeSpawnFailure(error, this.#start.spec);
        this.#finishUnstarted('spawn-error', why);
      },
      // The limit may have moved on meanwhile.
      onLate: () => this.launch(limit),
      onExit: (code, signal) => this.#onExit(code, signal),
      onChunk: (name, stream, chunk) => {
        this.#deps.output.push(name, chunk);
        // At the child's exit Node resumes the streams it made by itself.
        if (this.#paused) stream.pause();
      },
    };
    this.#deps.launcher.launch(this.#start.spec, limit.beforeMs(), listener);
  }

  /**
   * TERM now and KILL after the grace; a grace of 0 is KILL at once. The first cause is the one
   * that is reported; a later call can only bring the KILL nearer.
   */
  end(cause: EndCause, graceMs: number): void {
    const tree = this.#tree;
    if (this.#over || this.#isKilled || this.#treeOver) return;
    if (tree === undefined) {
      const { cause: first = cause, graceMs: shortest = graceMs } = this.#ordered ?? {};
      this.#ordered = { cause: first, graceMs: Math.min(shortest, graceMs) };
      return;
    }
    // It has ended by itself, and only its output is not yet closed.
    if (this.#exit !== undefined && this.#cause === undefined && !tree.hasGroup) return;
    const first = this.#cause === undefined;
    this.#cause ??= cause;
    this.#timeoutAlarm.clear();
    if (graceMs <= 0) {
      this.#kill();
    } else {
      if (first) tree.terminate();
      const killAt = this.#deps.clock.monotonicMs() + graceMs;
      this.#killAlarm.set(Math.min(killAt, this.#killAlarm.atMs));
    }
  }

  /** As of RunHandle. */
  hurryOutput(isHurried: boolean): void {
    this.#deps.output.hurry(isHurried);
  }

  /** KILL, as far as it goes at once: the guardian is about to end. */
  abandon(): void {
    if (this.#treeOver || this.#over) return;
    if (this.#tree !== undefined) {
      this.#tree.abandon();
      return;
    }
    // It may just have started, and is known by its run id only.
    const runId = this.#start.spec.environment['CRON_RUN_ID'];
    const none = { leaderId: undefined, isLeaderCollected: true };
    this.#deps.watch.add({ runId, isCondemned: true, ...none });
  }

  /** Holds the run's writes up (its pipes fill) until resume(). */
  pause(): void {
    this.#paused = true;
    for (const stream of this.#open) stream.pause();
  }

  resume(): void {
    this.#paused = false;
    for (const stream of this.#open) stream.resume();
  }

  #onStarted({ pid, atMs, streams, cgroup }: StartedShell): void {
    const { clock, watch, onStarted } = this.#deps;
    const { spec } = this.#start;
    for (const stream of streams) this.#watch(stream);
    this.#tree = new RunTree({
      clock,
      watch,
      leaderId: pid,
      startedAtMs: atMs,
      runId: spec.environment['CRON_RUN_ID'],
      cgroup,
      isHeld: () => this.#open.size > 0 && !this.#paused,
      onGone: (left) => this.#onTreeGone(left),
    });
    this.#timeoutAlarm.set(atMs + spec.timeoutMs);
    onStarted(pid, Math.round(clock.wallMs() - (clock.monotonicMs() - atMs)));
    if (this.#ordered !== undefined) this.end(this.#ordered.cause, this.#ordered.graceMs);
  }

  #watch(stream: Readable): void {
    this.#open.add(stream);
    // A broken pipe is a closed one.
    stream.on('error', () => undefined);
    stream.once('close', () => {
      this.#open.delete(stream);
      this.#settle();
    });
    if (this.#paused) stream.pause();
  }

  #onExit(code: number | null, signal: string | null): void {
    this.#exit = { code, signal };
    this.#timeoutAlarm.clear();
    this.#tree?.leaderExited();
    this.#settle();
  }

  #kill(): void {
    this.#killAlarm.clear();
    this.#isKilled = true;
    this.#tree?.kill();
  }

  #onTreeGone(left: number): void {
    this.#treeOver = true;
    this.#killAlarm.clear();
    if (left > 0) {
      const what = `${String(left)} of its processes did not end on KILL, or cannot be found`;
      this.#deps.onTrouble(`a run was ended in part: ${what}`);
    }
    this.#settle();
  }

  #giveUpPipes(): void {
    if (this.#paused) {
      // What holds them up is our own reader, so the limit does not run.
      this.#pipeAlarm.set(this.#deps.clock.monotonicMs() + pipeLimitMs);
      return;
    }
    for (const stream of this.#open) stream.destroy();
  }

  #settle(): void {
    if (this.#over || this.#exit === undefined) return;
    if (this.#cause !== undefined && !this.#treeOver) return;
    if (this.#open.size > 0) {
      if (this.#pipeAlarm.atMs === Infinity) {
        this.#pipeAlarm.set(this.#deps.clock.monotonicMs() + pipeLimitMs);
      }
      return;
    }
    const { code, signal } = this.#exit;
    this.#finish({
      endedBy: this.#cause ?? 'itself',
      ...this.#reason(),
      ...(code === null ? {} : { exitCode: code }),
      ...(signal === null ? {} : { signal }),
    });
  }

  #reason(): { reason?: string } {
    if (this.#cause === 'timeout') {
      return { reason: `still running after ${String(this.#start.spec.timeoutMs / 1000)} s` };
    }
    if (this.#cause === 'fence') return { reason: 'the session deadline has passed' };
    return {};
  }

  #finishUnstarted(endedBy: 'spawn-error' | 'refused', reason: string): void {
    for (const stream of this.#open) stream.destroy();
    this.#finish({ endedBy, reason });
  }

  #finish(end: Pick<EndedMessage, 'endedBy' | 'reason' | 'exitCode' | 'signal'>): void {
    if (this.#over) return;
    this.#over = true;
    for (const alarm of [this.#timeoutAlarm, this.#killAlarm, this.#pipeAlarm]) alarm.clear();
    this.#tree?.close();
    const { output, clock, onOver } = this.#deps;
    output.end();
    onOver({
      type: 'ended',
      id: this.#start.id,
      at: clock.wallMs(),
      ...end,
      outputBytes: output.seenBytes,
      outputTruncated: output.truncated,
    });
  }
}
