/**
 * A real executor, with its real guardian, for a test: runs with sensible defaults, what they said,
 * and looks at the processes behind them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { systemClock } from '../../shared/clock.ts';
import { createLogger } from '../../shared/log.ts';
import { createExecutor, type ExecutorOptions } from '../../worker/executor/create-executor.ts';
import type {
  Executor,
  OutputPiece,
  RunHandle,
  RunResult,
  RunSpec,
} from '../../worker/executor/port.ts';
import { waitFor } from './server-process.ts';

export const now = (): number => systemClock.monotonicMs();

export interface RigRun {
  readonly handle: RunHandle;
  readonly result: Promise<RunResult>;
  readonly pieces: OutputPiece[];
  /** The pid, once it is started. */
  readonly started: Promise<number>;
  /** Both streams in their order, once it is over. */
  text(): Promise<string>;
}

let runCount = 0;

export function createSpec(command: string, overrides: Partial<RunSpec> = {}): RunSpec {
  runCount += 1;
  const runId = overrides.runId ?? `run-${String(process.pid)}-${String(runCount)}`;
  return {
    runId,
    job: 'test',
    shell: '/bin/sh',
    command,
    workingDirectory: tmpdir(),
    environment: { PATH: '/usr/bin:/bin', CRON_RUN_ID: runId },
    timeoutMs: 60_000,
    killGraceMs: 1_000,
    maxOutputBytes: 1024 * 1024,
    guarded: false,
    ...overrides,
  };
}

export async function startExecutor(
  slots = 8,
  guardianPath?: string,
  more: Partial<ExecutorOptions> = {},
): Promise<Executor> {
  const executor = createExecutor({
    slots,
    clock: systemClock,
    logger: createLogger('worker', 'silent'),
    random: Math.random,
    stopGraceMs: 500,
    ...(guardianPath === undefined ? {} : { guardianPath }),
    ...more,
  });
  await executor.start();
  executor.setDeadline(now() + 3_600_000);
  return executor;
}

export function runOn(
  executor: Executor,
  command: string,
  overrides: Partial<RunSpec> = {},
  startBy = now() + 10_000,
): RigRun {
  const pieces: OutputPiece[] = [];
  let resolveStarted: (pid: number) => void = () => undefined;
  const started = new Promise<number>((resolve) => {
    resolveStarted = resolve;
  });
  const handle = executor.run(
    createSpec(command, overrides),
    {
      onStarted: (_at, pid) => resolveStarted(pid),
      onOutput: (piece) => pieces.push(piece),
    },
    startBy,
  );
  return {
    handle,
    result: handle.result,
    pieces,
    started,
    text: async () => {
      await handle.result;
      return Buffer.concat(pieces.map((piece) => piece.data)).toString('utf8');
    },
  };
}

export interface ProcessInfo {
  readonly pid: number;
  readonly state: string;
  readonly parentId: number;
  readonly groupId: number;
}

export function readProcess(pid: number): ProcessInfo | undefined {
  try {
    const text = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    const [state = '?', parentId, groupId] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { pid, state, parentId: Number(parentId), groupId: Number(groupId) };
  } catch {
    return undefined;
  }
}

/** A zombie is not alive: whether somebody collects orphans is the machine's business. */
export function isAlive(pid: number): boolean {
  const state = readProcess(pid)?.state;
  return state !== undefined && state !== 'Z' && state !== 'X';
}

export function listProcesses(): ProcessInfo[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProcess(Number(name)))
    .filter((info) => info !== undefined)
    .filter((info) => info.state !== 'Z' && info.state !== 'X');
}

export function liveMembers(groupId: number): number[] {
  return listProcesses()
    .filter((info) => info.groupId === groupId)
    .map((info) => info.pid);
}

/** The guardians that `workerPid` has as children. */
export function findGuardians(workerPid = process.pid): number[] {
  return listProcesses()
    .filter((info) => info.parentId === workerPid && readCommandLine(info.pid).includes('guardian'))
    .map((info) => info.pid);
}

export function theGuardian(workerPid = process.pid): number {
  const [pid, ...others] = findGuardians(workerPid);
  if (pid === undefined || others.length > 0) throw new Error('there is not exactly one guardian');
  return pid;
}

/** The process that starts the guardian's runs; undefined while Node does. */
export function findSpawner(guardianPid: number): number | undefined {
  return listProcesses().find((info) => info.parentId === guardianPid && isSpawner(info.pid))?.pid;
}

/** Resolves with the spawner's pid once it is the one that starts the executor's runs. */
export async function theSpawner(executor: Executor): Promise<number> {
  const untilMs = now() + 10_000;
  while (now() < untilMs) {
    const parent = Number(await runOn(executor, 'echo $PPID').text());
    if (isSpawner(parent)) return parent;
  }
  throw new Error('Node starts the runs');
}

function isSpawner(pid: number): boolean {
  return readCommandLine(pid).startsWith('cronmesh spawner');
}

function readCommandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** The most memory it ever held, or holds now, in MiB. */
export function readMemoryMib(pid: number, what: 'VmHWM' | 'VmRSS'): number {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  const kib = new RegExp(`^${what}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  if (kib === undefined) throw new Error(`no ${what} of ${String(pid)}`);
  return Number(kib) / 1024;
}

/** The peak counts from here on, where the system lets it be reset. */
export function resetPeakMemory(pid: number, write: (path: string, text: string) => void): void {
  write(`/proc/${String(pid)}/clear_refs`, '5');
}

export function countDescriptors(pid: number): number {
  return readdirSync(`/proc/${String(pid)}/fd`).length;
}

export async function waitUntil(
  what: string,
  check: () => boolean,
  timeoutMs = 10_000,
): Promise<void> {
  await waitFor(check, { timeoutMs, describe: () => what, intervalMs: 10 });
}
