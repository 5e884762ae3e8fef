/**
 * Retention over MongoDB: old rows are found by the index of jobs, their output goes before them. A
 * few runs at a time, so that one call never takes as long as a call may; what a call that failed has
 * deleted stays deleted, and the next one goes on from there.
 */
import type { Collection, Db, Document, Filter } from 'mongodb';
import { z } from 'zod';
import {
  failureStates,
  holdsFailure,
  lastToLookAt,
  rowsToPrune,
  type OldRow,
  type PruneAsk,
  type PruneStep,
  type StorageUse,
} from '../prune.ts';
import type { RowPosition } from '../runs-query.ts';
import { chunkId, type ChunkDocument, type RowDocument } from './documents.ts';

const runsAtOnce = 100;

interface Collections {
  readonly rows: Collection<RowDocument>;
  readonly output: Collection<ChunkDocument>;
}

const positionSchema = z
  .object({ _id: z.string(), tick: z.int() })
  .transform(({ _id, tick }) => ({ id: _id, tick }));
const at = z.object({ value: z.object({ at: z.int() }) });
const ended = z.object({ value: z.object({ endedAt: z.int() }) });
const oldRowSchema = z.object({
  _id: z.string(),
  tick: z.int(),
  state: z.string(),
  end: ended.optional().catch(undefined),
  ownLost: ended.optional().catch(undefined),
  verdict: at.optional().catch(undefined),
  restored: at.optional().catch(undefined),
  notRun: z.object({ at: z.int() }).optional().catch(undefined),
});
const sizeSchema = z.object({ storageSize: z.number(), indexSize: z.number() });

/** Said to the server: it takes that of ticks for as good, and would read those of all jobs. */
const hint = 'by-job';
const newestFirst = { tick: -1, _id: -1 } as const;
/** Of an index alone. */
const place = { _id: 1, tick: 1 } as const;
const jobName = z.object({ job: z.string() });

export async function nextJob({ rows }: Collections, after: string): Promise<string | undefined> {
  const { filter, options } = nextJobQuery(after);
  return jobName.nullable().parse(await rows.findOne(filter, options))?.job;
}

export function nextJobQuery(after: string) {
  return {
    filter: { job: { $gt: after } },
    options: { sort: { job: 1, tick: 1 }, projection: { _id: 0, job: 1 }, hint } as const,
  };
}

export async function pruneStep(collections: Collections, ask: PruneAsk): Promise<PruneStep> {
  const { rows } = collections;
  const { job, rule, limit } = ask;
  const beyond = positionFrom(
    await rows.findOne(
      { job: { $eq: job } },
      { sort: newestFirst, skip: rule.maxRows, projection: place, hint },
    ),
  );
  const { filter, options } = oldRowsQuery(ask, lastToLookAt(rule, beyond));
  const documents = await rows.find(filter, options).toArray();
  const found = documents.map(oldRowFrom);
  const lastFailure = holdsFailure(found, rule)
    ? positionFrom(
        await rows.findOne(
          { job: { $eq: job }, state: { $in: [...failureStates] } },
          { sort: newestFirst, projection: place, hint },
        ),
      )
    : undefined;
  const go = rowsToPrune(found, rule, beyond, lastFailure?.id);
  let chunks = 0;
  for (let from = 0; from < go.length; from += runsAtOnce) {
    chunks += await deleteSome(collections, job, go.slice(from, from + runsAtOnce));
  }
  const last = found.at(-1);
  return {
    rows: go.length,
    chunks,
    ...(last === undefined || found.length < limit
      ? {}
      : { next: { tick: last.tick, id: last.id } }),
  };
}

export function oldRowsQuery({ job, after, limit }: PruneAsk, to: RowPosition) {
  const bounds: Filter<RowDocument>[] = [
    { job: { $eq: job }, tick: { $lte: to.tick } },
    { $or: [{ tick: { $lt: to.tick } }, { _id: { $lte: to.id } }] },
  ];
  if (after !== undefined) {
    bounds.push(
      { tick: { $gte: after.tick } },
      { $or: [{ tick: { $gt: after.tick } }, { _id: { $gt: after.id } }] },
    );
  }
  return {
    filter: { $and: bounds },
    options: {
      sort: { tick: 1, _id: 1 },
      hint,
      limit,
      batchSize: limit,
      projection: {
        tick: 1,
        state: 1,
        'end.value.endedAt': 1,
        'ownLost.value.endedAt': 1,
        'verdict.value.at': 1,
        'restored.value.at': 1,
        'notRun.at': 1,
      },
    } as const,
  };
}

async function deleteSome(
  { rows, output }: Collections,
  job: string,
  go: readonly OldRow[],
): Promise<number> {
  const { deletedCount } = await output.bulkWrite(
    go.map(({ id }) => ({
      deleteMany: {
        filter: {
          runId: id,
          _id: { $gte: chunkId(id, 0), $lte: chunkId(id, Number.MAX_SAFE_INTEGER) },
        },
      },
    })),
    { ordered: false },
  );
  await rows.deleteMany({ job: { $eq: job }, _id: { $in: go.map(({ id }) => id) } });
  return deletedCount;
}

export async function storageUse(db: Db, { rows }: Pick<Collections, 'rows'>): Promise<StorageUse> {
  const [size, count, oldest] = await Promise.all([
    db.command({ dbStats: 1 }),
    rows.estimatedDocumentCount(),
    rows.findOne({}, { sort: { tick: 1, _id: 1 }, projection: place }),
  ]);
  const { storageSize, indexSize } = sizeSchema.parse(size);
  const first = positionFrom(oldest);
  return {
    bytes: storageSize + indexSize,
    rows: count,
    ...(first === undefined ? {} : { oldestTick: first.tick }),
  };
}

function positionFrom(document: Document | null): RowPosition | undefined {
  return document === null ? undefined : positionSchema.parse(document);
}

function oldRowFrom(document: Document): OldRow {
  const row = oldRowSchema.parse(document);
  return {
    id: row._id,
    tick: row.tick,
    state: row.state,
    endedAt:
      row.verdict?.value.at ??
      row.ownLost?.value.endedAt ??
      row.end?.value.endedAt ??
      row.restored?.value.at ??
      row.notRun?.at,
  };
}
