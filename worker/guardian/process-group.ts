/**
 * A run's processes as the system can address them: the process group that its shell leads.
 * Everything that signals or looks for a run's processes goes through this file, so that a wider
 * hold (a cgroup, processes that left the group) has one place to come in.
 * A group's number may be signalled only while the group is believed alive: the kernel keeps it
 * from being used again as long as one member is left, and not a moment longer.
 */
import { readdirSync, readFileSync } from 'node:fs';

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

function readProcessStat(processName: string): { state: string; groupId: number } | undefined {
  if (processName !== 'self' && !/^\d+$/.test(processName)) return undefined;
  try {
    const text = readFileSync(`/proc/${processName}/stat`, 'utf8');
    // The name in parentheses may hold anything, so the fields are counted from its last one.
    const [state, , groupId] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return state === undefined ? undefined : { state, groupId: Number(groupId) };
  } catch {
    return undefined;
  }
}
