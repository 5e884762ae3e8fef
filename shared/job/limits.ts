/**
 * How many runs of a job may be open at a time, as the claim sees it: 1 is guarded by the whole range
 * of open fires, a larger limit by numbered slots, none by nothing.
 */
import type { Job } from './definition.ts';

/** Undefined: no limit. */
export function runLimit(job: Job): number | undefined {
  return job.concurrency === 'allow' ? job.maxConcurrent : 1;
}

/** A run is tried again after this outcome of its attempt (1 is the first). */
export function isRetried(job: Job, outcome: string, attempt: number): boolean {
  return attempt <= job.retries.max && job.retries.on.some((each) => each === outcome);
}

/** A run that must be dead before its session can expire: limited, or retried when it is lost. */
export function isGuarded(job: Job, attempt: number): boolean {
  return runLimit(job) !== undefined || isRetried(job, 'lost', attempt);
}
