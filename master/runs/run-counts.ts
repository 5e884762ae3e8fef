/**
 * What follows from rows counted by outcome. Failures are runs that did not do their work: failed,
 * timed-out, lost. A killed run is neither failure nor success: somebody, or a policy, wanted it so.
 */
import type { DayCounts, StateCounts } from '../../shared/history/stats.ts';

export interface Rated {
  readonly counts: StateCounts;
  readonly failures: number;
  readonly successRate?: number;
}

export function rated(counts: StateCounts): Rated {
  const { succeeded = 0, failed = 0, lost = 0, 'timed-out': timedOut = 0 } = counts;
  const failures = failed + timedOut + lost;
  const ended = succeeded + failures;
  return { counts, failures, ...(ended === 0 ? {} : { successRate: succeeded / ended }) };
}

/** One list of days from several; a day that is in more than one of them is counted whole. */
export function mergeDays(lists: readonly (readonly DayCounts[])[]): DayCounts[] {
  const days = new Map<string, StateCounts>();
  for (const { day, counts } of lists.flat()) days.set(day, sumOf(days.get(day), counts));
  return [...days]
    .map(([day, counts]) => ({ day, counts }))
    .sort((a, b) => (a.day < b.day ? -1 : 1));
}

function sumOf(a: StateCounts | undefined, b: StateCounts): StateCounts {
  if (a === undefined) return b;
  const sum: Record<string, number> = { ...a };
  for (const [state, rows] of Object.entries(b)) sum[state] = (sum[state] ?? 0) + rows;
  return sum;
}
