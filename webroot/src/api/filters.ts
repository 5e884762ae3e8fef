/** What lists can be asked for, in the API's own words. */
export type JobStatus = 'ok' | 'paused' | 'quarantined' | 'running' | 'failing' | 'attention';
export type JobSort = 'name' | '-name' | 'nextTick' | '-nextTick' | 'lastEnded' | '-lastEnded';

export interface JobFilter {
  readonly q?: string;
  readonly sort: JobSort;
  readonly groups: readonly string[];
  readonly statuses: readonly JobStatus[];
  readonly limit: number;
  readonly cursor?: string;
}

export interface RunFilter {
  readonly jobs: readonly string[];
  readonly outcomes: readonly string[];
  readonly workers: readonly string[];
  /** Ticks, epoch ms: from inclusive, to exclusive. */
  readonly from?: number;
  readonly to?: number;
  readonly limit: number;
}

/** What it asks of the API, without its limit. */
export function runFilterEntries(
  filter: RunFilter,
): (readonly [string, string | number | undefined])[] {
  return [
    ...filter.jobs.map((job) => ['job', job] as const),
    ...filter.outcomes.map((outcome) => ['outcome', outcome] as const),
    ...filter.workers.map((worker) => ['worker', worker] as const),
    ['from', filter.from],
    ['to', filter.to],
  ];
}
