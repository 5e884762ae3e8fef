/**
 * The shape of history records as they come back from disk. What a spool file holds was written by
 * this or an older version, so it is unknown until parsed here. Fields that this version does not
 * know are kept: a newer store may.
 */
import { z } from 'zod';
import { causes, ranOutcomes, type HistoryRecord } from '../../shared/history/records.ts';

const runSchema = z.looseObject({
  runId: z.string(),
  job: z.string(),
  group: z.string(),
  cause: z.enum(causes),
  tick: z.number(),
  fireId: z.string(),
  attempt: z.number(),
  worker: z.string(),
  fence: z.number(),
  command: z.string(),
  by: z.string().exactOptional(),
});

const endSchema = z.looseObject({
  outcome: z.enum(ranOutcomes),
  reason: z.string().exactOptional(),
  startedAt: z.number().exactOptional(),
  endedAt: z.number(),
  exitCode: z.number().exactOptional(),
  signal: z.string().exactOptional(),
  outputBytes: z.number(),
  outputTruncated: z.boolean(),
});

export const recordSchema = z.discriminatedUnion('kind', [
  z.looseObject({ kind: z.literal('run-started'), run: runSchema, startedAt: z.number() }),
  z.looseObject({
    kind: z.literal('output'),
    runId: z.string(),
    job: z.string(),
    stream: z.enum(['stdout', 'stderr']),
    offset: z.number(),
    at: z.number(),
    data: z.custom<Buffer>((value) => Buffer.isBuffer(value)),
  }),
  z.looseObject({ kind: z.literal('run-ended'), run: runSchema, end: endSchema }),
  z.looseObject({
    kind: z.literal('run-lost'),
    run: runSchema,
    reason: z.string(),
    at: z.number(),
    restored: z.literal(true).exactOptional(),
  }),
  z.looseObject({
    kind: z.literal('not-run'),
    id: z.string(),
    job: z.string(),
    group: z.string(),
    outcome: z.enum(['skipped', 'missed']),
    cause: z.enum(causes),
    reason: z.string(),
    fromTick: z.number(),
    toTick: z.number(),
    count: z.number().exactOptional(),
    excepted: z.array(z.number()).readonly().exactOptional(),
    excluded: z.number().exactOptional(),
    restored: z.literal(true).exactOptional(),
    schedule: z.string(),
    at: z.number(),
    worker: z.string(),
  }),
]) satisfies z.ZodType<HistoryRecord>;
