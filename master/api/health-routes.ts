/** `/livez`, `/readyz`, `/metrics`: for supervisors, load balancers and Prometheus. */
import { z } from 'zod';
import type { Clock } from '../../shared/clock.ts';
import type { Etcd } from '../../shared/etcd/port.ts';
import type { EventStreams } from '../http/event-stream.ts';
import { renderMetric, type RequestCounter } from '../http/http-metrics.ts';
import { defineRoute, type Route } from '../http/route.ts';
import type { JobIndex } from '../jobs/job-index.ts';
import type { MeshLink } from '../live/mesh-link.ts';
import type { StoreHealth } from '../live/store-health.ts';
import type { StorageBook } from '../retention/storage-book.ts';
import type { OpenFires } from '../runs/open-fires.ts';
import { readinessShape, type Shape } from './shapes.ts';

export interface HealthDeps {
  readonly version: string;
  readonly etcd: Etcd;
  readonly link: MeshLink;
  readonly index: JobIndex;
  readonly openFires: OpenFires;
  readonly storeHealth: StoreHealth;
  readonly storage: StorageBook;
  readonly streams: EventStreams;
  readonly requests: RequestCounter;
  readonly clock: Clock;
}

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

async function readinessOf({
  etcd,
  link,
  storeHealth,
  storage,
}: HealthDeps): Promise<Shape<typeof readinessShape>> {
  const [etcdReason, store] = await Promise.all([pingReason(etcd), storeHealth.check()]);
  const isCurrent = link.status.etcd === 'ok';
  const { damage } = storage;
  const checks: Shape<typeof readinessShape>['checks'] = [
    { name: 'etcd', ok: etcdReason === undefined, ...reasonPart(etcdReason) },
    {
      name: 'view',
      ok: isCurrent,
      ...reasonPart(
        isCurrent
          ? undefined
          : link.isSynced
            ? `not current since ${new Date(link.status.since).toISOString()}`
            : 'etcd was not read yet',
      ),
    },
    { name: 'store', ok: store.ok && damage === undefined, ...reasonPart(store.reason ?? damage) },
    {
      name: 'restore',
      ok: link.restoreReason === undefined,
      ...reasonPart(link.restoreReason),
    },
  ];
  const isReady = etcdReason === undefined && isCurrent;
  const isWhole = store.ok && damage === undefined && link.restoreReason === undefined;
  return { status: !isReady ? 'not-ready' : isWhole ? 'ready' : 'degraded', checks };
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

function metricsText(deps: HealthDeps): string {
  const { version, link, index, openFires, streams, requests } = deps;
  const workers = { ready: 0, draining: 0, blocked: 0 };
  for (const { value } of link.view.snapshot.workers.values()) workers[value.state]++;
  const [paused, quarantined] = [index.count('paused'), index.count('quarantined')];
  const build = { version, node: process.version };
  return [
    renderMetric('cronmesh_build_info', 'gauge', 'Always 1.', [{ labels: build, value: 1 }]),
    renderMetric('cronmesh_jobs', 'gauge', 'Jobs, by what stands in the way of their schedule.', [
      { labels: { kind: 'active' }, value: index.total - paused - quarantined },
      { labels: { kind: 'paused' }, value: paused },
      { labels: { kind: 'quarantined' }, value: quarantined },
    ]),
    renderMetric('cronmesh_open_fires', 'gauge', 'Runs under way.', [{ value: openFires.count }]),
    renderMetric(
      'cronmesh_workers',
      'gauge',
      'Workers that are alive, by state.',
      Object.entries(workers).map(([state, value]) => ({ labels: { state }, value })),
    ),
    renderMetric('cronmesh_view_connected', 'gauge', '1 while the view of etcd is current.', [
      { value: link.status.etcd === 'ok' ? 1 : 0 },
    ]),
    renderMetric('cronmesh_live_streams', 'gauge', 'Open server-sent-event streams.', [
      { value: streams.count },
    ]),
    deps.storage.render(),
    requests.render(),
  ].join('');
}
