/** `/api/v1/runs`: lists of runs, one run, its output as pages, as text and as a live stream. */
import { Readable } from 'node:stream';
import { z } from 'zod';
import { CronmeshError, renderGot } from '../../shared/errors.ts';
import type { HistoryStore, RunsQuery } from '../../shared/history/port.ts';
import { outcomes, type HistoryRow } from '../../shared/history/records.ts';
import type { EventStreams } from '../http/event-stream.ts';
import { badField } from '../http/problem.ts';
import { ok, type Reply } from '../http/reply.ts';
import { defineRoute, type Route } from '../http/route.ts';
import type { MeshLink } from '../live/mesh-link.ts';
import type { StoreHealth } from '../live/store-health.ts';
import { rowOfFire, type OpenFires } from '../runs/open-fires.ts';
import { endOffset, outputPieces, type OutputFeeds } from '../runs/output-feed.ts';
import { isRunningOnly, listRunning, listRuns } from '../runs/run-list.ts';
import { orderPart } from '../runs/standing-order.ts';
import { outputPageShape, runDetailShape, runListShape, type Shape } from './shapes.ts';

export interface RunsDeps {
  readonly link: MeshLink;
  readonly openFires: OpenFires;
  readonly store: HistoryStore;
  readonly storeHealth: StoreHealth;
  readonly feeds: OutputFeeds;
  readonly streams: EventStreams;
}

const epochMs = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const textPageBytes = 1024 * 1024;

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

const byteOffset = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

export function runsRoutes(deps: RunsDeps): Route[] {
  const { link, openFires, store, storeHealth, feeds, streams } = deps;
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
    defineRoute({
      method: 'GET',
      path: '/api/v1/runs/:id/output',
      summary: 'Output by byte offset; with Accept: text/plain, all of it as text',
      tag: 'runs',
      params: idParams,
      query: z.strictObject({
        from: byteOffset.default(0),
        limitBytes: z
          .int()
          .min(1)
          .max(4 * 1024 * 1024)
          .default(256 * 1024),
      }),
      replies: {
        200: {
          description: 'Chunks from there on, whole ones, about limitBytes.',
          schema: outputPageShape,
          otherType: 'text/plain',
        },
      },
      refusals: [400, 404, 503],
      handle: async ({ params: { id }, query: { from, limitBytes }, headers }) => {
        const row = await findRow(deps, id);
        if (wantsText(headers.accept)) return textReply(store, id, from);
        const chunks = await store.readOutput(id, from, limitBytes);
        const nextOffset = endOffset(chunks, from);
        return ok({
          items: outputPieces(chunks, from),
          nextOffset,
          ended: isEnded(row, chunks.length, nextOffset),
        } satisfies Shape<typeof outputPageShape>);
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/runs/:id/output/stream',
      summary: 'Output as it is written (server-sent events)',
      tag: 'runs',
      params: idParams,
      query: z.strictObject({ from: byteOffset.optional() }),
      headers: [
        { name: 'Last-Event-ID', description: 'Goes on at that byte; stronger than from.' },
      ],
      isStream: true,
      replies: {
        200: {
          description:
            'Events `output` {offset, stream, at, base64} with the next offset as id, and `end` {row}.',
          type: 'text/event-stream',
          schema: z.string(),
        },
      },
      refusals: [400, 404, 503],
      handle: async ({ params: { id }, query, headers }) => {
        const from = readLastEventId(headers['last-event-id']) ?? query.from ?? 0;
        await findRow(deps, id);
        return streams.open((stream) => feeds.watch(id, stream, from));
      },
    }),
  ];
}

export function runNotFound(id: string): CronmeshError {
  return new CronmeshError('not-found', `There is no run ${renderGot(id)}`);
}

/** From the store; or from the open fire, while the store does not know it or cannot be asked. */
async function findRow({ store, openFires }: RunsDeps, id: string): Promise<HistoryRow> {
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

/** The row was read before the bytes, so nothing was written in between that is not in them. */
function isEnded(row: HistoryRow, chunks: number, nextOffset: number): boolean {
  if (row.kind === 'not-run') return true;
  if (row.outcome === undefined) return false;
  return chunks === 0 || (row.outputTruncated === false && nextOffset >= (row.outputBytes ?? 0));
}

/** Only when it is named and JSON is not: a browser's address bar names neither. */
function wantsText(accept: string | undefined): boolean {
  return accept !== undefined && /\btext\/plain\b/.test(accept) && !accept.includes('json');
}

function textReply(store: HistoryStore, id: string, from: number): Reply {
  const fileName = id.replaceAll(/[^A-Za-z0-9._-]/g, '_');
  return {
    status: 200,
    type: 'text/plain; charset=utf-8',
    headers: { 'Content-Disposition': `attachment; filename="${fileName}.log"` },
    content: Readable.from(textOf(store, id, from), { objectMode: false }),
  };
}

async function* textOf(store: HistoryStore, id: string, from: number): AsyncGenerator<Buffer> {
  for (let offset = from; ;) {
    const chunks = await store.readOutput(id, offset, textPageBytes);
    const next = endOffset(chunks, offset);
    if (next === offset) return;
    for (const piece of chunks) {
      const skipped = Math.max(0, offset - piece.offset);
      if (skipped < piece.data.length) yield piece.data.subarray(skipped);
    }
    offset = next;
  }
}

function readLastEventId(header: string | string[] | undefined): number | undefined {
  if (header === undefined || header === '') return undefined;
  if (typeof header === 'string' && /^\d{1,15}$/.test(header)) return Number(header);
  throw badField('Last-Event-ID', 'is not a byte offset', 'the id of an event', renderGot(header));
}
