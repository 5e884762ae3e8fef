/** Numbers over MongoDB. The counts are answered from an index alone; the tests look at the plans. */
import type { Document } from 'mongodb';
import { z } from 'zod';
import {
  endedStates,
  type CountedRows,
  type CountsAsk,
  type DayCountsAsk,
  type DurationsAsk,
  type TimedRun,
} from '../stats.ts';

const counted = { state: z.string(), rows: z.int() };
const jobCountSchema = z.object({ key: z.string(), ...counted });
const dayCountSchema = z.object({ key: z.int(), ...counted });
const timedSchema = z.object({ job: z.string(), startedAt: z.int(), endedAt: z.int() });

export function countJobsPipeline({ from, to, jobs }: CountsAsk): Document[] {
  return [
    matchOf(from, to, jobs),
    { $group: { _id: { key: '$job', state: '$state' }, rows: { $sum: 1 } } },
    flattened,
  ];
}

export function countDaysPipeline({ from, to, jobs, offsetMs }: DayCountsAsk): Document[] {
  const day = { $floor: { $divide: [{ $add: ['$tick', offsetMs] }, 86_400_000] } };
  return [
    matchOf(from, to, jobs),
    { $group: { _id: { key: day, state: '$state' }, rows: { $sum: 1 } } },
    flattened,
  ];
}

/** Of all jobs by the index of ticks, of some by that of jobs: both have job and state. */
function matchOf(from: number, to: number, jobs: readonly string[] | undefined): Document {
  const tick = { $gte: from, $lt: to };
  return { $match: jobs === undefined ? { tick } : { tick, job: { $in: jobs } } };
}

const flattened = { $project: { _id: 0, key: '$_id.key', state: '$_id.state', rows: 1 } };

/** Of each job from its index, newest first. */
export function timedRunsPipeline(
  collection: string,
  { jobs, from, to, runs }: DurationsAsk,
): Document[] {
  const [first = [], ...others] = jobs.map((job) => [
    {
      $match: { job: { $eq: job }, tick: { $gte: from, $lt: to }, state: { $in: endedStates } },
    },
    { $sort: { tick: -1, _id: -1 } },
    { $limit: runs },
    {
      $project: {
        _id: 0,
        job: 1,
        startedAt: { $ifNull: ['$startedAt', '$end.value.startedAt'] },
        endedAt: '$end.value.endedAt',
      },
    },
  ]);
  return [...first, ...others.map((pipeline) => ({ $unionWith: { coll: collection, pipeline } }))];
}

export function jobCountsFrom(found: readonly Document[]): CountedRows<string>[] {
  return readable(jobCountSchema, found);
}

export function dayCountsFrom(found: readonly Document[]): CountedRows<number>[] {
  return readable(dayCountSchema, found);
}

export function timedRunsFrom(found: readonly Document[]): TimedRun[] {
  return readable(timedSchema, found);
}

/** Without what is damaged, which must not hide all the others. */
function readable<T>(schema: z.ZodType<T>, found: readonly Document[]): T[] {
  return found.flatMap((document) => {
    const parsed = schema.safeParse(document);
    return parsed.success ? [parsed.data] : [];
  });
}
