/** What is kept of history, what it takes on disk, and whether the store is whole. */
import { z } from 'zod';
import { retentionSchema } from '../../shared/history/retention-rule.ts';
import { etagOf, readPrecondition, requirePrecondition } from '../http/preconditions.ts';
import { ok } from '../http/reply.ts';
import { defineRoute, type Route } from '../http/route.ts';
import type { MeshLink } from '../live/mesh-link.ts';
import { epochMs, type Shape } from '../api/shapes.ts';
import type { RetentionEditor } from './retention-editor.ts';
import type { StorageBook } from './storage-book.ts';

/** Whoever asks for a check of a big file asks again later. */
const checkWaitMs = 5_000;
const count = z.int().min(0);

const retentionShape = retentionSchema.meta({
  id: 'Retention',
  description: 'What is kept of history, for every job that says nothing else.',
});
const revision = z
  .int()
  .describe('Of the setting; in quotes it is its ETag. 0: the defaults hold.');

export const lastPruneShape = z
  .strictObject({ endedAt: epochMs, tookMs: count, rows: count, chunks: count, jobs: count })
  .meta({
    id: 'LastPrune',
    description: 'The newest round of pruning: what it deleted, and of how many jobs it looked.',
  });
export const retentionAnswerShape = z
  .strictObject({
    retention: retentionShape
      .exactOptional()
      .describe('Absent when what is stored cannot be read: then all is kept.'),
    revision,
    lastPrune: lastPruneShape.exactOptional(),
  })
  .meta({ id: 'RetentionAnswer' });
export const savedRetentionShape = z
  .strictObject({ retention: retentionShape, revision })
  .meta({ id: 'SavedRetention' });
export const storageShape = z
  .strictObject({
    bytes: count.describe('On disk, with indexes.'),
    freeBytes: count.exactOptional().describe('Of them, free for new rows (SQLite).'),
    rows: count,
    oldestTick: epochMs.exactOptional(),
    lastPrune: lastPruneShape.exactOptional(),
  })
  .meta({ id: 'Storage', description: 'What history takes; at most a minute old.' });
export const storeCheckShape = z
  .strictObject({
    state: z
      .enum(['checking', 'whole', 'damaged', 'unknown'])
      .describe('unknown: the store could not be asked, for the reason in problems.'),
    startedAt: epochMs,
    endedAt: epochMs.exactOptional(),
    problems: z
      .array(z.string())
      .describe('At most 20; while checking, those of the check before.'),
  })
  .meta({ id: 'StoreCheck' });

export interface RetentionDeps {
  readonly link: MeshLink;
  readonly editor: RetentionEditor;
  readonly storage: StorageBook;
}

export function retentionRoutes({ link, editor, storage }: RetentionDeps): Route[] {
  const settingPath = '/api/v1/settings/history';
  const etagHeader = { ETag: 'The revision of the setting, in quotes; none while it is not set.' };
  return [
    defineRoute({
      method: 'GET',
      path: settingPath,
      summary: 'How long history is kept, and what was deleted last',
      tag: 'history',
      replies: { 200: { description: 'Now.', schema: retentionAnswerShape, headers: etagHeader } },
      refusals: [503],
      handle: async () => {
        const { retention, revision: now, pruned } = await editor.read();
        const answer: Shape<typeof retentionAnswerShape> = {
          ...(retention === undefined ? {} : { retention }),
          revision: now,
          ...(pruned?.last === undefined ? {} : { lastPrune: pruned.last }),
        };
        return ok(answer, now === 0 ? {} : { ETag: etagOf(now) });
      },
    }),
    defineRoute({
      method: 'PUT',
      path: settingPath,
      summary: 'Change how long history is kept; it holds at once, for what is there as well',
      tag: 'history',
      headers: [
        { name: 'If-None-Match', description: '* while the defaults hold.' },
        { name: 'If-Match', description: 'The ETag of the setting that is replaced, or *.' },
      ],
      body: retentionSchema,
      replies: {
        200: { description: 'Replaced.', schema: savedRetentionShape, headers: etagHeader },
        201: { description: 'Set.', schema: savedRetentionShape, headers: etagHeader },
      },
      refusals: [400, 412, 413, 415, 428, 503],
      handle: async ({ body, headers }) => {
        const precondition = requirePrecondition(
          readPrecondition(headers),
          'If-None-Match: * while the defaults hold, or If-Match with the ETag to replace',
        );
        const saved = await editor.put(body, precondition);
        await link.caughtUp(saved.revision);
        return {
          status: saved.isNew ? 201 : 200,
          headers: { ETag: etagOf(saved.revision) },
          json: { retention: body, revision: saved.revision } satisfies Shape<
            typeof savedRetentionShape
          >,
        };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/stats/storage',
      summary: 'What history takes on disk',
      tag: 'history',
      replies: { 200: { description: 'At most a minute old.', schema: storageShape } },
      refusals: [503],
      handle: async () => {
        const [use, pruned] = await Promise.all([
          storage.use(),
          editor.read().then(
            (stored) => stored.pruned,
            () => undefined,
          ),
        ]);
        return ok({
          ...use,
          ...(pruned?.last === undefined ? {} : { lastPrune: pruned.last }),
        } satisfies Shape<typeof storageShape>);
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/health/store',
      summary:
        'Whether the SQLite file is whole, by an integrity check of the last day or a new one',
      tag: 'health',
      query: z.strictObject({ fresh: z.boolean().default(false) }),
      replies: { 200: { description: 'As far as it is known.', schema: storeCheckShape } },
      refusals: [400],
      handle: async ({ query: { fresh } }) => {
        const check = await storage.check(fresh, checkWaitMs);
        return ok(check satisfies Shape<typeof storeCheckShape>);
      },
    }),
  ];
}
