/**
 * Ends the process trees of runs that no guardian watches any more, from the worker itself: TERM
 * where there is a grace, then KILL, repeated until a reading of the process table finds none.
 */
import { sleep, type Clock } from '../../shared/clock.ts';
import { signalGroup } from '../guardian/process-group.ts';
import { readTableKilling } from '../guardian/hunt.ts';
import { readOwnLine, signalProcess, type ProcessEntry } from '../guardian/process-table.ts';
import { findTrees, type TreeRoot } from '../guardian/process-tree.ts';

const pollMs = 20;
const huntMs = 2;

export interface EndTreesOptions {
  readonly clock: Clock;
  /** Between TERM and KILL; 0 is KILL at once. */
  readonly graceMs: number;
  /** How long it goes on after the first KILL. */
  readonly killLimitMs: number;
  /** A process may bear its run's id only later: between its fork and its exec. */
  readonly isTwice?: boolean;
}

export interface EndedTree {
  /** Processes that were met. */
  readonly found: number;
  /** Processes that are still there. */
  readonly left: number;
}

/** `found` is 0 for a run of which nothing was left. */
export async function endTrees<Root extends TreeRoot>(
  roots: readonly Root[],
  options: EndTreesOptions,
): Promise<Map<Root, EndedTree>> {
  const { clock, graceMs, killLimitMs } = options;
  if (graceMs <= 0) {
    for (const { leaderId } of roots) {
      if (leaderId !== undefined) signalGroup(leaderId, 'SIGKILL');
    }
  }
  const met = new Map(roots.map((root) => [root, new Set<string>()]));
  const killAtMs = clock.monotonicMs() + graceMs;
  let isHunt = false;
  let cleanRounds = 0;
  for (;;) {
    const isKilling = clock.monotonicMs() >= killAtMs;
    const trees = readTrees(roots, isKilling);
    let left = 0;
    for (const [root, members] of trees) {
      left += members.length;
      for (const member of members) {
        const key = `${String(member.pid)} ${String(member.startTicks)}`;
        const isNew = met.get(root)?.has(key) !== true;
        met.get(root)?.add(key);
        if (isKilling) signalProcess(member, 'SIGKILL');
        else if (isNew) {
          signalProcess(member, 'SIGTERM');
          signalProcess(member, 'SIGCONT');
        }
      }
    }
    isHunt ||= isKilling && left > 0;
    cleanRounds = left === 0 ? cleanRounds + 1 : 0;
    const isDone = cleanRounds >= (isHunt || options.isTwice === true ? 2 : 1);
    if (isDone || clock.monotonicMs() >= killAtMs + killLimitMs) {
      const found = [...met].map(([root, keys]): [Root, EndedTree] => [
        root,
        { found: keys.size, left: trees.get(root)?.length ?? 0 },
      ]);
      return new Map(found);
    }
    await sleep(clock, isKilling && left > 0 ? huntMs : pollMs);
  }
}

/** One reading. What is to be killed and bears its run's id is killed as soon as it is seen. */
function readTrees<Root extends TreeRoot>(
  roots: readonly Root[],
  isKilling: boolean,
): Map<Root, ProcessEntry[]> {
  const spared = readOwnLine();
  const condemned = new Set<string>();
  for (const { runId } of isKilling ? roots : []) if (runId !== undefined) condemned.add(runId);
  return findTrees(readTableKilling(condemned, spared) ?? [], roots, spared);
}
