/** `/api/v1/runs/:id/output/search`: where a text stands in what a run wrote. */
import { z } from 'zod';
import { searchOutput } from '../../shared/history/search-output.ts';
import { ok } from '../http/reply.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { findRow, idParams, type RunsDeps } from './runs-routes.ts';
import type { Shape } from './shapes.ts';
import { outputMatchesShape } from './stats-shapes.ts';

const maxTextBytes = 1_024;

const searchQuery = z.strictObject({
  q: z
    .string()
    .min(1)
    .refine((text) => Buffer.byteLength(text) <= maxTextBytes, {
      error: 'is too long',
      params: { expected: `at most ${maxTextBytes} bytes` },
    })
    .describe('The text, byte for byte: case matters.'),
  from: z
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .default(0)
    .describe('The first byte to look at; the nextOffset of the answer before.'),
  limit: z.int().min(1).max(1_000).default(100),
});

export function outputSearchRoutes(deps: RunsDeps): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/runs/:id/output/search',
      summary: 'Where a text stands in the stored output; at most about 16 MiB a request',
      tag: 'runs',
      params: idParams,
      query: searchQuery,
      replies: { 200: { description: 'Offsets, rising.', schema: outputMatchesShape } },
      refusals: [400, 404, 503],
      handle: async ({ params: { id }, query: { q, from, limit } }) => {
        await findRow(deps, id);
        const matches = await searchOutput(deps.store, {
          runId: id,
          text: q,
          fromOffset: from,
          limit,
        });
        return ok(matches satisfies Shape<typeof outputMatchesShape>);
      },
    }),
  ];
}
