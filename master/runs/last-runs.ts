/**
 * The last runs of the jobs that lists show, as they are shown, remembered for the jobs that were asked
 * for recently: a list that many consoles look at, and fetch again at each hint, costs the store little.
 * What a job's keys tell makes its runs stale at once; the row of an end comes to the store a moment
 * later, so until then they are not believed for long. Nothing is believed for longer than some seconds:
 * a spool that could not drain tells nobody when it can.
 */
import type { Clock } from '../../shared/clock.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import type { HistoryRow } from '../../shared/history/records.ts';
import type { MeshView } from '../../shared/mesh/view.ts';
import { RecentMap } from '../../shared/schedule/recent-map.ts';
import type { runBriefShape, Shape } from '../api/shapes.ts';
import type { StoreHealth } from '../live/store-health.ts';

export type RunBrief = Shape<typeof runBriefShape>;

/** Of each job, at most. */
export const mostRuns = 30;
const mostJobs = 4_000;
const believedMs = 10_000;
/** For so long after a change rows may still come. */
const settlingMs = 5_000;
const believedWhileSettlingMs = 1_000;

interface Known {
  /** As many as there are, but no more than this. */
  readonly count: number;
  readonly runs: readonly RunBrief[];
  readonly askedAtMs: number;
  changedAtMs: number;
}

export interface LastRunsDeps {
  readonly view: MeshView;
  readonly store: Pick<HistoryStore, 'lastRuns'>;
  readonly storeHealth: StoreHealth;
  readonly clock: Clock;
}

export class LastRuns {
  readonly #deps: LastRunsDeps;
  readonly #known = new RecentMap<Known>(mostJobs);
  readonly #unsubscribe: () => void;

  constructor(deps: LastRunsDeps) {
    this.#deps = deps;
    this.#unsubscribe = deps.view.onChange((change) => {
      if (change.type === 'resync') return;
      const { kind } = change.key;
      if (kind !== 'fire' && kind !== 'state' && kind !== 'done') return;
      const known = this.#known.get(change.key.name);
      if (known !== undefined) known.changedAtMs = deps.clock.monotonicMs();
    });
  }

  /** The last `count` of each job, newest first; undefined when the store is down or slow. */
  async of(
    jobs: readonly string[],
    count = mostRuns,
  ): Promise<ReadonlyMap<string, readonly RunBrief[]> | undefined> {
    const { store, storeHealth, clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    const answer = new Map<string, readonly RunBrief[]>();
    const asked: string[] = [];
    for (const job of jobs) {
      const known = this.#known.get(job);
      if (known !== undefined && known.count >= count && isBelieved(known, nowMs)) {
        answer.set(job, known.runs.slice(0, count));
      } else {
        asked.push(job);
      }
    }
    if (asked.length === 0) return answer;
    const rows = await storeHealth.attempt(() => store.lastRuns(asked, count));
    if (rows === undefined) return undefined;
    for (const job of asked) {
      const runs = (rows.get(job) ?? []).map(runBrief);
      const changedAtMs = this.#known.get(job)?.changedAtMs ?? -Infinity;
      this.#known.set(job, { count, runs, askedAtMs: nowMs, changedAtMs });
      answer.set(job, runs);
    }
    return answer;
  }

  stop(): void {
    this.#unsubscribe();
  }
}

function isBelieved({ askedAtMs, changedAtMs }: Known, nowMs: number): boolean {
  if (askedAtMs < changedAtMs) return false;
  const isSettling = askedAtMs < changedAtMs + settlingMs;
  return nowMs - askedAtMs < (isSettling ? believedWhileSettlingMs : believedMs);
}

function runBrief(row: HistoryRow): RunBrief {
  const { id, kind, tick, outcome, startedAt, endedAt, reason } = row;
  return {
    id,
    kind,
    tick,
    ...(outcome === undefined ? {} : { outcome }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(reason === undefined ? {} : { reason }),
  };
}
