/**
 * `/livez`, `/readyz`, `/metrics`: for supervisors, load balancers and Prometheus. They are about the
 * whole process: where it serves several cells, about all of them, each by its name.
 */
import { z } from 'zod';
import type { Etcd } from '../../shared/etcd/port.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { cellPart, type CellHealth, type HealthDeps } from './health-parts.ts';
import { metricsText } from './metrics-text.ts';
import { readinessShape, type Shape } from './shapes.ts';

const pingTimeoutMs = 1_500;

export function healthRoutes(deps: HealthDeps): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/livez',
      summary: 'The process is there and answers',
      tag: 'health',
      replies: { 200: { description: 'Always.', type: 'text/plain', schema: z.string() } },
      handle: async () => ({ status: 200, type: 'text/plain; charset=utf-8', content: 'ok\n' }),
    }),
    defineRoute({
      method: 'GET',
      path: '/readyz',
      summary: 'Whether requests are worth sending here, with the reasons',
      tag: 'health',
      replies: {
        200: {
          description: 'Ready; or degraded: all but history, or all but edits after a restore.',
          schema: readinessShape,
        },
        503: { description: 'Not ready.', schema: readinessShape },
      },
      handle: async () => {
        const readiness = await readinessOf(deps);
        return { status: readiness.status === 'not-ready' ? 503 : 200, json: readiness };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/metrics',
      summary: 'Prometheus text',
      tag: 'health',
      replies: { 200: { description: 'Now.', type: 'text/plain', schema: z.string() } },
      handle: async () => ({
        status: 200,
        type: 'text/plain; version=0.0.4; charset=utf-8',
        content: metricsText(deps),
      }),
    }),
  ];
}

type Readiness = Shape<typeof readinessShape>;

async function readinessOf({ etcd, cells }: HealthDeps): Promise<Readiness> {
  const [etcdReason, ...checks] = await Promise.all([pingReason(etcd), ...cells.map(checksOf)]);
  const all = [
    { name: 'etcd', ok: etcdReason === undefined, ...reasonPart(etcdReason) } as const,
    ...checks.flat(),
  ];
  const failed = new Set(all.flatMap(({ name, ok }) => (ok ? [] : name)));
  const isReady = !failed.has('etcd') && !failed.has('view');
  return { status: !isReady ? 'not-ready' : failed.size === 0 ? 'ready' : 'degraded', checks: all };
}

async function checksOf({
  name,
  link,
  storeHealth,
  storage,
}: CellHealth): Promise<Readiness['checks']> {
  const store = await storeHealth.check();
  const isCurrent = link.status.etcd === 'ok';
  const { damage } = storage;
  const cell = cellPart(name);
  return [
    {
      name: 'view',
      ...cell,
      ok: isCurrent,
      ...reasonPart(
        isCurrent
          ? undefined
          : link.isSynced
            ? `not current since ${new Date(link.status.since).toISOString()}`
            : 'etcd was not read yet',
      ),
    },
    {
      name: 'store',
      ...cell,
      ok: store.ok && damage === undefined,
      ...reasonPart(store.reason ?? damage),
    },
    {
      name: 'restore',
      ...cell,
      ok: link.restoreReason === undefined,
      ...reasonPart(link.restoreReason),
    },
  ];
}

function reasonPart(reason: string | undefined): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}

async function pingReason(etcd: Etcd): Promise<string | undefined> {
  try {
    await etcd.ping({ timeoutMs: pingTimeoutMs, signal: AbortSignal.timeout(pingTimeoutMs) });
    return undefined;
  } catch (error) {
    return error instanceof Error && error.name !== 'TimeoutError'
      ? error.message
      : `no answer within ${pingTimeoutMs} ms`;
  }
}
