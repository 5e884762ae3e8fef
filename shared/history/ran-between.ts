/**
 * What ran between two instants: runs that had started before the second and had not ended before the
 * first. Rows are found by their tick, which a run never starts before, so a bounded part of history is
 * walked at a time and no index is needed; a run whose tick is further back than `lookbackMs` is found
 * only while it is open.
 */
import { z } from 'zod';
import { parseWith } from '../job/zod-problems.ts';
import type { HistoryStore, RunsPage, RunsQuery } from './port.ts';
import type { HistoryRow } from './records.ts';
import { encodeCursor } from './runs-query.ts';

const dayMs = 86_400_000;
const pageRows = 500;
/** Of one call. */
const maxPages = 10;
const maxOpenRuns = 500;

export interface BetweenQuery extends Pick<RunsQuery, 'jobs' | 'groups' | 'workers'> {
  /** Epoch ms; at most 31 days. */
  readonly from: number;
  readonly to: number;
  /** At most 31 days; default one, which is how long a job may run unless it says otherwise. */
  readonly lookbackMs?: number;
  /** 1 to 500. */
  readonly limit: number;
  /** The nextCursor of an earlier page of the same query. */
  readonly cursor?: string;
}

const facet = z.array(z.string()).exactOptional();
const schema = z
  .strictObject({
    jobs: facet,
    groups: facet,
    workers: facet,
    from: z.int().min(0),
    to: z.int().min(0),
    lookbackMs: z
      .int()
      .min(0)
      .max(31 * dayMs)
      .default(dayMs),
    limit: z.int().min(1).max(pageRows),
    cursor: z.string().exactOptional(),
  })
  .refine(({ from, to }) => to > from && to - from <= 31 * dayMs, {
    path: ['to'],
    error: 'is not within 31 days after the beginning',
    params: { expected: 'after /from, by at most 31 days' },
  });

/**
 * Newest tick first, open runs from before the lookback on the first page. A page may hold fewer than
 * `limit`, or none, and still have a next one. Throws `request-invalid`, and what the store throws.
 */
export async function ranBetween(
  store: Pick<HistoryStore, 'listRuns'>,
  query: BetweenQuery,
): Promise<RunsPage> {
  const asked = parseWith(schema, query, 'request-invalid', 'the query');
  const { from, to, lookbackMs, limit, cursor: begin, ...facets } = asked;
  const oldest = Math.max(0, from - lookbackMs);
  const items: HistoryRow[] = [];
  if (begin === undefined) {
    const old = { ...facets, outcomes: ['running'], to: oldest, limit: maxOpenRuns } as const;
    const { items: open } = await store.listRuns(old);
    items.push(...open.filter((row) => hasRun(row, from, to)));
  }
  let cursor = begin;
  for (let page = 0; page < maxPages; page++) {
    const place = cursor === undefined ? {} : { cursor };
    const found = await store.listRuns({ ...facets, from: oldest, to, limit: pageRows, ...place });
    for (const row of found.items) {
      if (hasRun(row, from, to)) items.push(row);
      // Open runs from long ago may be more than the page; they come only once.
      if (items.length >= limit) return { items, nextCursor: encodeCursor(row) };
    }
    cursor = found.nextCursor;
    if (cursor === undefined) return { items };
  }
  return cursor === undefined ? { items } : { items, nextCursor: cursor };
}

function hasRun({ kind, startedAt, endedAt }: HistoryRow, from: number, to: number): boolean {
  if (kind !== 'run' || startedAt === undefined) return false;
  return startedAt < to && (endedAt === undefined || endedAt >= from);
}
