/**
 * One run, from its spawn to its end, in a process group of its own.
 * running -> (ending: TERM, grace, KILL) -> leader exited -> group gone or killed -> pipes closed
 * -> over. Without an order to end it, a run is over when its shell has exited and its pipes are
 * closed; a daemon it left behind may hold them for `pipeLimitMs` and is then no longer heard.
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
import { groupExists, signalGroup, terminateGroup } from './process-group.ts';
import { describeSpawnFailure } from './spawn-failure.ts';

const pipeLimitMs = 500;
/** For members that even KILL does not remove at once (uninterruptible waits). */
const afterKillLimitMs = 500;
const groupPollMs = 20;
/** The process table is read at the poll of this number, and at twice, four times... it. */
const firstTablePoll = 2;

export interface RunProcessDependencies {
  readonly clock: Clock;
  readonly output: OutputRelay;
  readonly pipes: PipePool;
  /** False when only zombies are left of a group that still exists. */
  readonly hasLiveMember: (groupId: number) => boolean;
  readonly onStarted: (pid: number, at: number) => void;
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
  readonly #pollAlarm: Alarm;
  readonly #open = new Set<Readable>();
  #groupId = 0;
  #exit: { code: number | null; signal: string | null } | undefined;
  #cause: EndCause | undefined;
  #killedAtMs: number | undefined;
  #groupOver = false;
  #polls = 0;
  #nextTablePoll = firstTablePoll;
  #paused = false;
  #over = false;

  constructor(start: StartMessage, deps: RunProcessDependencies) {
    this.#start = start;
    this.#deps = deps;
    const { clock } = deps;
    this.#timeoutAlarm = new Alarm(clock, () => this.end('timeout', start.spec.killGraceMs));
    this.#killAlarm = new Alarm(clock, () => this.#kill());
    this.#pipeAlarm = new Alarm(clock, () => this.#giveUpPipes());
    this.#pollAlarm = new Alarm(clock, () => this.#pollGroup());
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
    try {
      const stdout = this.#takePipe('stdout', pipes);
      const stderr = this.#takePipe('stderr', pipes);
      if (this.#isRefused(refusal())) return;
      child = spawn(spec.shell, ['-c', spec.command], {
        cwd: spec.workingDirectory,
        env: spec.environment,
        detached: true,
        stdio: ['ignore', stdout, stderr],
      });
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
      child.once('error', (error) => this.#failToSpawn(error));
      return;
    }
    this.#groupId = child.pid;
    child.once('exit', (code, signal) => this.#onExit(code, signal));
    const { clock } = this.#deps;
    this.#timeoutAlarm.set(clock.monotonicMs() + spec.timeoutMs);
    this.#deps.onStarted(child.pid, clock.wallMs());
  }

  /**
   * TERM now and KILL after the grace; a grace of 0 is KILL at once. The first cause is the one
   * that is reported; a later call can only bring the KILL nearer.
   */
  end(cause: EndCause, graceMs: number): void {
    if (this.#over || this.#groupId === 0 || this.#killedAtMs !== undefined) return;
    if (this.#exit !== undefined && (this.#groupOver || !groupExists(this.#groupId))) return;
    const first = this.#cause === undefined;
    this.#cause ??= cause;
    this.#timeoutAlarm.clear();
    if (graceMs <= 0) {
      this.#kill();
    } else {
      if (first) terminateGroup(this.#groupId);
      const killAt = this.#deps.clock.monotonicMs() + graceMs;
      this.#killAlarm.set(Math.min(killAt, this.#killAlarm.atMs));
    }
    if (this.#exit !== undefined && first) this.#pollGroup();
  }

  /** KILL, and nothing more: the guardian is about to end. */
  abandon(): void {
    if (!this.#groupOver && this.#groupId !== 0) signalGroup(this.#groupId, 'SIGKILL');
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
    if (this.#cause === undefined) this.#settle();
    else this.#pollGroup();
  }

  #kill(): void {
    this.#killAlarm.clear();
    this.#killedAtMs = this.#deps.clock.monotonicMs();
    this.#polls = 0;
    this.#nextTablePoll = firstTablePoll;
    signalGroup(this.#groupId, 'SIGKILL');
  }

  /** Once the leader has exited on an order: until no member is left, or what is left was killed. */
  #pollGroup(): void {
    if (this.#over || this.#groupOver) return;
    const nowMs = this.#deps.clock.monotonicMs();
    this.#polls += 1;
    const gone =
      !groupExists(this.#groupId) ||
      this.#hasOnlyZombies() ||
      (this.#killedAtMs !== undefined && nowMs - this.#killedAtMs >= afterKillLimitMs);
    if (!gone) {
      this.#pollAlarm.set(nowMs + groupPollMs);
      return;
    }
    this.#groupOver = true;
    this.#killAlarm.clear();
    this.#settle();
  }

  #hasOnlyZombies(): boolean {
    if (this.#polls < this.#nextTablePoll) return false;
    this.#nextTablePoll *= 2;
    return !this.#deps.hasLiveMember(this.#groupId);
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
    if (this.#cause !== undefined && !this.#groupOver) return;
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
    for (const alarm of [this.#timeoutAlarm, this.#killAlarm, this.#pipeAlarm, this.#pollAlarm]) {
      alarm.clear();
    }
    const { output, clock, onOver } = this.#deps;
    output.flush();
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
