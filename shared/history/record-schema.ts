/**
 * The shapes of records.ts as zod schemas: what a store takes is checked here before it travels, so
 * that one bad record is named (`store-rejected`, field `/<index>/…`) instead of failing a batch
 * in the words of a database. Unknown fields are dropped.
 */
import { z } from 'zod';
import { CronmeshError } from '../errors.ts';
import { problemsOf, summaryOf } from '../job/zod-problems.ts';
import { causes, ranOutcomes, type HistoryRecord, type RunEnd, type RunFacts } from './records.ts';

/** Of one output chunk; a MongoDB document ends at 16 MiB. */
const maxChunkBytes = 8 * 1024 * 1024;

/**
 * What is compared or indexed must come back from any store as it went in: SQLite's text ends at a
 * NUL, and a lone surrogate has no UTF-8.
 */
const indexedText = z
  .string()
  .refine((value) => !/[\0\p{Surrogate}]/u.test(value), 'contains NUL or broken Unicode');
const id = indexedText.min(1).max(512);
const epochMs = z.int().min(0);
const text = z.string().max(1024 * 1024);

export const runFactsSchema = z.object({
  runId: id,
  job: id,
  group: indexedText.max(512),
  cause: z.enum(causes),
  tick: epochMs,
  fireId: text,
  attempt: z.int(),
  worker: indexedText.max(512),
  fence: z.int(),
  command: text,
  by: text.exactOptional(),
}) satisfies z.ZodType<RunFacts>;

export const runEndSchema = z.object({
  outcome: z.enum(ranOutcomes),
  reason: text.exactOptional(),
  startedAt: epochMs.exactOptional(),
  endedAt: epochMs,
  exitCode: z.int().exactOptional(),
  signal: text.exactOptional(),
  outputBytes: z.int().min(0),
  outputTruncated: z.boolean(),
}) satisfies z.ZodType<RunEnd>;

export const notRunSchema = z.object({
  id,
  job: id,
  group: indexedText.max(512),
  outcome: z.enum(['skipped', 'missed']),
  cause: z.enum(causes),
  reason: text,
  fromTick: z.int(),
  toTick: epochMs,
  count: z.int().min(0).exactOptional(),
  excepted: z.array(epochMs).max(1_000).readonly().exactOptional(),
  excluded: z.int().min(1).exactOptional(),
  restored: z.literal(true).exactOptional(),
  schedule: text,
  at: epochMs,
  worker: indexedText.max(512),
});

const chunkBytes = z.custom<Buffer>((data) => Buffer.isBuffer(data), {
  error: 'is not a Buffer',
  params: { expected: 'a Buffer' },
});

export const historyRecordSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('run-started'), run: runFactsSchema, startedAt: epochMs }),
  z.object({
    kind: z.literal('output'),
    runId: id,
    job: id,
    stream: z.enum(['stdout', 'stderr']),
    offset: epochMs,
    at: epochMs,
    data: chunkBytes.refine((data) => data.length <= maxChunkBytes, {
      error: 'is too long',
      params: { expected: `at most ${maxChunkBytes} bytes` },
    }),
  }),
  z.object({ kind: z.literal('run-ended'), run: runFactsSchema, end: runEndSchema }),
  z.object({
    kind: z.literal('run-lost'),
    run: runFactsSchema,
    reason: text,
    at: epochMs,
    restored: z.literal(true).exactOptional(),
  }),
  notRunSchema.extend({ kind: z.literal('not-run') }),
]) satisfies z.ZodType<HistoryRecord>;

/**
 * Checks records that stand at `firstIndex` of the caller's list; throws `store-rejected` with
 * every problem found. Empty chunks are left out: they hold nothing, and the next chunk, which has
 * the same offset, would be taken for a repetition.
 */
export function checkRecords(
  records: readonly HistoryRecord[],
  firstIndex: number,
): HistoryRecord[] {
  const checked: HistoryRecord[] = [];
  const problems = records.flatMap((record, index) => {
    const parsed = historyRecordSchema.safeParse(record);
    if (parsed.success) {
      const { data } = parsed;
      if (data.kind !== 'output' || data.data.length > 0) checked.push(data);
      return [];
    }
    return problemsOf(parsed.error, record).map((problem) => ({
      ...problem,
      field: `/${firstIndex + index}${problem.field}`,
    }));
  });
  if (problems.length === 0) return checked;
  throw new CronmeshError('store-rejected', `history record refused: ${summaryOf(problems)}`, {
    problems,
  });
}
