/** What history says in numbers: of one job, by day, and which jobs fail or take long. */
import { z } from 'zod';
import type { Clock } from '../../shared/clock.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import { maxDays, type JobCounts, type JobDurations } from '../../shared/history/stats.ts';
import { isKnownZone } from '../../shared/schedule/zone.ts';
import { badField } from '../http/problem.ts';
import { ok } from '../http/reply.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { jobNotFound } from '../jobs/job-editor.ts';
import type { JobIndex } from '../jobs/job-index.ts';
import type { MeshLink } from '../live/mesh-link.ts';
import { mergeDays, rated } from '../runs/run-counts.ts';
import { zonedSpans } from '../runs/zoned-spans.ts';
import { anyNameParams } from './jobs-routes.ts';
import type { Shape } from './shapes.ts';
import { dailyStatsShape, jobStatsShape, rankedJobsShape } from './stats-shapes.ts';

export interface StatsDeps {
  readonly link: MeshLink;
  readonly index: JobIndex;
  readonly store: HistoryStore;
  readonly clock: Clock;
}

const dayMs = 86_400_000;
const minuteMs = 60_000;
const defaultDays = 30;
const maxRanked = 50;

/** Zones and dates are known up to there; so are schedules. */
const instant = z
  .int()
  .min(0)
  .max(Date.UTC(2100, 0, 1));
const windowFields = {
  from: instant.optional().describe(`Ticks from here on; default: ${defaultDays} days before to.`),
  to: instant
    .optional()
    .describe(`Ticks before this; default: the end of this minute. At most ${maxDays} days.`),
};
const runs = z
  .int()
  .min(1)
  .max(1_000)
  .default(200)
  .describe('Of each job so many of its newest runs are looked at for durations.');
const jobs = z.array(z.string().max(256)).max(200).optional();

const dailyQuery = z.strictObject({
  ...windowFields,
  job: jobs,
  timezone: z
    .string()
    .refine(isKnownZone, {
      error: 'is not a known time zone',
      params: { expected: 'an IANA time zone such as "Europe/Berlin"' },
    })
    .optional()
    .describe('Where days begin, through its clock changes.'),
  offsetMinutes: z
    .int()
    .min(-840)
    .max(840)
    .optional()
    .describe('Where days begin, east of UTC; default 0.'),
});

const rankedQuery = z.strictObject({
  ...windowFields,
  job: jobs,
  sort: z
    .enum(['failures', 'slowest'])
    .default('failures')
    .describe(
      `Most failures first, of all jobs; or the longest p95 first, of 1 to 50 that job names.`,
    ),
  limit: z.int().min(1).max(maxRanked).default(20),
  runs,
});

export function statsRoutes({ link, index, store, clock }: StatsDeps): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/jobs/:name/stats',
      summary: 'Outcomes, success rate and durations of one job',
      tag: 'jobs',
      params: anyNameParams,
      query: z.strictObject({ ...windowFields, runs }),
      replies: { 200: { description: 'Its numbers.', schema: jobStatsShape } },
      refusals: [400, 404, 503],
      handle: async ({ params: { name }, query }) => {
        const window = windowOf(query, clock.wallMs());
        const [[counted], [timed]] = await Promise.all([
          store.countByJob({ ...window, jobs: [name] }),
          store.durations({ ...window, jobs: [name], runs: query.runs }),
        ]);
        if (counted === undefined) {
          // Its history outlives a job; one that never was has neither.
          link.requireSynced();
          if (index.slotOf(name) === undefined) throw jobNotFound(name);
        }
        const answer = ranked(name, counted, timed);
        return ok({ ...window, ...answer } satisfies Shape<typeof jobStatsShape>);
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/stats/daily',
      summary: 'Outcomes and success rate by day',
      tag: 'stats',
      query: dailyQuery,
      replies: { 200: { description: 'The days.', schema: dailyStatsShape } },
      refusals: [400, 503],
      handle: async ({ query }) => {
        const window = windowOf(query, clock.wallMs());
        const { job, timezone, offsetMinutes } = query;
        if (timezone !== undefined && offsetMinutes !== undefined) {
          const expected = 'timezone or offsetMinutes';
          throw badField('offsetMinutes', 'is given beside timezone', expected, 'both');
        }
        const spans =
          timezone === undefined
            ? [{ ...window, offsetMinutes: offsetMinutes ?? 0 }]
            : zonedSpans(timezone, window.from, window.to);
        const days = await Promise.all(
          spans.map((span) => store.countByDay(job === undefined ? span : { ...span, jobs: job })),
        );
        return ok({
          ...window,
          days: mergeDays(days).map(({ day, counts }) => ({ day, ...rated(counts) })),
        } satisfies Shape<typeof dailyStatsShape>);
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/stats/jobs',
      summary: 'The jobs that fail most, or the slowest of some',
      tag: 'stats',
      query: rankedQuery,
      replies: { 200: { description: 'Jobs, the worst first.', schema: rankedJobsShape } },
      refusals: [400, 503],
      handle: async ({ query }) => {
        const window = windowOf(query, clock.wallMs());
        const items = await (query.sort === 'slowest' ? slowest : failing)(store, window, query);
        return ok({ ...window, items } satisfies Shape<typeof rankedJobsShape>);
      },
    }),
  ];
}

interface Window {
  readonly from: number;
  readonly to: number;
}

type Ranking = z.output<typeof rankedQuery>;
type RankedJob = Shape<typeof rankedJobsShape>['items'][number];

async function failing(
  store: HistoryStore,
  window: Window,
  { job, limit, runs: runCount }: Ranking,
): Promise<RankedJob[]> {
  const counted = await store.countByJob(job === undefined ? window : { ...window, jobs: job });
  const worst = counted
    .map((entry) => ({ entry, ...rated(entry.counts) }))
    .sort(
      (a, b) =>
        b.failures - a.failures ||
        (a.successRate ?? 1) - (b.successRate ?? 1) ||
        (a.entry.job < b.entry.job ? -1 : 1),
    )
    .slice(0, limit);
  if (worst.length === 0) return [];
  const names = worst.map(({ entry }) => entry.job);
  const timed = await store.durations({ ...window, jobs: names, runs: runCount });
  return worst.map(({ entry }, place) => ranked(entry.job, entry, timed[place]));
}

async function slowest(
  store: HistoryStore,
  window: Window,
  { job = [], limit, runs: runCount }: Ranking,
): Promise<RankedJob[]> {
  const names = [...new Set(job)];
  if (names.length === 0 || names.length > maxRanked) {
    const expected = `1 to ${maxRanked} jobs, with sort=slowest`;
    throw badField('job', 'does not name what to compare', expected, `${names.length} jobs`);
  }
  const [counted, timed] = await Promise.all([
    store.countByJob({ ...window, jobs: names }),
    store.durations({ ...window, jobs: names, runs: runCount }),
  ]);
  const countsOf = new Map(counted.map((entry) => [entry.job, entry]));
  return timed
    .toSorted((a, b) => (b.p95Ms ?? -1) - (a.p95Ms ?? -1))
    .slice(0, limit)
    .map((durations) => ranked(durations.job, countsOf.get(durations.job), durations));
}

function ranked(
  job: string,
  counted: JobCounts | undefined,
  timed: JobDurations | undefined,
): RankedJob {
  const { job: _, ...durations } = timed ?? { job, runs: 0 };
  return { job, ...rated(counted?.counts ?? {}), durations };
}

function windowOf(
  query: { from?: number | undefined; to?: number | undefined },
  nowMs: number,
): Window {
  const to = query.to ?? Math.ceil((nowMs + 1) / minuteMs) * minuteMs;
  const from = query.from ?? Math.max(0, to - defaultDays * dayMs);
  if (to <= from) throw badField('to', 'is not after from', `after ${from}`, String(to));
  if (to - from > maxDays * dayMs) {
    const expected = `at most ${maxDays} days before to (${to})`;
    throw badField('from', 'is too far from to', expected, String(from));
  }
  return { from, to };
}
