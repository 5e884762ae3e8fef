/** `/api/v1/runs`: lists of runs, and one run. */
import { z } from 'zod';
import { CronmeshError, renderGot } from '../../shared/errors.ts';
import type { HistoryStore, RunsQuery } from '../../shared/history/port.ts';
import { outcomes, type HistoryRow } from '../../shared/history/records.ts';
import type { EventStreams } from '../http/event-stream.ts';
import { ok } from '../http/reply.ts';
import { defineRoute, type Route } from '../http/route.ts';
import type { MeshLink } from '../live/mesh-link.ts';
import type { StoreHealth } from '../live/store-health.ts';
import { rowOfFire, type OpenFires } from '../runs/open-fires.ts';
import type { OutputFeeds } from '../runs/output-feed.ts';
import { isRunningOnly, listRunning, listRuns } from '../runs/run-list.ts';
import { orderPart } from '../runs/standing-order.ts';
import { runDetailShape, runListShape, type Shape } from './shapes.ts';

export interface RunsDeps {
  readonly link: MeshLink;
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
const listQuery = z.strictObject({
  limit: z.int().min(1).max(500).default(50),
  cursor: z.string().max(2_048).optional(),
  job: facet,
  group: facet,
  worker: facet,
  outcome: z.array(z.enum([...outcomes, 'running'])).optional(),
  from: epochMs.optional().describe('Ticks from here on.'),
  to: epochMs.optional().describe('Ticks before this.'),
  order: z.enum(['asc', 'desc']).default('desc').describe('By tick.'),
});

export function runsRoutes(deps: RunsDeps): Route[] {
  const { link, openFires, store, storeHealth } = deps;
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/runs',
      summary: 'List runs and fires that did not run, newest first',
      tag: 'runs',
      query: listQuery,
      replies: { 200: { description: 'One page of history.', schema: runListShape } },
      refusals: [400, 503],
      handle: async ({ query }) => {
        link.requireSynced();
        const runsQuery = toRunsQuery(query);
        if (!isRunningOnly(runsQuery)) {
          return ok({ ...(await listRuns(store, openFires, runsQuery)), storeDown: false });
        }
        // What runs now is known without the store.
        const page = await storeHealth.attempt(() => listRuns(store, openFires, runsQuery));
        return ok({
          ...(page ?? (await listRunning(undefined, openFires, runsQuery))),
          storeDown: page === undefined,
        } satisfies Shape<typeof runListShape>);
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

function toRunsQuery(query: z.output<typeof listQuery>): RunsQuery {
  const { limit, cursor, job, group, worker, outcome, from, to, order } = query;
  return {
    limit,
    order,
    ...(cursor === undefined ? {} : { cursor }),
    ...(job === undefined ? {} : { jobs: job }),
    ...(group === undefined ? {} : { groups: group }),
    ...(worker === undefined ? {} : { workers: worker }),
    ...(outcome === undefined ? {} : { outcomes: outcome }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}
