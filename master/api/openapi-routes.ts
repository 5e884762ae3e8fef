/** `/api/v1/openapi.json`: the document of every route, this one too. */
import { z } from 'zod';
import { openApiDocument } from '../http/openapi-document.ts';
import { ok } from '../http/reply.ts';
import { defineRoute, type Route } from '../http/route.ts';

/** `server` is the path below which they will stand, when that is not the root. */
export function withOpenApi(routes: readonly Route[], version: string, server?: string): Route[] {
  let document: unknown;
  const all: Route[] = [
    ...routes,
    defineRoute({
      method: 'GET',
      path: '/api/v1/openapi.json',
      summary: 'This document',
      tag: 'meta',
      replies: {
        200: { description: 'OpenAPI 3.1.', schema: z.looseObject({ openapi: z.string() }) },
      },
      handle: async () => {
        document ??= openApiDocument(all, version, server);
        return ok(document, { 'Cache-Control': 'no-cache' });
      },
    }),
  ];
  return all;
}
