/** Run a job now, kill what runs: `/api/v1/jobs/:name/run`, `…/kill`, `/api/v1/runs/:id/kill`. */
import { z } from 'zod';
import { CronmeshError, renderGot } from '../../shared/errors.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import { standsAgainst } from '../../shared/protocol/kill.ts';
import { badField } from '../http/problem.ts';
import { defineRoute, type Route } from '../http/route.ts';
import type { RunRequests } from '../jobs/run-requests.ts';
import type { MeshLink } from '../live/mesh-link.ts';
import type { OpenFires } from '../runs/open-fires.ts';
import { nameParams, noSuchJob } from './jobs-routes.ts';
import { idParams, runNotFound } from './runs-routes.ts';
import { killOrderShape, triggeredShape, type Shape } from './shapes.ts';

export interface OrdersDeps {
  readonly link: MeshLink;
  readonly openFires: OpenFires;
  readonly requests: RunRequests;
  readonly store: HistoryStore;
}

const killBody = z
  .strictObject({
    graceSeconds: z
      .number()
      .min(0)
      .max(3600)
      .optional()
      .describe("Between TERM and KILL; default the job's own."),
  })
  .optional();

const killReply = { description: 'The order stands.', schema: killOrderShape };

export function ordersRoutes({ link, openFires, requests, store }: OrdersDeps): Route[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/api/v1/jobs/:name/run',
      summary: 'Ask for one run now, also while the job is paused',
      tag: 'jobs',
      params: nameParams,
      headers: [
        {
          name: 'Idempotency-Key',
          description: 'The same key for the same job within a minute is the same request.',
        },
      ],
      body: z.strictObject({}).optional(),
      isBodyOptional: true,
      replies: { 202: { description: 'A worker will take it up.', schema: triggeredShape } },
      refusals: [400, 404, 409, 503],
      handle: async ({ params: { name }, headers, by }) => {
        const key = readIdempotencyKey(headers['idempotency-key']);
        const triggered: Shape<typeof triggeredShape> = await requests.run(name, by, key);
        return { status: 202, json: triggered };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/jobs/:name/kill',
      summary: 'Kill every run of the job that is open now',
      tag: 'jobs',
      params: nameParams,
      body: killBody,
      isBodyOptional: true,
      replies: { 202: killReply },
      refusals: [400, 404, 503],
      handle: async ({ params: { name }, body, by }) => {
        link.requireSynced();
        // A deleted job's last runs may still be open.
        const parts = link.view.part(name);
        if (parts?.entry === undefined && (parts?.fires.size ?? 0) === 0) throw noSuchJob(name);
        const runs = openRunsOf(link, name);
        const revision = await requests.killAll(name, by, body?.graceSeconds);
        await link.caughtUp(revision);
        // One that was claimed while the order was on its way is hit as well.
        const known = new Set([...runs, ...openRunsOf(link, name, revision)]);
        return killReplyOf(revision, [...known]);
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/runs/:id/kill',
      summary: 'Kill one run',
      tag: 'runs',
      params: idParams,
      body: killBody,
      isBodyOptional: true,
      replies: { 202: killReply },
      refusals: [400, 404, 409, 503],
      handle: async ({ params: { id }, body, by }) => {
        link.requireSynced();
        const open = openFires.get(id);
        if (open === undefined) {
          if ((await store.getRun(id)) === undefined) throw runNotFound(id);
          throw notRunning(id);
        }
        const target = { runId: id, fireId: open.fireId };
        const revision = await requests.killRun(open.job, target, by, body?.graceSeconds);
        if (revision === undefined) throw notRunning(id);
        await link.caughtUp(revision);
        return killReplyOf(revision, [id]);
      },
    }),
  ];
}

/** Runs that the view shows open, claimed before `orderRevision`. */
function openRunsOf(link: MeshLink, name: string, orderRevision = Infinity): string[] {
  return [...(link.view.part(name)?.fires.values() ?? [])]
    .filter(({ createRevision }) => standsAgainst(orderRevision, createRevision))
    .map(({ value }) => value.runId);
}

function killReplyOf(revision: number, runs: readonly string[]) {
  const json: Shape<typeof killOrderShape> = { orderId: String(revision), runs };
  return { status: 202, json };
}

function notRunning(id: string): CronmeshError {
  return new CronmeshError('conflict', `The run ${id} is not running (any more)`);
}

function readIdempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && /^[\x20-\x7e]{1,255}$/.test(header)) return header;
  const expected = '1 to 255 printable ASCII characters';
  throw badField('Idempotency-Key', 'is not usable', expected, renderGot(header));
}
