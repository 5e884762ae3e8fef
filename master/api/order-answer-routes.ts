/**
 * What became of a kill order: `GET /api/v1/jobs/:name/kill` and `GET /api/v1/runs/:id/kill`, for as
 * long as the order and its answer stand, whoever gave it and however.
 */
import { z } from 'zod';
import { CronmeshError } from '../../shared/errors.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import { ranOutcomes } from '../../shared/history/records.ts';
import { ok } from '../http/reply.ts';
import { defineRoute, type Route } from '../http/route.ts';
import type { MeshLink } from '../live/mesh-link.ts';
import type { OpenFires } from '../runs/open-fires.ts';
import { nameParams } from './jobs-routes.ts';
import { idParams, runNotFound } from './runs-routes.ts';
import { epochMs, type Shape } from './shapes.ts';

export interface OrderAnswerDeps {
  readonly link: MeshLink;
  readonly openFires: OpenFires;
  readonly store: HistoryStore;
}

export const orderAnswerShape = z
  .strictObject({
    orderId: z.string().describe('The revision of the order.'),
    by: z.string().exactOptional(),
    at: epochMs.exactOptional(),
    graceSeconds: z.number().exactOptional().describe("Absent: the job's own."),
    state: z
      .enum(['waiting', 'killing', 'done', 'nothing'])
      .describe(
        'waiting: no worker has taken it up, those that hold its runs are frozen or cut off; killing: its runs are being ended; done: none of them is open any more; nothing: there was nothing to kill.',
      ),
    worker: z.string().exactOptional().describe('Who answered.'),
    answeredAt: epochMs.exactOptional(),
    reason: z.string().exactOptional(),
    runs: z
      .array(
        z.strictObject({
          runId: z.string(),
          worker: z.string(),
          outcome: z.enum(ranOutcomes).exactOptional().describe('Absent: not known, or not yet.'),
        }),
      )
      .describe('The runs that it hit; at most 100 are named.'),
  })
  .meta({ id: 'OrderAnswer' });

const reply = { description: 'The order, and what became of it.', schema: orderAnswerShape };

export function orderAnswerRoutes({ link, openFires, store }: OrderAnswerDeps): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/jobs/:name/kill',
      summary: 'What became of the last order to kill every run of the job',
      tag: 'jobs',
      params: nameParams,
      replies: { 200: reply },
      refusals: [400, 404, 503],
      handle: async ({ params: { name } }) => {
        link.requireSynced();
        return ok(answerOf(link, name, ''));
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/runs/:id/kill',
      summary: 'What became of the order to kill the run',
      tag: 'runs',
      params: idParams,
      replies: { 200: reply },
      refusals: [400, 404, 503],
      handle: async ({ params: { id } }) => {
        link.requireSynced();
        const job = openFires.jobOf(id) ?? (await store.getRun(id))?.job;
        if (job === undefined) throw runNotFound(id);
        return ok(answerOf(link, job, id));
      },
    }),
  ];
}

function answerOf(link: MeshLink, name: string, id: string): Shape<typeof orderAnswerShape> {
  const order = link.view.part(name)?.orders.get(id);
  if (order === undefined) {
    const whom = id === '' ? `the runs of ${name}` : `the run ${id}`;
    throw new CronmeshError('not-found', `No order stands against ${whom} (any more)`);
  }
  const { by, at, graceSeconds, answer } = order.value;
  return {
    orderId: String(order.orderRevision),
    ...(by === undefined ? {} : { by }),
    ...(at === undefined ? {} : { at }),
    ...(graceSeconds === undefined ? {} : { graceSeconds }),
    state: answer?.state ?? 'waiting',
    ...(answer === undefined ? {} : { worker: answer.worker, answeredAt: answer.at }),
    ...(answer?.reason === undefined ? {} : { reason: answer.reason }),
    runs: (answer?.runs ?? []).map(({ runId, worker, outcome }) => ({
      runId,
      worker,
      ...(outcome === undefined ? {} : { outcome }),
    })),
  };
}
