/**
 * Ends the runs of a guardian that died, whole trees: it was their parent and their only watch. A
 * run whose start it never confirmed may have been spawned all the same; its run id tells.
 */
import type { Clock } from '../../shared/clock.ts';
import { isYoungerThan } from '../guardian/process-table.ts';
import type { TreeRoot } from '../guardian/process-tree.ts';
import { endTrees } from './end-trees.ts';
import type { PooledRun } from './pooled-run.ts';

const goneLimitMs = 1_000;

/** Resolves when the trees are gone, or after a second: KILL leaves them nothing to do. */
export async function killLostRuns(runs: readonly PooledRun[], clock: Clock): Promise<void> {
  if (runs.length === 0) return;
  await endTrees(
    runs.map((run) => rootOf(run, clock)),
    {
      clock,
      graceMs: 0,
      killLimitMs: goneLimitMs,
      isTwice: runs.some((run) => run.pid === undefined),
    },
  );
}

/** A run's tree as it can be told from here, without being the parent. */
export function rootOf(run: PooledRun, clock: Clock): TreeRoot {
  return {
    runId: run.spec.environment['CRON_RUN_ID'],
    leaderId: run.pid !== undefined && isStillItsGroup(run, run.pid, clock) ? run.pid : undefined,
    isLeaderCollected: false,
  };
}

/**
 * False when the number was given to another process since: this worker may itself have been
 * stopped for long after the guardian died, and nobody else kept the number.
 */
function isStillItsGroup(run: PooledRun, groupId: number, clock: Clock): boolean {
  return !isYoungerThan(groupId, clock.monotonicMs() - run.confirmedAtMs);
}
