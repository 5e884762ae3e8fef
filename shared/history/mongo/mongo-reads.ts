/** The queries over MongoDB. Each has an index in `indexes.ts`; the tests look at its plan. */
import type { Collection, Document, Filter, FindOptions } from 'mongodb';
import { chunkWindow, maxWindowChunks } from '../chunk-window.ts';
import type { OutputChunk } from '../records.ts';
import type { OutputRange, RowsFilter } from '../runs-query.ts';
import { chunkFrom, chunkId, type ChunkDocument, type RowDocument } from './documents.ts';

/** The server's limit is 1,000 stages. */
const maxJobsPerPipeline = 100;

/** Asks for one row more than a page, to know whether there is another page. */
export function listRunsQuery(filter: RowsFilter): {
  readonly filter: Filter<RowDocument>;
  readonly options: FindOptions;
} {
  const { after, from, to, limit } = filter;
  const backwards = filter.order === 'desc';
  const facets = (['job', 'worker', 'state', 'group'] as const).flatMap((field) => {
    const values = filter[field];
    return values === undefined ? [] : [{ [field]: { $in: values } }];
  });
  const place = after === undefined ? [] : [beyond(after, backwards)];
  const direction = backwards ? -1 : 1;
  return {
    filter: { $and: [{ tick: { $gte: from, $lt: to } }, ...place, ...facets] },
    options: { sort: { tick: direction, _id: direction }, limit: limit + 1, batchSize: limit + 1 },
  };
}

/** The tick alone bounds the index; only rows of the same tick are looked at for their id. */
function beyond(after: { tick: number; id: string }, backwards: boolean): Filter<RowDocument> {
  const { tick, id } = after;
  return backwards
    ? { tick: { $lte: tick }, $or: [{ tick: { $lt: tick } }, { _id: { $lt: id } }] }
    : { tick: { $gte: tick }, $or: [{ tick: { $gt: tick } }, { _id: { $gt: id } }] };
}

/** Pipelines that together give the newest `limit` rows of each job, each job from its index. */
export function lastRunsPipelines(
  collection: string,
  jobs: readonly string[],
  limit: number,
): Document[][] {
  const pipelines: Document[][] = [];
  for (let start = 0; start < jobs.length; start += maxJobsPerPipeline) {
    const [first, ...others] = jobs
      .slice(start, start + maxJobsPerPipeline)
      .map((job) => [
        { $match: { job: { $eq: job } } },
        { $sort: { tick: -1, _id: -1 } },
        { $limit: limit },
      ]);
    pipelines.push([
      ...(first ?? []),
      ...others.map((pipeline) => ({ $unionWith: { coll: collection, pipeline } })),
    ]);
  }
  return pipelines;
}

export async function readChunks(
  output: Collection<ChunkDocument>,
  range: OutputRange,
): Promise<OutputChunk[]> {
  const { runId, fromOffset, maxBytes } = range;
  const { atOrBefore, after, sizes } = chunkFilters(runId, fromOffset);
  const [before, following] = await Promise.all([
    output.find(atOrBefore, { ...sizes, sort: { _id: -1 }, limit: 1 }).toArray(),
    output.find(after, { ...sizes, sort: { _id: 1 }, limit: maxWindowChunks }).toArray(),
  ]);
  const window = chunkWindow([...before, ...following].map(sizeOf), fromOffset, maxBytes);
  if (window === undefined) return [];
  const _id = { $gte: chunkId(runId, window.first), $lte: chunkId(runId, window.last) };
  const found = await output.find({ runId, _id }, { sort: { _id: 1 } }).toArray();
  return found.map(chunkFrom);
}

export async function readOutputEnd(
  output: Collection<ChunkDocument>,
  runId: string,
): Promise<number> {
  const { atOrBefore, sizes } = chunkFilters(runId, Number.MAX_SAFE_INTEGER);
  const [last] = await output.find(atOrBefore, { ...sizes, sort: { _id: -1 }, limit: 1 }).toArray();
  if (last === undefined) return 0;
  const { offset, length } = sizeOf(last);
  return offset + length;
}

/** By _id alone, which the index bounds; runId sets apart an id that is another one's prefix. */
export function chunkFilters(
  runId: string,
  fromOffset: number,
): {
  readonly atOrBefore: Filter<ChunkDocument>;
  readonly after: Filter<ChunkDocument>;
  readonly sizes: FindOptions;
} {
  const here = chunkId(runId, fromOffset);
  return {
    atOrBefore: { runId, _id: { $gte: chunkId(runId, 0), $lte: here } },
    after: { runId, _id: { $gt: here, $lte: chunkId(runId, Number.MAX_SAFE_INTEGER) } },
    sizes: { projection: { offset: 1, length: 1 } },
  };
}

function sizeOf(document: Document): { offset: number; length: number } {
  const { offset, length } = document as Record<string, unknown>;
  if (typeof offset !== 'number' || typeof length !== 'number') {
    throw new TypeError(`the output chunk ${String(document['_id'])} cannot be read`);
  }
  return { offset, length };
}
