/**
 * One run, from its spawn to its end, in a process group of its own.
 * running -> (ending: TERM, grace, KILL) -> leader exited -> whole tree gone or killed -> pipes
 * closed -> over. Without an order to end it, a run is over when its shell has exited and its pipes
 * are closed; a daemon it left behind may hold them for `pipeLimitMs`, is then no longer heard, and
 * lives on, as under cron.
 * Every timer belongs to the run and is cleared when it is over.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Clock } from '../../shared/clock.ts';
import { Alarm } from './alarm.ts';
import type { EndedMessage, StartMessage } from './messages.ts';
import { type OutputRelay, type OutputStream } from './output-relay.ts';
import type { OutputPipe, PipePool } from './pipe-pool.ts';
import type { RunCgroup, RunCgroups } from './run-cgroups.ts';
import { RunTree } from './run-tree.ts';
import { describeSpawnFailure } from './spawn-failure.ts';
import type { TreeWatch } from './tree-watch.ts';

const pipeLimitMs = 500;

export interface RunProcessDependencies {
  readonly clock: Clock;
  readonly output: OutputRelay;
  readonly pipes: PipePool;
  readonly watch: TreeWatch;
  readonly cgroups: RunCgroups | undefined;
  readonly onStarted: (pid: number, at: number) => void;
  /** For the worker's log. */
  readonly onTrouble: (text: string) => void;
  /** The last thing a run does. */
  readonly onOver: (end: EndedMessage) => void;
}

export type EndCause = 'timeout' | 'kill' | 'fence';

export class RunProcess {
  readonly #start: StartMessage;
  readonly #deps: RunProcessDependencies;
  readonly #timeoutAlarm: Alarm;
  readonly #killAlarm: Alarm;
  readonly #pipeAlarm: Alarm;
  readonly #open = new Set<Readable>();
  #tree: RunTree | undefined;
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

  /**
   * `refusal` gives the reason why the run must not start now, if there is one. It is asked right
   * before the spawn, with nothing in between.
   */
  spawn(refusal: () => string | undefined): void {
    const { spec } = this.#start;
    // Here, too: one that comes too late needs no pipes.
    if (this.#isRefused(refusal())) return;
    const pipes: OutputPipe[] = [];
    let child: ChildProcess;
    let cgroup: RunCgroup | undefined;
    const runId = spec.environment['CRON_RUN_ID'];
    try {
      const stdout = this.#takePipe('stdout', pipes);
      const stderr = this.#takePipe('stderr', pipes);
      if (this.#isRefused(refusal())) return;
      const spawnChild = (): ChildProcess =>
        spawn(spec.shell, ['-c', spec.command], {
          cwd: spec.workingDirectory,
          env: spec.environment,
          detached: true,
          stdio: ['ignore', stdout, stderr],
        });
      const { cgroups } = this.#deps;
      if (cgroups === undefined) child = spawnChild();
      else ({ value: child, cgroup } = cgroups.spawnInside(runId, spawnChild));
    } catch (error) {
      this.#failToSpawn(error);
      return;
    } finally {
      for (const pipe of pipes) closeSync(pipe.writeDescriptor);
    }
    for (const [name, stream] of [
      ['stdout', child.stdout],
      ['stderr', child.stderr],
    ] as const) {
      stream?.on('data', (chunk: Buffer) => this.#onChunk(name, stream, chunk));
      if (stream !== null) this.#watch(stream);
    }
    if (child.pid === undefined) {
      cgroup?.leave();
      child.once('error', (error) => this.#failToSpawn(error));
      return;
    }
    child.once('exit', (code, signal) => this.#onExit(code, signal));
    const { clock, watch } = this.#deps;
    this.#tree = new RunTree({
      clock,
      watch,
      leaderId: child.pid,
      runId,
      cgroup,
      isHeld: () => this.#open.size > 0 && !this.#paused,
      onGone: (left) => this.#onTreeGone(left),
    });
    this.#timeoutAlarm.set(clock.monotonicMs() + spec.timeoutMs);
    this.#deps.onStarted(child.pid, clock.wallMs());
  }

  /**
   * TERM now and KILL after the grace; a grace of 0 is KILL at once. The first cause is the one
   * that is reported; a later call can only bring the KILL nearer.
   */
  end(cause: EndCause, graceMs: number): void {
    const tree = this.#tree;
    if (this.#over || tree === undefined || this.#isKilled || this.#treeOver) return;
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
    if (!this.#treeOver) this.#tree?.abandon();
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

  /** What goes into the child's stdio: the end of a real pipe, or Node's word for one of its own. */
  #takePipe(name: OutputStream, taken: OutputPipe[]): number | 'pipe' {
    const pipe = this.#deps.pipes.take((chunk) => this.#onChunk(name, pipe?.reader, chunk));
    if (pipe === undefined) return 'pipe';
    taken.push(pipe);
    this.#watch(pipe.reader);
    return pipe.writeDescriptor;
  }

  #onChunk(name: OutputStream, stream: Readable | undefined, chunk: Buffer): void {
    this.#deps.output.push(name, chunk);
    // At the child's exit Node resumes the streams it made by itself.
    if (this.#paused) stream?.pause();
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

  #isRefused(reason: string | undefined): boolean {
    if (reason !== undefined) this.#finishUnstarted('refused', reason);
    return reason !== undefined;
  }

  #failToSpawn(error: unknown): void {
    this.#finishUnstarted('spawn-error', describeSpawnFailure(error, this.#start.spec));
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
