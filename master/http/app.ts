/**
 * The koa application: what is the same for every request. From the outside in: an id, headers that
 * browsers must see, refusals turned into problem documents, the count and the log line; then the
 * guard; then the routes.
 */
import { randomUUID } from 'node:crypto';
import Koa, { type Context, type Next } from 'koa';
import type { Clock } from '../../shared/clock.ts';
import { CronmeshError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import type { RequestCounter } from './http-metrics.ts';
import { problemAnswer, problemType } from './problem.ts';
import type { Dispatch } from './router.ts';
import type { SiteGuard } from './site-guard.ts';

export interface AppParts {
  readonly dispatch: Dispatch;
  readonly guard: SiteGuard;
  readonly requests: RequestCounter;
  readonly clock: Clock;
  readonly logger: Logger;
}

const maxUrlLength = 8 * 1024;

const contentSecurityPolicy = [
  "default-src 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const securityHeaders = {
  'Content-Security-Policy': contentSecurityPolicy,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
};

export function createApp(parts: AppParts): Koa {
  const { dispatch, guard, logger } = parts;
  const app = new Koa();
  app.silent = true;
  // Only broken connections come here: everything else is answered below.
  app.on('error', (error: unknown) => logger.debug({ err: error }, 'a connection broke'));
  app.use((context, next) => around(parts, context, next));
  app.use(async (context, next) => {
    guard.check(context.req);
    if (context.url.length > maxUrlLength) {
      throw new CronmeshError('request-invalid', `The address is longer than ${maxUrlLength}.`);
    }
    await next();
  });
  app.use(dispatch.routes);
  app.use((context) => dispatch.rest(context));
  return app;
}

async function around(parts: AppParts, context: Context, next: Next): Promise<void> {
  const requestId = requestIdOf(context);
  const startedMs = parts.clock.monotonicMs();
  context.set(securityHeaders);
  context.set('X-Request-Id', requestId);
  // Answers about a live mesh; the console's files say otherwise.
  context.set('Cache-Control', 'no-store');
  try {
    await next();
  } catch (error) {
    const problem = problemAnswer(error, requestId);
    context.status = problem.status;
    context.set(problem.headers);
    if (problem.status === 413) context.set('Connection', 'close');
    context.type = problemType;
    context.body = JSON.stringify(problem.body);
    if (problem.unexpected) parts.logger.error({ err: error, requestId }, 'a request failed');
  }
  note(parts, context, requestId, parts.clock.monotonicMs() - startedMs);
}

function note(parts: AppParts, context: Context, requestId: string, tookMs: number): void {
  const { dispatch, requests, logger } = parts;
  const { method, path, status } = context;
  const known = method === 'HEAD' || method === 'OPTIONS' || /^(GET|PUT|POST|DELETE)$/.test(method);
  const found = dispatch.routeAt(path);
  requests.count(known ? method : 'other', found?.pattern ?? 'other', status, found?.cell);
  const fields = { method, path, status, requestId, tookMs: Math.round(tookMs) };
  const isEdit = status < 400 && /^(PUT|POST|DELETE)$/.test(method);
  if (isEdit) logger.info({ ...fields, by: context.req.socket.remoteAddress }, 'request');
  else logger.debug(fields, 'request');
}

/** A proxy's own id is taken over, so that its log and ours can be read side by side. */
function requestIdOf(context: Context): string {
  const given = context.get('X-Request-Id');
  return /^[A-Za-z0-9_.-]{8,64}$/.test(given) ? given : randomUUID();
}
