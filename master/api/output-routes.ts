/**
 * `/api/v1/runs/:id/output`: what a run wrote, as JSON by byte offset, as plain text (whole, or a
 * `Range` of it), and as it is written: server-sent events that resume, or plain text for `curl -N`.
 */
import { Readable } from 'node:stream';
import { z } from 'zod';
import { CronmeshError, renderGot } from '../../shared/errors.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import type { HistoryRow } from '../../shared/history/records.ts';
import { badField } from '../http/problem.ts';
import { ok, type Reply } from '../http/reply.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { OutputPortion, type OutputStreamName } from '../runs/output-portion.ts';
import { eventSink, textSink } from '../runs/output-sinks.ts';
import { findRow, idParams, type RunsDeps } from './runs-routes.ts';
import { outputPageShape, type Shape } from './shapes.ts';

const textPageBytes = 1024 * 1024;
const byteOffset = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const streamName = z
  .enum(['stdout', 'stderr'])
  .optional()
  .describe('That stream only; offsets still count the bytes of both.');
const lastEventId = {
  name: 'Last-Event-ID',
  description: 'Of a stream: goes on at that byte; stronger than from.',
};

export function outputRoutes(deps: RunsDeps): Route[] {
  const { store } = deps;
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/runs/:id/output',
      summary:
        'Output by byte offset; with Accept: text/plain, as text; with follow=true, as it is written',
      tag: 'runs',
      params: idParams,
      query: z.strictObject({
        from: byteOffset.optional().describe('The first byte; 0 when nothing is said.'),
        limitBytes: z
          .int()
          .min(1)
          .max(4 * 1024 * 1024)
          .default(256 * 1024)
          .describe('Of a page of JSON.'),
        stream: streamName,
        follow: z
          .boolean()
          .default(false)
          .describe('Server-sent events until the run has ended; with Accept: text/plain, text.'),
      }),
      headers: [
        lastEventId,
        { name: 'Range', description: 'One range of bytes, of both streams as plain text.' },
      ],
      replies: {
        200: {
          description: 'Chunks from there on, whole ones, about limitBytes.',
          schema: outputPageShape,
          otherTypes: ['text/plain'],
        },
        206: { description: 'The bytes of a Range.', type: 'text/plain', schema: z.string() },
      },
      refusals: [400, 404, 416, 503],
      handle: async ({ params: { id }, query, headers }) => {
        const { limitBytes, stream, follow } = query;
        const isText = wantsText(headers.accept);
        if (follow)
          return isText ? followText(deps, id, query) : followEvents(deps, id, query, headers);
        const row = await findRow(deps, id);
        const from = query.from ?? 0;
        if (isText) return textReply(store, row, from, stream, headers.range);
        const portion = new OutputPortion(await store.readOutput(id, from, limitBytes), from);
        return ok({
          items: portion.pieces(stream),
          nextOffset: portion.next,
          ended: isEnded(row, portion),
        } satisfies Shape<typeof outputPageShape>);
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/runs/:id/output/stream',
      summary: 'Output as it is written (server-sent events)',
      tag: 'runs',
      params: idParams,
      query: z.strictObject({ from: byteOffset.optional(), stream: streamName }),
      headers: [lastEventId],
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
      handle: ({ params: { id }, query, headers }) => followEvents(deps, id, query, headers),
    }),
  ];
}

interface Following {
  readonly from?: number | undefined;
  readonly stream?: OutputStreamName | undefined;
}

async function followEvents(
  deps: RunsDeps,
  id: string,
  { from, stream: only }: Following,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Promise<Reply> {
  const start = readLastEventId(headers['last-event-id']) ?? from ?? 0;
  await findRow(deps, id);
  return deps.streams.open((stream) => deps.feeds.watch(id, eventSink(stream, only), start));
}

async function followText(
  deps: RunsDeps,
  id: string,
  { from = 0, stream: only }: Following,
): Promise<Reply> {
  await findRow(deps, id);
  return deps.streams.openText((stream) => deps.feeds.watch(id, textSink(stream, only), from));
}

/** The row was read before the bytes, so nothing was written in between that is not in them. */
function isEnded(row: HistoryRow, portion: OutputPortion): boolean {
  if (row.kind === 'not-run') return true;
  if (row.outcome === undefined) return false;
  return (
    portion.isEmpty || (row.outputTruncated === false && portion.next >= (row.outputBytes ?? 0))
  );
}

/** Only when it is named and JSON is not: a browser's address bar names neither. */
function wantsText(accept: string | undefined): boolean {
  return accept !== undefined && /\btext\/plain\b/.test(accept) && !accept.includes('json');
}

async function textReply(
  store: HistoryStore,
  { id }: HistoryRow,
  from: number,
  only: OutputStreamName | undefined,
  range: string | undefined,
): Promise<Reply> {
  const fileName = id.replaceAll(/[^A-Za-z0-9._-]/g, '_');
  const headers = { 'Content-Disposition': `attachment; filename="${fileName}.log"` };
  const type = 'text/plain; charset=utf-8';
  // Where the bytes of one stream alone stand is known to nobody: the whole is answered then.
  if (range === undefined || only !== undefined || from > 0) {
    const content = Readable.from(textOf(store, id, from, Infinity, only), { objectMode: false });
    return { status: 200, type, headers: { ...headers, 'Accept-Ranges': 'bytes' }, content };
  }
  const size = await store.outputEnd(id);
  const part = parseRange(range, size);
  return {
    status: 206,
    type,
    headers: {
      ...headers,
      'Accept-Ranges': 'bytes',
      'Content-Range': `bytes ${part.first}-${part.last}/${size}`,
      'Content-Length': String(part.last - part.first + 1),
    },
    content: Readable.from(textOf(store, id, part.first, part.last + 1, undefined), {
      objectMode: false,
    }),
  };
}

/** RFC 9110, one range: `bytes=0-99`, `bytes=100-`, `bytes=-100`. */
function parseRange(range: string, size: number): { first: number; last: number } {
  const match = /^bytes=(?:(\d{1,15})-(\d{1,15})?|-(\d{1,15}))$/.exec(range.trim());
  const [, start, stop, suffix] = match ?? [];
  const first = suffix === undefined ? Number(start) : Math.max(0, size - Number(suffix));
  const last = stop === undefined ? size - 1 : Math.min(Number(stop), size - 1);
  if (match !== null && first <= last) return { first, last };
  throw new CronmeshError(
    'range-invalid',
    `There are no such bytes of the ${size} of this output`,
    {
      problems: [
        {
          field: 'Range',
          message: 'is not one range of bytes that are there',
          expected: `bytes=FIRST-LAST within 0 to ${size - 1}`,
          got: renderGot(range),
        },
      ],
    },
  );
}

async function* textOf(
  store: HistoryStore,
  id: string,
  from: number,
  to: number,
  only: OutputStreamName | undefined,
): AsyncGenerator<Buffer> {
  for (let offset = from; offset < to;) {
    const portion = new OutputPortion(await store.readOutput(id, offset, textPageBytes), offset);
    if (portion.isEmpty) return;
    const left = to - offset;
    if (portion.next - offset > left) {
      yield Buffer.concat(portion.bytes(only)).subarray(0, left);
      return;
    }
    yield* portion.bytes(only);
    offset = portion.next;
  }
}

function readLastEventId(header: string | string[] | undefined): number | undefined {
  if (header === undefined || header === '') return undefined;
  if (typeof header === 'string' && /^\d{1,15}$/.test(header)) return Number(header);
  throw badField('Last-Event-ID', 'is not a byte offset', 'the id of an event', renderGot(header));
}
