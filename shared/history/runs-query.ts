/**
 * A RunsQuery as both stores execute it: checked, defaults filled in, and its page position
 * decoded. Rows are ordered by (tick, id), which never changes once a row is there, so a page's
 * place is stable while rows are added. Problems are `request-invalid`, named by query field.
 */
import { z } from 'zod';
import { CronmeshError, renderGot } from '../errors.ts';
import { parseWith } from '../job/zod-problems.ts';
import { outcomes } from './records.ts';
import type { RunsQuery } from './port.ts';

const maxPageRows = 1000;
const maxFacetValues = 1000;

const facet = z.array(z.string()).max(maxFacetValues);
const runsQuerySchema = z.object({
  jobs: facet.exactOptional(),
  groups: facet.exactOptional(),
  workers: facet.exactOptional(),
  outcomes: z.array(z.enum([...outcomes, 'running'])).exactOptional(),
  from: z.int().default(0),
  to: z.int().default(Number.MAX_SAFE_INTEGER),
  order: z.enum(['asc', 'desc']).default('desc'),
  limit: z.int().min(1).max(maxPageRows),
  cursor: z.string().exactOptional(),
});

const positionSchema = z.tuple([z.int(), z.string()]);

export interface RowPosition {
  readonly tick: number;
  readonly id: string;
}

export interface RowsFilter {
  /** Distinct values; undefined matches all, an empty list matches nothing. */
  readonly job: readonly string[] | undefined;
  readonly worker: readonly string[] | undefined;
  readonly state: readonly string[] | undefined;
  readonly group: readonly string[] | undefined;
  readonly from: number;
  readonly to: number;
  readonly order: 'asc' | 'desc';
  readonly limit: number;
  /** Rows strictly beyond this one, in the query's order. */
  readonly after: RowPosition | undefined;
}

export function parseRunsQuery(input: RunsQuery): RowsFilter {
  const query = parseWith(runsQuerySchema, input, 'request-invalid', 'the query');
  return {
    job: distinct(query.jobs),
    worker: distinct(query.workers),
    state: distinct(query.outcomes),
    group: distinct(query.groups),
    from: query.from,
    to: query.to,
    order: query.order,
    limit: query.limit,
    after: query.cursor === undefined ? undefined : decodeCursor(query.cursor),
  };
}

const lastRunsSchema = z.object({
  jobs: facet,
  limit: z.int().min(1).max(maxPageRows),
});

/** Distinct jobs and the checked limit of a lastRuns() call. */
export function parseLastRuns(
  jobs: readonly string[],
  limit: number,
): { readonly jobs: readonly string[]; readonly limit: number } {
  const parsed = parseWith(lastRunsSchema, { jobs, limit }, 'request-invalid', 'the query');
  return { jobs: distinct(parsed.jobs) ?? [], limit: parsed.limit };
}

const idSchema = z.string().refine((id) => !id.includes('\0'), 'contains NUL');

export function parseRowId(id: string): string {
  return parseWith(idSchema, id, 'request-invalid', 'the id');
}

const outputRangeSchema = z.object({
  runId: idSchema,
  fromOffset: z.int().min(0),
  maxBytes: z.int().min(1),
});

export type OutputRange = z.output<typeof outputRangeSchema>;

export function parseOutputRange(range: OutputRange): OutputRange {
  return parseWith(outputRangeSchema, range, 'request-invalid', 'the output range');
}

export function encodeCursor(position: RowPosition): string {
  return Buffer.from(JSON.stringify([position.tick, position.id])).toString('base64url');
}

function decodeCursor(cursor: string): RowPosition {
  const parsed = positionSchema.safeParse(jsonOf(Buffer.from(cursor, 'base64url').toString()));
  if (parsed.success) return { tick: parsed.data[0], id: parsed.data[1] };
  const problem = {
    field: '/cursor',
    message: 'is not a page cursor',
    expected: 'the nextCursor of an earlier page, unchanged',
    got: renderGot(cursor),
  };
  throw new CronmeshError('request-invalid', `cursor ${problem.message}`, { problems: [problem] });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function distinct(values: readonly string[] | undefined): readonly string[] | undefined {
  return values === undefined ? undefined : [...new Set(values)];
}
