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
  readonly limit: number;
}
