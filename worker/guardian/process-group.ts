/**
 * A run's processes as the system can address them: the process group that its shell leads.
 * Everything that signals or looks for a run's processes goes through this file, so that a wider
 * hold (a cgroup, processes that left the group) has one place to come in.
 * A group's number may be signalled only while the group is believed alive: the kernel keeps it
 * from being used again as long as one member is left, and not a moment longer.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts so towards user space on every machine. */
const ticksPerSecond = 100;

/** Signals every member. False when there is none left (never an error). */
export function signalGroup(groupId: number, signal: NodeJS.Signals): boolean {
  return kill(groupId, signal);
}

/** TERM, and CONT so that stopped members get to see it. */
export function terminateGroup(groupId: number): boolean {
  return kill(groupId, 'SIGTERM') && kill(groupId, 'SIGCONT');
}

/** Members that have ended but were not collected by their parent count, too. */
export function groupExists(groupId: number): boolean {
  return kill(groupId, 0);
}

function kill(groupId: number, signal: NodeJS.Signals | 0): boolean {
  // 0 and 1 would address the caller's own group and every process there is.
  if (!Number.isInteger(groupId) || groupId <= 1) return false;
  try {
    // oxlint-disable-next-line no-restricted-properties -- the one place that signals runs
    process.kill(-groupId, signal);
    return true;
  } catch (error) {
    // EPERM: members are there, and run as somebody else.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/**
 * The groups that have a member which is not just a zombie, from the process table; undefined
 * where there is no /proc. Under a first process that collects no orphans (common in containers)
 * the zombies of a group outlive it for ever.
 */
export function readLiveGroups(): ReadonlySet<number> | undefined {
  const groups = new Set<number>();
  let names: string[];
  try {
    names = readdirSync('/proc');
  } catch {
    return undefined;
  }
  for (const name of names) {
    const stat = readProcessStat(name);
    if (stat !== undefined && stat.state !== 'Z' && stat.state !== 'X') groups.add(stat.groupId);
  }
  return groups.size === 0 ? undefined : groups;
}

/** The groups, other than the caller's, with a member in whose environment `entry` (`NAME=value`) stands. */
export function findGroupsByEnvironment(entry: string): number[] {
  const groups = new Set<number>();
  const wanted = Buffer.from(`\0${entry}\0`);
  let names: string[];
  try {
    names = readdirSync('/proc');
  } catch {
    return [];
  }
  const own = readProcessStat('self')?.groupId;
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue;
    const block = readEnvironment(name);
    if (block === undefined || !block.includes(wanted)) continue;
    const groupId = readProcessStat(name)?.groupId;
    if (groupId !== undefined && groupId !== own) groups.add(groupId);
  }
  return [...groups];
}

function readEnvironment(processName: string): Buffer | undefined {
  try {
    return Buffer.concat([Buffer.from('\0'), readFileSync(`/proc/${processName}/environ`)]);
  } catch {
    return undefined;
  }
}

/** How long ago the process that bears the group's number began; undefined when there is none. */
export function leaderAgeMs(groupId: number): number | undefined {
  const leader = readProcessStat(String(groupId));
  if (leader === undefined) return undefined;
  try {
    const uptimeSeconds = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    return (uptimeSeconds - leader.startTicks / ticksPerSecond) * 1000;
  } catch {
    return undefined;
  }
}

interface ProcessStat {
  readonly state: string;
  readonly groupId: number;
  /** Since the machine's boot. */
  readonly startTicks: number;
}

function readProcessStat(processName: string): ProcessStat | undefined {
  if (processName !== 'self' && !/^\d+$/.test(processName)) return undefined;
  try {
    const text = readFileSync(`/proc/${processName}/stat`, 'utf8');
    // The name in parentheses may hold anything, so the fields are counted from its last one.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const state = fields[0];
    if (state === undefined) return undefined;
    return { state, groupId: Number(fields[2]), startTicks: Number(fields[19]) };
  } catch {
    return undefined;
  }
}
