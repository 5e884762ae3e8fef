/**
 * From the table of routes to koa: dispatch, HEAD beside every GET, OPTIONS and 405 with Allow, the
 * console's files, and a problem document for what is not there.
 */
import { Readable } from 'node:stream';
import Router from '@koa/router';
import type { Context } from 'koa';
import { CronmeshError, renderGot } from '../../shared/errors.ts';
import { cellIn, withoutCell } from './cell-paths.ts';
import { readJsonBody } from './json-body.ts';
import { readQuery } from './query.ts';
import { Refusal, type Reply } from './reply.ts';
import type { RawCall, Route } from './route.ts';

export interface Dispatch {
  /** The route that matches, for metrics, by its pattern inside its cell; undefined when none does. */
  routeAt(path: string): { readonly pattern: string; readonly cell?: string } | undefined;
  /** Answers what the table names; everything else goes on to `rest`. */
  readonly routes: ReturnType<Router['routes']>;
  rest(context: Context): Promise<void>;
}

/** `serveFile` answers what is outside the API. */
export function createDispatch(
  routes: readonly Route[],
  serveFile: (context: Context) => Promise<Reply | undefined>,
): Dispatch {
  const router = new Router({ sensitive: true, strict: true });
  const cells = new Set(routes.flatMap(({ cell }) => cell ?? []));
  for (const route of routes) {
    router.register(route.path, [route.method], (context) => answer(route, context));
  }
  return {
    routes: router.routes(),
    routeAt: (path) => {
      const pattern = router.match(path, '').path[0]?.path;
      if (typeof pattern !== 'string') return undefined;
      const cell = cellIn(pattern);
      return { pattern: withoutCell(pattern), ...(cell === undefined ? {} : { cell }) };
    },
    rest: async (context) => {
      const { path, method } = context;
      const cell = cellIn(path);
      if (cell !== undefined && !cells.has(cell)) throw noSuchCell(cell, cells);
      const inside = withoutCell(path);
      const isFile = inside !== '/api' && !inside.startsWith('/api/');
      const others = router.match(path, method).path.flatMap((layer) => layer.methods);
      const methods = others.length === 0 && isFile ? ['GET', 'HEAD'] : others;
      if (methods.length > 0 && !methods.includes(method)) {
        refuseMethod(context, methods);
        return;
      }
      const file = isFile ? await serveFile(context) : undefined;
      if (file === undefined) throw notThere(context);
      send(context, file);
    },
  };
}

async function answer(route: Route, context: Context): Promise<void> {
  if (context.method === 'HEAD' && route.isStream === true) {
    context.status = 200;
    return;
  }
  const { req, querystring } = context;
  const call: RawCall = {
    params: paramsOf(context),
    query: readQuery(route.query, querystring),
    readBody: (isOptional) => readJsonBody(req, isOptional),
    headers: req.headers,
    by: askerOf(context),
  };
  send(context, await route.answer(call));
}

function send(context: Context, reply: Reply): void {
  context.status = reply.status;
  for (const [name, value] of Object.entries(reply.headers ?? {})) context.set(name, value);
  if ('json' in reply) {
    context.type = 'application/json; charset=utf-8';
    context.body = JSON.stringify(reply.json);
  } else if ('content' in reply) {
    context.type = reply.type;
    if (context.method === 'HEAD' && reply.content instanceof Readable) {
      // Nobody will read it; what feeds it learns so at once.
      reply.content.destroy();
    } else {
      context.body = reply.content;
    }
  } else {
    context.body = null;
  }
}

function paramsOf(context: Context): Record<string, string> {
  const params: unknown = context['params'];
  if (typeof params !== 'object' || params === null) return {};
  const texts = Object.entries(params).map(([name, value]) => [name, String(value)] as const);
  return Object.fromEntries(texts);
}

/** Only a browser says where a request of its own comes from. */
function askerOf({ req }: Context): string {
  const program = req.headers['sec-fetch-site'] === undefined ? 'api' : 'console';
  return `${program} ${req.socket.remoteAddress ?? ''}`.trim();
}

function refuseMethod(context: Context, methods: readonly string[]): void {
  const allow = [...new Set([...methods, 'OPTIONS'])].toSorted().join(', ');
  if (context.method === 'OPTIONS') {
    context.set('Allow', allow);
    context.status = 204;
    return;
  }
  const got = renderGot(context.method);
  throw new Refusal(
    new CronmeshError('method-not-allowed', `${context.method} is not possible here`, {
      problems: [{ field: 'method', message: 'is not possible here', expected: allow, got }],
    }),
    { Allow: allow },
  );
}

function noSuchCell(cell: string, cells: ReadonlySet<string>): CronmeshError {
  const there = cells.size === 0 ? '' : `; there are ${[...cells].join(', ')}`;
  return new CronmeshError('not-found', `There is no cell ${renderGot(cell)} here${there}`);
}

function notThere(context: Context): CronmeshError {
  return new CronmeshError('not-found', `There is nothing at ${renderGot(context.path)}`);
}
