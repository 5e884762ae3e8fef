/**
 * What the worker knows of running things. The executor never spawns on the worker's own thread:
 * a guardian process beside the worker spawns, owns the process trees and the session deadline,
 * and ends guarded runs by itself when that deadline passes, even while the worker is stopped.
 */
import type { Component } from '../../shared/lifecycle.ts';

export interface RunSpec {
  readonly runId: string;
  readonly job: string;
  /** Run as `shell -c command` in a process group of its own. */
  readonly shell: string;
  readonly command: string;
  readonly workingDirectory: string;
  /** The whole environment; nothing is inherited beside it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Between TERM and KILL of the whole process tree. */
  readonly killGraceMs: number;
  /** Kept bytes of stdout and stderr together; the rest is counted and dropped. */
  readonly maxOutputBytes: number;
  /** A guarded run is killed at once (KILL) when the session deadline passes. */
  readonly guarded: boolean;
}

export type EndedBy =
  'itself' | 'timeout' | 'kill' | 'fence' | 'guardian-lost' | 'spawn-error' | 'refused';

export interface RunResult {
  /** Wall times, epoch ms. startedAt is absent when nothing was started. */
  readonly startedAt?: number;
  readonly endedAt: number;
  readonly endedBy: EndedBy;
  /** For people, e.g. `spawn /no/such ENOENT`; absent when the run ended by itself. */
  readonly reason?: string;
  readonly exitCode?: number;
  readonly signal?: string;
  readonly outputBytes: number;
  readonly outputTruncated: boolean;
}

export interface OutputPiece {
  readonly stream: 'stdout' | 'stderr';
  /** Position in the run's merged output (arrival order), kept bytes only. */
  readonly offset: number;
  readonly at: number;
  readonly data: Buffer;
}

export interface RunListener {
  onStarted(startedAt: number, pid: number): void;
  /** Called in order; at most about every 100 ms a stream, coalesced (20 ms when hurried). */
  onOutput(piece: OutputPiece): void;
}

export interface RunHandle {
  readonly runId: string;
  /** Always resolves, after the last onOutput. */
  readonly result: Promise<RunResult>;
  /** TERM to the whole process tree, KILL after the grace (default: the spec's). Idempotent. */
  kill(reason: string, graceMs?: number): void;
  /** Whether somebody waits for the output: pieces come sooner then, and are smaller. */
  hurryOutput(isHurried: boolean): void;
}

export interface Executor extends Component {
  readonly slots: number;
  running(): number;
  /** Slots neither running nor promised to a run that is about to start. */
  freeSlots(): number;
  /** Runs under the p-limit pool of `slots`. `startBy` (monotonic ms): refused when it is later than that at the moment of spawning. */
  run(spec: RunSpec, listener: RunListener, startBy: number): RunHandle;
  /** Moves the session deadline (monotonic ms, shared by all processes of the machine); 0: no session, no starts. */
  setDeadline(deadlineMs: number): void;
  /** False while the guardian is being restarted; nothing is claimed then. */
  healthy(): boolean;
}
