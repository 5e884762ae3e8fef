/**
 * One round of pruning: every job that has rows in history, one after the other, by the rule that holds
 * for it now. A job whose definition cannot be read keeps all, because nobody knows what it says. The
 * round rests after each deletion for longer than that took, so that whoever writes has its turn.
 */
import { sleep, type Clock } from '../../shared/clock.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import type { KeepRule } from '../../shared/history/prune.ts';
import { retentionOf, type Retention } from '../../shared/history/retention-rule.ts';
import type { JobEntry } from '../../shared/mesh/job-entry.ts';

const dayMs = 86_400_000;
const stepRows = 200;
const restFactor = 1.5;
const minRestMs = 2;

export interface RoundDeps {
  readonly store: Pick<HistoryStore, 'nextJob' | 'prune'>;
  readonly clock: Clock;
  readonly retention: Retention;
  entryOf(job: string): JobEntry | undefined;
  /** Called before each job; throws to end the round. */
  goOn(): Promise<void>;
}

export interface RoundCounts {
  readonly rows: number;
  readonly chunks: number;
  readonly jobs: number;
}

/** Throws `store-unavailable`, what `goOn` throws, and the signal's reason. */
export async function pruneRound(deps: RoundDeps, signal: AbortSignal): Promise<RoundCounts> {
  const { store, clock } = deps;
  const counts = { rows: 0, chunks: 0, jobs: 0 };
  for (let job = await store.nextJob(''); job !== undefined; job = await store.nextJob(job)) {
    await deps.goOn();
    counts.jobs += 1;
    const rule = ruleOf(deps.entryOf(job), deps.retention, clock.wallMs());
    if (rule === undefined) continue;
    for (let after = {}; ;) {
      signal.throwIfAborted();
      const begunMs = clock.monotonicMs();
      const step = await store.prune({ job, rule, limit: stepRows, ...after });
      counts.rows += step.rows;
      counts.chunks += step.chunks;
      if (step.rows + step.chunks > 0) {
        const tookMs = clock.monotonicMs() - begunMs;
        await sleep(clock, Math.max(minRestMs, tookMs * restFactor), signal);
      }
      if (step.next === undefined) break;
      after = { after: step.next };
    }
  }
  return counts;
}

/** Undefined: keep all. A job that is deleted has the rule of the mesh. */
export function ruleOf(
  entry: JobEntry | undefined,
  mesh: Retention,
  nowMs: number,
): KeepRule | undefined {
  if (entry !== undefined && !entry.ok) return undefined;
  const { maxAgeDays, maxRuns, keepLastFailure } = retentionOf(mesh, entry?.job.history);
  return {
    before: Math.max(0, Math.floor(nowMs - maxAgeDays * dayMs)),
    maxRows: maxRuns,
    keepLastFailure,
  };
}
