/** What the API answers in numbers; as shapes.ts, of which it is the part about counts and durations. */
import { z } from 'zod';
import { outcomes } from '../../shared/history/records.ts';
import { epochMs, rowShape } from './shapes.ts';

const count = z.int().min(0);

export const stateCountsShape = z
  .partialRecord(z.enum([...outcomes, 'running']), count)
  .meta({ id: 'StateCounts', description: 'Rows by outcome; a span of missed fires is one row.' });

const failures = count.describe('failed, timed-out and lost together.');
const successRate = z
  .number()
  .min(0)
  .max(1)
  .exactOptional()
  .describe(
    'succeeded over succeeded and failures; killed runs count for neither. Absent: none ended.',
  );
const window = {
  from: epochMs.describe('Ticks from here on.'),
  to: epochMs.describe('Ticks before this.'),
};

export const durationsShape = z
  .strictObject({
    runs: count.describe('Runs that were looked at: the newest of the window that have an end.'),
    p50Ms: z.number().exactOptional(),
    p95Ms: z.number().exactOptional(),
    trend: z
      .number()
      .exactOptional()
      .describe(
        'The median of the newer half over that of the older half; absent with fewer than ten runs.',
      ),
  })
  .meta({ id: 'Durations' });

export const jobStatsShape = z
  .strictObject({
    job: z.string(),
    ...window,
    counts: stateCountsShape,
    failures,
    successRate,
    durations: durationsShape,
  })
  .meta({ id: 'JobStats' });

export const dailyStatsShape = z
  .strictObject({
    ...window,
    days: z
      .array(z.strictObject({ day: z.iso.date(), counts: stateCountsShape, failures, successRate }))
      .describe('Oldest first; days without rows are left out.'),
  })
  .meta({ id: 'DailyStats' });

export const rankedJobsShape = z
  .strictObject({
    ...window,
    items: z.array(
      z.strictObject({
        job: z.string(),
        counts: stateCountsShape,
        failures,
        successRate,
        durations: durationsShape,
      }),
    ),
  })
  .meta({ id: 'RankedJobs' });

export const outputMatchesShape = z
  .strictObject({
    offsets: z
      .array(count)
      .describe('Where the text begins in the output of both streams; matches do not overlap.'),
    nextOffset: count
      .exactOptional()
      .describe('Where to go on; absent when the stored output was searched to its end.'),
  })
  .meta({ id: 'OutputMatches' });

export const ranBetweenShape = z
  .strictObject({ items: z.array(rowShape), nextCursor: z.string().exactOptional() })
  .meta({ id: 'RanBetween' });
