/**
 * Signals to a run's process group, the one that its shell leads.
 * A group's number may be signalled only while the group is believed alive: the kernel keeps it
 * from being used again as long as one member is left, and not a moment longer.
 */

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
