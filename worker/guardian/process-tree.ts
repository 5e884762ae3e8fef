/**
 * Which processes belong to a run: its group, its session, whoever bears its run id in the
 * environment (which survives setsid and double forks), who was found to be its own before, and
 * the descendants of all these. What empties or overwrites its environment and is an orphan in a
 * session of its own before the first look belongs to nobody.
 */
import type { ProcessEntry } from './process-table.ts';

export interface TreeRoot {
  readonly runId: string | undefined;
  /** Number of the run's shell, of its group and of its session. */
  readonly leaderId: number | undefined;
  /** The shell has ended and was collected: a process of that number is another one. */
  readonly isLeaderCollected: boolean;
  /** Start times of processes found earlier, by pid: once of the run, always of the run. */
  readonly known?: ReadonlyMap<number, number>;
}

/** `spared` processes belong to nobody, whatever they bear. Every root has a list. */
export function findTrees<Root extends TreeRoot>(
  table: readonly ProcessEntry[],
  roots: Iterable<Root>,
  spared: ReadonlySet<number>,
): Map<Root, ProcessEntry[]> {
  const byPid = new Map(table.map((entry) => [entry.pid, entry]));
  const trees = new Map<Root, ProcessEntry[]>();
  const byRunId = new Map<string, Root>();
  const byLeader = new Map<number, Root>();
  const byKnown = new Map<number, Root>();
  for (const root of roots) {
    trees.set(root, []);
    if (root.runId !== undefined) byRunId.set(root.runId, root);
    for (const [pid, startTicks] of root.known ?? []) {
      if (byPid.get(pid)?.startTicks === startTicks) byKnown.set(pid, root);
    }
    const { leaderId } = root;
    if (leaderId === undefined || leaderId <= 1) continue;
    // The kernel gives a number away only when no group and no session bears it any more.
    if (root.isLeaderCollected && byPid.has(leaderId)) continue;
    byLeader.set(leaderId, root);
  }
  const owners = new Map<number, Root | undefined>();
  const ownOwner = (entry: ProcessEntry): Root | undefined =>
    (entry.runId === undefined ? undefined : byRunId.get(entry.runId)) ??
    byLeader.get(entry.groupId) ??
    byLeader.get(entry.sessionId) ??
    byKnown.get(entry.pid);
  // A loop, for a chain of parents may be as long as the table, and a torn reading may hold a ring.
  const ownerOf = (first: ProcessEntry): Root | undefined => {
    const line: number[] = [];
    let owner: Root | undefined;
    for (let entry: ProcessEntry | undefined = first; entry !== undefined;) {
      if (owners.has(entry.pid)) {
        owner = owners.get(entry.pid);
        break;
      }
      line.push(entry.pid);
      owners.set(entry.pid, undefined);
      if (spared.has(entry.pid)) break;
      owner = ownOwner(entry);
      if (owner !== undefined) break;
      const parent = byPid.get(entry.parentId);
      // A parent that is younger than its child is another one with its number.
      entry = parent === undefined || parent.startTicks > entry.startTicks ? undefined : parent;
    }
    for (const pid of line) owners.set(pid, owner);
    return owner;
  };
  for (const entry of table) {
    const owner = ownerOf(entry);
    if (owner !== undefined) trees.get(owner)?.push(entry);
  }
  return trees;
}
