/** `/api/v1/ran-between`: what ran between two instants, as far as it is in history. */
import { z } from 'zod';
import type { HistoryStore } from '../../shared/history/port.ts';
import { ranBetween } from '../../shared/history/ran-between.ts';
import { badField } from '../http/problem.ts';
import { ok } from '../http/reply.ts';
import { defineRoute, type Route } from '../http/route.ts';
import type { Shape } from './shapes.ts';
import { ranBetweenShape } from './stats-shapes.ts';

const dayMs = 86_400_000;
const maxDays = 31;
const instant = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const facet = z.array(z.string().max(256)).max(200).optional();

const betweenQuery = z.strictObject({
  from: instant.describe('Epoch ms: runs that had not ended before this.'),
  to: instant.describe(`Runs that had started before this; at most ${maxDays} days later.`),
  job: facet,
  group: facet,
  worker: facet,
  lookbackMs: z
    .int()
    .min(0)
    .max(maxDays * dayMs)
    .default(dayMs)
    .describe('Runs due longer than this before from are found only while they are open.'),
  limit: z.int().min(1).max(500).default(50),
  cursor: z.string().max(2_048).optional(),
});

export function ranBetweenRoutes({ store }: { readonly store: HistoryStore }): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/ran-between',
      summary: 'What ran between two instants, newest tick first',
      tag: 'runs',
      query: betweenQuery,
      replies: {
        200: {
          description: 'A page; one with few rows, or none, may still have a next one.',
          schema: ranBetweenShape,
        },
      },
      refusals: [400, 503],
      handle: async ({ query }) => {
        const { from, to, job, group, worker, lookbackMs, limit, cursor } = query;
        if (to <= from || to - from > maxDays * dayMs) {
          const expected = `after from (${from}), by at most ${maxDays} days`;
          throw badField('to', 'is not within reach of from', expected, String(to));
        }
        const page = await ranBetween(store, {
          from,
          to,
          lookbackMs,
          limit,
          ...(job === undefined ? {} : { jobs: job }),
          ...(group === undefined ? {} : { groups: group }),
          ...(worker === undefined ? {} : { workers: worker }),
          ...(cursor === undefined ? {} : { cursor }),
        });
        return ok(page satisfies Shape<typeof ranBetweenShape>);
      },
    }),
  ];
}
