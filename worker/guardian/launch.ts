/**
 * The start of a run's shell, by one of two ways that look the same from here on: the spawner, or
 * Node's own spawn where there is none, and for what the spawner does not take. A shell's first start
 * is Node's, too: it says at once what is wrong with one that cannot be executed, while the spawner
 * learns of it only when the run is already told to have started.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Clock } from '../../shared/clock.ts';
import type { StartMessage } from './messages.ts';
import type { OutputStream } from './output-relay.ts';
import type { OutputPipe, PipePool } from './pipe-pool.ts';
import type { RunCgroup, RunCgroups } from './run-cgroups.ts';
import type { Spawner } from './spawner.ts';

export interface LauncherOptions {
  readonly clock: Clock;
  readonly pipes: PipePool;
  readonly cgroups: RunCgroups | undefined;
  readonly spawner: Spawner | undefined;
}

export interface LaunchListener {
  /** Its output is there from now on; it is a child of the guardian's, or of the guardian's own. */
  onStarted(started: StartedShell): void;
  /** Instead of onStarted, or right after it; the last word. */
  onFailed(error: unknown): void;
  /** Instead of onStarted: `beforeMs` came first. */
  onLate(): void;
  onExit(code: number | null, signal: string | null): void;
  onChunk(name: OutputStream, stream: Readable, chunk: Buffer): void;
}

export interface StartedShell {
  readonly pid: number;
  /** Monotonic ms. */
  readonly atMs: number;
  readonly streams: readonly Readable[];
  readonly cgroup: RunCgroup | undefined;
}

type Pipes = readonly [OutputPipe, OutputPipe];

const streamNames = ['stdout', 'stderr'] as const;

export class Launcher {
  readonly #options: LauncherOptions;
  readonly #provenShells = new Set<string>();

  constructor(options: LauncherOptions) {
    this.#options = options;
  }

  /** `beforeMs`, monotonic, was looked at just now. Errors are told to the listener. */
  launch(spec: StartMessage['spec'], beforeMs: number, listener: LaunchListener): void {
    let pipes: Pipes | undefined;
    try {
      pipes = this.#takePipes();
    } catch (error) {
      listener.onFailed(error);
      return;
    }
    if (pipes === undefined || !this.#launchApart(spec, beforeMs, pipes, listener)) {
      this.#launchHere(spec, beforeMs, pipes, listener);
    }
  }

  #takePipes(): Pipes | undefined {
    const stdout = this.#options.pipes.take();
    if (stdout === undefined) return undefined;
    try {
      const stderr = this.#options.pipes.take();
      if (stderr !== undefined) return [stdout, stderr];
    } catch (error) {
      stdout.giveBack();
      throw error;
    }
    stdout.giveBack();
    return undefined;
  }

  /** False when it is not for the spawner. */
  #launchApart(
    spec: StartMessage['spec'],
    beforeMs: number,
    pipes: Pipes,
    listener: LaunchListener,
  ): boolean {
    const { spawner, cgroups } = this.#options;
    // Into a cgroup a child gets by the guardian's own step.
    if (spawner === undefined || cgroups !== undefined || !this.#provenShells.has(spec.shell)) {
      return false;
    }
    const [stdout, stderr] = pipes;
    const order = { ...spec, beforeMs, stdout: stdout.descriptor, stderr: stderr.descriptor };
    let isStarted = false;
    const giveBack = (): void => {
      for (const pipe of pipes) pipe.giveBack();
    };
    return spawner.spawn(order, {
      onStarted: (pid, atMs) => {
        isStarted = true;
        const streams = readPipes(pipes, listener);
        listener.onStarted({ pid, atMs, streams, cgroup: undefined });
      },
      onFailed: (code) => {
        if (isStarted) this.#provenShells.delete(spec.shell);
        else giveBack();
        listener.onFailed(Object.assign(new Error(code), { code }));
      },
      onLate: () => {
        giveBack();
        listener.onLate();
      },
      onExit: (code, signal) => listener.onExit(code, signal),
    });
  }

  #launchHere(
    spec: StartMessage['spec'],
    beforeMs: number,
    pipes: Pipes | undefined,
    listener: LaunchListener,
  ): void {
    const { clock, cgroups } = this.#options;
    const writers: number[] = [];
    let child: ChildProcess;
    let cgroup: RunCgroup | undefined;
    try {
      for (const pipe of pipes ?? []) writers.push(pipe.openWriter());
      const [stdout = 'pipe', stderr = 'pipe'] = writers;
      // Making pipes may have taken its time.
      if (clock.monotonicMs() >= beforeMs) {
        for (const pipe of pipes ?? []) pipe.giveBack();
        listener.onLate();
        return;
      }
      const spawnChild = (): ChildProcess =>
        spawn(spec.shell, ['-c', spec.command], {
          cwd: spec.workingDirectory,
          env: spec.environment,
          detached: true,
          stdio: ['ignore', stdout, stderr],
        });
      if (cgroups === undefined) child = spawnChild();
      else {
        const runId = spec.environment['CRON_RUN_ID'];
        ({ value: child, cgroup } = cgroups.spawnInside(runId, spawnChild));
      }
    } catch (error) {
      for (const pipe of pipes ?? []) pipe.giveBack();
      listener.onFailed(error);
      return;
    } finally {
      for (const writer of writers) closeSync(writer);
    }
    const { pid } = child;
    if (pid === undefined) {
      cgroup?.leave();
      for (const pipe of pipes ?? []) pipe.giveBack();
      child.once('error', (error) => listener.onFailed(error));
      return;
    }
    this.#provenShells.add(spec.shell);
    const streams = pipes === undefined ? readSockets(child, listener) : readPipes(pipes, listener);
    child.once('exit', (code, signal) => listener.onExit(code, signal));
    listener.onStarted({ pid, atMs: clock.monotonicMs(), streams, cgroup });
  }
}

function readPipes(pipes: Pipes, listener: LaunchListener): Readable[] {
  return streamNames.map((name, index) => {
    const pipe = pipes[index];
    if (pipe === undefined) throw new Error('a run has two pipes');
    const stream: Readable = pipe.read((chunk) => listener.onChunk(name, stream, chunk));
    return stream;
  });
}

/** Node's own kind, where no pipes are to be had. */
function readSockets(child: ChildProcess, listener: LaunchListener): Readable[] {
  return streamNames.flatMap((name) => {
    const stream = child[name];
    stream?.on('data', (chunk: Buffer) => listener.onChunk(name, stream, chunk));
    return stream === null ? [] : [stream];
  });
}
