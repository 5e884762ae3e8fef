/**
 * The machine's process table, read from /proc: who is whose child, in which group and session, and
 * which run it says it belongs to (`CRON_RUN_ID` of its environment). A reading is no snapshot: what
 * comes and goes meanwhile may be missed, so whoever must be sure reads again.
 * Readings cost milliseconds and hold the thread; they are for runs that are being ended.
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';

/** By how much clocks and their readings may differ. */
const ageSlackMs = 1_000;
/** Linux counts so towards user space on every machine. */
const ticksPerSecond = 100;
/** The parent of the kernel's own threads. */
const kernelThreadsParent = 2;
const entryStart = Buffer.from('\0CRON_RUN_ID=');
const statBytes = 2048;

export interface ProcessEntry {
  readonly pid: number;
  readonly parentId: number;
  readonly groupId: number;
  readonly sessionId: number;
  readonly state: string;
  /** Since the machine's boot; a number that was given away again has another. */
  readonly startTicks: number;
  readonly runId: string | undefined;
}

/** Grows to the longest environment that was met; one reading is done before the next begins. */
let buffer = Buffer.alloc(64 * 1024);

/**
 * Every process but zombies, in the order of their numbers. `onEntry` sees each as soon as it is
 * read. Undefined where there is no /proc.
 */
export function readProcessTable(
  onEntry?: (entry: ProcessEntry) => unknown,
): ProcessEntry[] | undefined {
  let pids: number[];
  try {
    pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  } catch {
    return undefined;
  }
  const entries: ProcessEntry[] = [];
  for (const pid of pids) {
    const entry = readProcess(pid);
    if (entry === undefined) continue;
    entries.push(entry);
    onEntry?.(entry);
  }
  return entries.length === 0 ? undefined : entries;
}

/** Undefined when there is none by that number, or just a zombie. */
export function readProcess(pid: number): ProcessEntry | undefined {
  const stat = readStat(pid);
  if (stat === undefined || stat.state === 'Z' || stat.state === 'X') return undefined;
  const isKernels = pid === kernelThreadsParent || stat.parentId === kernelThreadsParent;
  return { ...stat, runId: isKernels ? undefined : readRunId(pid) };
}

/** Whether the number still is that process's. */
export function isSameProcess({ pid, startTicks }: ProcessEntry): boolean {
  const stat = readStat(pid);
  return stat?.startTicks === startTicks && stat.state !== 'Z' && stat.state !== 'X';
}

/** False when it is gone, or its number another's by now. */
export function signalProcess(entry: ProcessEntry, signal: NodeJS.Signals): boolean {
  if (entry.pid <= 1 || entry.pid === process.pid || !isSameProcess(entry)) return false;
  try {
    // oxlint-disable-next-line no-restricted-properties -- what left its group is signalled here
    process.kill(entry.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** The number that was given away last; 0 when unknown. */
export function readLastPid(): number {
  try {
    return Number(readFileSync('/proc/loadavg', 'utf8').trim().split(' ').at(-1));
  } catch {
    return 0;
  }
}

/** This process and those it descends from: never to be ended by a search for others. */
export function readOwnLine(): ReadonlySet<number> {
  const line = new Set<number>();
  for (let pid = process.pid; pid > 0 && !line.has(pid); pid = readStat(pid)?.parentId ?? 0) {
    line.add(pid);
  }
  return line;
}

/** How long ago the process of that number began; undefined when there is none. */
export function processAgeMs(pid: number): number | undefined {
  const stat = readStat(pid);
  if (stat === undefined) return undefined;
  try {
    const uptimeSeconds = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    return (uptimeSeconds - stat.startTicks / ticksPerSecond) * 1000;
  } catch {
    return undefined;
  }
}

/**
 * Whether the number, that of a process which is `ageMs` old, was given to another one since. Not
 * when there is none.
 */
export function isYoungerThan(pid: number, ageMs: number): boolean {
  const age = processAgeMs(pid);
  return age !== undefined && age + ageSlackMs < ageMs;
}

function readStat(pid: number): Omit<ProcessEntry, 'runId'> | undefined {
  const bytes = readInto(`/proc/${String(pid)}/stat`, 0, statBytes);
  if (bytes === undefined) return undefined;
  const text = buffer.toString('latin1', 0, bytes);
  // The name in parentheses may hold anything, so the fields are counted from its last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parentId, groupId, sessionId] = fields;
  if (state === undefined || sessionId === undefined) return undefined;
  return {
    pid,
    state,
    parentId: Number(parentId),
    groupId: Number(groupId),
    sessionId: Number(sessionId),
    startTicks: Number(fields[19]),
  };
}

function readRunId(pid: number): string | undefined {
  // Behind a zero byte, so that the first variable begins as all others do.
  buffer[0] = 0;
  const bytes = readInto(`/proc/${String(pid)}/environ`, 1, Infinity);
  if (bytes === undefined) return undefined;
  const end = bytes + 1;
  const at = buffer.subarray(0, end).indexOf(entryStart);
  if (at < 0) return undefined;
  const from = at + entryStart.length;
  const to = buffer.subarray(0, end).indexOf(0, from);
  return buffer.toString('utf8', from, to < 0 ? end : to);
}

/** Reads into the buffer from `start` on; undefined when it cannot be read. */
function readInto(path: string, start: number, limit: number): number | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    let filled = start;
    for (;;) {
      const room = Math.min(buffer.length - filled, limit);
      const bytes = readSync(descriptor, buffer, filled, room, null);
      filled += bytes;
      // One read is enough for a stat, and the end of an environment that fitted.
      if (bytes === 0 || limit !== Infinity) return filled - start;
      if (filled === buffer.length) buffer = Buffer.concat([buffer, Buffer.alloc(buffer.length)]);
    }
  } catch {
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}
