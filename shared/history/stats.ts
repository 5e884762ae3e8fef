/**
 * What history says of jobs in numbers: the questions as both stores execute them, checked, and what
 * follows from the rows that they find. Problems are `request-invalid`, named by field.
 */
import { z } from 'zod';
import { parseWith } from '../job/zod-problems.ts';
import { outcomes } from './records.ts';
import type { RowState } from './row-parts.ts';

const dayMs = 86_400_000;
/** Of a window. */
export const maxDays = 400;
const maxCountedJobs = 1_000;
const maxTimedJobs = 50;
const maxTimedRuns = 1_000;
/** Fewer runs than this have no trend. */
const minTrendRuns = 10;

/** Rows by state; a span of missed fires is one row. States without rows are left out. */
export type StateCounts = Readonly<Partial<Record<RowState, number>>>;

export interface CountsQuery {
  /** By tick, epoch ms: from inclusive, to exclusive; at most 400 days. */
  readonly from: number;
  readonly to: number;
  /** At most 1,000; default: all. */
  readonly jobs?: readonly string[];
}

export interface DayCountsQuery extends CountsQuery {
  /** Where days begin: minutes east of UTC, -840 to 840; default 0. */
  readonly offsetMinutes?: number;
}

export interface JobCounts {
  readonly job: string;
  readonly counts: StateCounts;
}

export interface DayCounts {
  /** The day's date at the offset, as YYYY-MM-DD. */
  readonly day: string;
  readonly counts: StateCounts;
}

export interface DurationsQuery {
  /** 1 to 50. */
  readonly jobs: readonly string[];
  readonly from?: number;
  readonly to?: number;
  /** How many of each job's newest runs that have an end are looked at, 1 to 1,000. */
  readonly runs: number;
}

export interface JobDurations {
  readonly job: string;
  /** Runs that were looked at. */
  readonly runs: number;
  /** Nearest rank; absent without runs. */
  readonly p50Ms?: number;
  readonly p95Ms?: number;
  /** The median of the newer half over that of the older half; absent with fewer than ten runs. */
  readonly trend?: number;
}

const instant = z.int().min(0);
const jobNames = z.array(z.string());
const countsFields = {
  from: instant,
  to: instant,
  jobs: jobNames.max(maxCountedJobs).exactOptional(),
};
const countsSchema = z.strictObject(countsFields).superRefine(checkWindow);
const dayCountsSchema = z
  .strictObject({ ...countsFields, offsetMinutes: z.int().min(-840).max(840).default(0) })
  .superRefine(checkWindow);
const durationsSchema = z.strictObject({
  jobs: jobNames.min(1).max(maxTimedJobs),
  from: instant.default(0),
  to: instant.default(Number.MAX_SAFE_INTEGER),
  runs: z.int().min(1).max(maxTimedRuns),
});

export interface CountsAsk {
  readonly from: number;
  readonly to: number;
  readonly jobs: readonly string[] | undefined;
}

export interface DayCountsAsk extends CountsAsk {
  readonly offsetMs: number;
}

export type DurationsAsk = z.output<typeof durationsSchema>;

/** Rows of one job and state, or of one day (its number at the offset) and state. */
export interface CountedRows<Key> {
  readonly key: Key;
  readonly state: string;
  readonly rows: number;
}

/** Of one run, the newest of its job first. */
export interface TimedRun {
  readonly job: string;
  readonly startedAt: number;
  readonly endedAt: number;
}

export const endedStates = ['succeeded', 'failed', 'killed', 'timed-out'] as const;

export function parseCounts(query: CountsQuery): CountsAsk {
  const { from, to, jobs } = parseWith(countsSchema, query, 'request-invalid', 'the query');
  return { from, to, jobs: distinct(jobs) };
}

export function parseDayCounts(query: DayCountsQuery): DayCountsAsk {
  const parsed = parseWith(dayCountsSchema, query, 'request-invalid', 'the query');
  const { from, to, jobs, offsetMinutes } = parsed;
  return { from, to, jobs: distinct(jobs), offsetMs: offsetMinutes * 60_000 };
}

export function parseDurations(query: DurationsQuery): DurationsAsk {
  const parsed = parseWith(durationsSchema, query, 'request-invalid', 'the query');
  return { ...parsed, jobs: [...new Set(parsed.jobs)] };
}

export function jobCountsOf(found: readonly CountedRows<string>[]): JobCounts[] {
  return [...grouped(found)]
    .map(([job, counts]) => ({ job, counts }))
    .sort((a, b) => (a.job < b.job ? -1 : 1));
}

export function dayCountsOf(found: readonly CountedRows<number>[]): DayCounts[] {
  return [...grouped(found)]
    .sort(([a], [b]) => a - b)
    .map(([day, counts]) => ({ day: new Date(day * dayMs).toISOString().slice(0, 10), counts }));
}

export function durationsOf(jobs: readonly string[], found: readonly TimedRun[]): JobDurations[] {
  const byJob = new Map<string, number[]>(jobs.map((job) => [job, []]));
  for (const { job, startedAt, endedAt } of found) {
    byJob.get(job)?.push(Math.max(0, endedAt - startedAt));
  }
  return [...byJob].map(([job, newestFirst]) => {
    const [p50Ms, p95Ms] = [quantile(newestFirst, 0.5), quantile(newestFirst, 0.95)];
    const trend = trendOf(newestFirst);
    return {
      job,
      runs: newestFirst.length,
      ...(p50Ms === undefined ? {} : { p50Ms }),
      ...(p95Ms === undefined ? {} : { p95Ms }),
      ...(trend === undefined ? {} : { trend }),
    };
  });
}

function trendOf(newestFirst: readonly number[]): number | undefined {
  if (newestFirst.length < minTrendRuns) return undefined;
  const middle = Math.floor(newestFirst.length / 2);
  const newer = quantile(newestFirst.slice(0, middle), 0.5) ?? 0;
  const older = quantile(newestFirst.slice(middle), 0.5) ?? 0;
  return older === 0 ? undefined : newer / older;
}

function quantile(values: readonly number[], q: number): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.ceil(q * values.length) - 1];
}

function grouped<Key>(found: readonly CountedRows<Key>[]): Map<Key, StateCounts> {
  const groups = new Map<Key, Partial<Record<RowState, number>>>();
  for (const { key, state, rows } of found) {
    const known = stateSchema.safeParse(state);
    // Of a version that knows more outcomes.
    if (!known.success) continue;
    const counts = groups.get(key) ?? {};
    counts[known.data] = rows;
    groups.set(key, counts);
  }
  return groups;
}

const stateSchema = z.enum([...outcomes, 'running']);

function checkWindow(query: { from: number; to: number }, context: z.RefinementCtx): void {
  const { from, to } = query;
  if (to > from && to - from <= maxDays * dayMs) return;
  context.addIssue({
    code: 'custom',
    path: ['to'],
    message: to > from ? 'is too far from the beginning' : 'is not after the beginning',
    params: { expected: `after /from (${from}), by at most ${maxDays} days` },
  });
}

function distinct(values: readonly string[] | undefined): readonly string[] | undefined {
  return values === undefined ? undefined : [...new Set(values)];
}
