/**
 * Ends the runs of a guardian that died: it was their parent and their only watch. A run whose
 * start it never confirmed may have been spawned all the same, so it is looked for by its run id.
 */
import { sleep, type Clock } from '../../shared/clock.ts';
import {
  findGroupsByEnvironment,
  groupExists,
  leaderAgeMs,
  readLiveGroups,
  signalGroup,
} from '../guardian/process-group.ts';
import type { PooledRun } from './pooled-run.ts';

const goneLimitMs = 1_000;
const pollMs = 20;
const ageSlackMs = 1_000;

/** Resolves when the groups are gone, or after a second: KILL leaves them nothing to do. */
export async function killLostRuns(runs: readonly PooledRun[], clock: Clock): Promise<void> {
  const groups = new Set<number>();
  const unconfirmed: string[] = [];
  for (const run of runs) {
    const runId = run.spec.environment['CRON_RUN_ID'];
    if (run.pid !== undefined) {
      if (isStillItsGroup(run, run.pid, clock)) groups.add(run.pid);
    } else if (runId !== undefined) unconfirmed.push(`CRON_RUN_ID=${runId}`);
  }
  const limitMs = clock.monotonicMs() + goneLimitMs;
  for (const group of groups) signalGroup(group, 'SIGKILL');
  for (let isFirst = true; ; isFirst = false) {
    // Twice: a child caught between its fork and its exec bears its environment only later.
    for (const entry of unconfirmed) {
      for (const group of findGroupsByEnvironment(entry)) {
        groups.add(group);
        signalGroup(group, 'SIGKILL');
      }
    }
    const live = isFirst ? undefined : readLiveGroups();
    for (const group of groups) {
      if (!groupExists(group) || live?.has(group) === false) groups.delete(group);
    }
    const isDone = groups.size === 0 && (unconfirmed.length === 0 || !isFirst);
    if (isDone || clock.monotonicMs() >= limitMs) return;
    await sleep(clock, pollMs);
  }
}

/**
 * False when the number was given to another process since: this worker may itself have been
 * stopped for long after the guardian died, and nobody else kept the number.
 */
function isStillItsGroup(run: PooledRun, groupId: number, clock: Clock): boolean {
  const ageMs = leaderAgeMs(groupId);
  return ageMs === undefined || ageMs + ageSlackMs >= clock.monotonicMs() - run.confirmedAtMs;
}
