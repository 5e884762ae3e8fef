/** `/api/v1/runs`: lists of runs, as pages or as a download, and one run. */
import { z } from 'zod';
import { CronmeshError, renderGot } from '../../shared/errors.ts';
import type { HistoryStore, RunsPage, RunsQuery } from '../../shared/history/port.ts';
import { outcomes, type HistoryRow } from '../../shared/history/records.ts';
import type { EventStreams } from '../http/event-stream.ts';
import { ok } from '../http/reply.ts';
import { badField } from '../http/problem.ts';
import { defineRoute, type Route } from '../http/route.ts';
import type { JobIndex } from '../jobs/job-index.ts';
import type { MeshLink } from '../live/mesh-link.ts';
import type { StoreHealth } from '../live/store-health.ts';
import { chosenJobs } from '../runs/chosen-jobs.ts';
import { rowOfFire, type OpenFires } from '../runs/open-fires.ts';
import type { OutputFeeds } from '../runs/output-feed.ts';
import {
  exportedRows,
  exportFormatOf,
  exportFormats,
  exportRuns,
  mostExportedRows,
} from '../runs/run-export.ts';
import { isRunningOnly, listRunning, listRuns } from '../runs/run-list.ts';
import { orderPart } from '../runs/standing-order.ts';
import { runDetailShape, runListShape, type Shape } from './shapes.ts';

export interface RunsDeps {
  readonly link: MeshLink;
  readonly index: JobIndex;
  readonly openFires: OpenFires;
  readonly store: HistoryStore;
  readonly storeHealth: StoreHealth;
  readonly feeds: OutputFeeds;
  readonly streams: EventStreams;
}

const epochMs = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

export const idParams = z.object({
  id: z
    .string()
    .min(1)
    .max(512)
    .refine((id) => !/[\0\n\r]/.test(id), { error: 'is not an id of a run' }),
});

const facet = z.array(z.string().max(256)).max(200).optional();
const mostListed = 500;
const listQuery = z.strictObject({
  limit: z
    .int()
    .min(1)
    .max(mostExportedRows)
    .optional()
    .describe(
      `Rows of a page, 1 to ${mostListed}, default 50; or of a download, default ${exportedRows}.`,
    ),
  cursor: z.string().max(2_048).optional(),
  job: facet,
  q: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe('Jobs whose names begin so, of those there are now.'),
  label: z
    .array(z.string().min(1).max(256))
    .max(10)
    .optional()
    .describe('Jobs that have this label now, as key or key=value; every one of them.'),
  group: facet,
  worker: facet,
  outcome: z.array(z.enum([...outcomes, 'running'])).optional(),
  from: epochMs.optional().describe('Ticks from here on.'),
  to: epochMs.optional().describe('Ticks before this.'),
  order: z.enum(['asc', 'desc']).default('desc').describe('By tick.'),
  format: z
    .enum(['json', ...exportFormats])
    .optional()
    .describe('A download of all rows, as CSV or JSON lines; stronger than Accept.'),
});

export function runsRoutes(deps: RunsDeps): Route[] {
  const { link, index, openFires } = deps;
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/runs',
      summary:
        'List runs and fires that did not run, newest first; with Accept: text/csv or application/x-ndjson, download them',
      tag: 'runs',
      query: listQuery,
      replies: {
        200: {
          description: 'One page of history; or all of it, as CSV or JSON lines.',
          schema: runListShape,
          otherTypes: ['text/csv', 'application/x-ndjson'],
          headers: { 'X-Row-Limit': 'Of a download: it has no more rows than this.' },
        },
      },
      refusals: [400, 503],
      handle: async ({ query, headers }) => {
        link.requireSynced();
        const jobs = chosenJobs(index, query);
        const format = exportFormatOf(query.format, headers.accept);
        if (format !== undefined) {
          return exportRuns(format, query.limit ?? exportedRows, query.cursor, (limit, cursor) =>
            pageOf(deps, toRunsQuery({ ...query, limit, cursor }, jobs)),
          );
        }
        const { limit = 50 } = query;
        if (limit > mostListed) {
          throw badField('limit', 'is too large', `at most ${mostListed}`, String(limit));
        }
        const page = await pageOf(deps, toRunsQuery({ ...query, limit }, jobs));
        return ok(page satisfies Shape<typeof runListShape>);
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/runs/:id',
      summary: 'One run',
      tag: 'runs',
      params: idParams,
      replies: { 200: { description: 'The run.', schema: runDetailShape } },
      refusals: [400, 404, 503],
      handle: async ({ params: { id } }) => {
        const row = await findRow(deps, id);
        const open = openFires.get(id);
        const detail: Shape<typeof runDetailShape> = {
          ...row,
          open: open !== undefined,
          ...(open && orderPart(link.view, open.job, open.fire)),
        };
        return ok(detail);
      },
    }),
  ];
}

export function runNotFound(id: string): CronmeshError {
  return new CronmeshError('not-found', `There is no run ${renderGot(id)}`);
}

/** From the store; or from the open fire, while the store does not know it or cannot be asked. */
export async function findRow({ store, openFires }: RunsDeps, id: string): Promise<HistoryRow> {
  const open = openFires.get(id);
  let row: HistoryRow | undefined;
  try {
    row = await store.getRun(id);
  } catch (error) {
    if (open === undefined) throw error;
  }
  if (row !== undefined) return row;
  if (open === undefined) throw runNotFound(id);
  return rowOfFire(open);
}

async function pageOf(
  { store, openFires, storeHealth }: RunsDeps,
  query: RunsQuery,
): Promise<RunsPage & { readonly storeDown: boolean }> {
  if (!isRunningOnly(query)) {
    return { ...(await listRuns(store, openFires, query)), storeDown: false };
  }
  // What runs now is known without the store.
  const page = await storeHealth.attempt(() => listRuns(store, openFires, query));
  return {
    ...(page ?? (await listRunning(undefined, openFires, query))),
    storeDown: page === undefined,
  };
}

function toRunsQuery(
  query: z.output<typeof listQuery> & { readonly limit: number },
  jobs: readonly string[] | undefined,
): RunsQuery {
  const { limit, cursor, group, worker, outcome, from, to, order } = query;
  return {
    limit,
    order,
    ...(cursor === undefined ? {} : { cursor }),
    ...(jobs === undefined ? {} : { jobs }),
    ...(group === undefined ? {} : { groups: group }),
    ...(worker === undefined ? {} : { workers: worker }),
    ...(outcome === undefined ? {} : { outcomes: outcome }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}
