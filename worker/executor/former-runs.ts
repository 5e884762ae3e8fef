/**
 * Ends what a former life of this worker left running: worker and guardian killed together leave
 * their runs alive, unwatched, while the fleet settles them as lost. TERM, a short grace, KILL.
 * Daemons of runs that had ended by themselves are left alone.
 */
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/log.ts';
import { findRunCgroup } from '../guardian/run-cgroups.ts';
import { endTrees } from './end-trees.ts';
import type { OpenRuns } from './open-runs.ts';

const graceMs = 1_000;
const killLimitMs = 2_000;

/** `former` are runs by id with their job's name; those of which nothing is left are closed. */
export async function endFormerRuns(
  former: ReadonlyMap<string, string>,
  openRuns: OpenRuns,
  clock: Clock,
  logger: Logger,
): Promise<void> {
  if (former.size === 0) return;
  const roots = [...former].map(([runId, job]) => ({
    runId,
    job,
    leaderId: undefined,
    isLeaderCollected: true,
  }));
  const ended = await endTrees(roots, { clock, graceMs, killLimitMs });
  for (const [{ runId, job }, { found, left }] of ended) {
    const cgroup = findRunCgroup(runId);
    const isInhabited = cgroup?.isPopulated() === true;
    cgroup?.kill();
    cgroup?.leave();
    if (left > 0) {
      logger.error(
        { runId, job, processes: left },
        'a run of the former life does not end on KILL',
      );
      continue;
    }
    openRuns.remove(runId);
    if (found > 0 || isInhabited) {
      logger.warn({ runId, job, processes: found }, 'ended a run that the former life left');
    }
  }
}
