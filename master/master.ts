/**
 * One master: etcd, the live view of it, history, and the HTTP server over them. It keeps no state of
 * its own, so any number of them may run side by side. It starts without etcd or the store being
 * there, and says so at /readyz until they are.
 */
import { join } from 'node:path';
import type { Clock, Random } from '../shared/clock.ts';
import { formatListen, isLoopback, type ListenAddress } from '../shared/config/common.ts';
import { readEtcdCredentials } from '../shared/config/etcd-tls.ts';
import { createEtcd } from '../shared/etcd/create-etcd.ts';
import { readServerDate } from '../shared/etcd/server-date.ts';
import { openHistory } from '../shared/history/open-history.ts';
import { once, Releasers, type Component } from '../shared/lifecycle.ts';
import type { Logger } from '../shared/log.ts';
import { packageRoot, productVersion } from '../shared/package-root.ts';
import { createKeys } from '../shared/protocol/keys.ts';
import { calendarsRoutes } from './api/calendars-routes.ts';
import { healthRoutes } from './api/health-routes.ts';
import { jobsRoutes } from './api/jobs-routes.ts';
import { meshRoutes } from './api/mesh-routes.ts';
import { withOpenApi } from './api/openapi-routes.ts';
import { orderAnswerRoutes } from './api/order-answer-routes.ts';
import { ordersRoutes } from './api/orders-routes.ts';
import { outputRoutes } from './api/output-routes.ts';
import { outputSearchRoutes } from './api/output-search-routes.ts';
import { runsRoutes } from './api/runs-routes.ts';
import { statsRoutes } from './api/stats-routes.ts';
import { CalendarEditor } from './calendars/calendar-editor.ts';
import { CalendarUses } from './calendars/calendar-uses.ts';
import type { MasterConfig } from './config.ts';
import { createApp } from './http/app.ts';
import { EventStreams } from './http/event-stream.ts';
import { RequestCounter } from './http/http-metrics.ts';
import { HttpServer } from './http/http-server.ts';
import { createDispatch } from './http/router.ts';
import type { Route } from './http/route.ts';
import { createSiteGuard } from './http/site-guard.ts';
import { StaticFiles } from './http/static-files.ts';
import { HeldUpJobs } from './jobs/held-up-jobs.ts';
import { JobEditor } from './jobs/job-editor.ts';
import { JobIndex } from './jobs/job-index.ts';
import { JobQueries } from './jobs/job-query.ts';
import { JobSearch } from './jobs/job-search.ts';
import { NextTicks } from './jobs/next-ticks.ts';
import { RunRequests } from './jobs/run-requests.ts';
import { FleetTime } from './live/fleet-time.ts';
import { ChangeHub } from './live/change-hub.ts';
import { MeshLink } from './live/mesh-link.ts';
import { writeUnderCluster } from './live/restore-sight.ts';
import { StoreHealth } from './live/store-health.ts';
import { LastRuns } from './runs/last-runs.ts';
import { Pruner } from './retention/pruner.ts';
import { retentionRoutes } from './retention/retention-routes.ts';
import { RetentionEditor } from './retention/retention-editor.ts';
import { StorageBook } from './retention/storage-book.ts';
import { OpenFires } from './runs/open-fires.ts';
import { OutputFeeds } from './runs/output-feed.ts';
import { WatchMarks } from './runs/watch-marks.ts';

export interface MasterDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Master extends Component {
  /** Where it listens, with the port that the system gave. Only between start() and stop(). */
  readonly address: ListenAddress;
  readonly routes: readonly Route[];
}

/** Throws `config-invalid` for TLS files or a history URL that are of no use. */
export function createMaster(config: MasterConfig, deps: MasterDeps): Master {
  const { logger, random } = deps;
  const credentials = readEtcdCredentials(config);
  const tls = credentials === undefined ? {} : { credentials };
  const clock = new FleetTime({
    clock: deps.clock,
    logger,
    serverDateMs: () => readServerDate({ endpoints: config.etcd, ...tls }),
  });
  const store = openHistory(config.history, { logger, clock });
  const client = createEtcd({
    endpoints: config.etcd,
    clock,
    random,
    logger,
    ...tls,
  });
  const keys = createKeys(config.prefix);
  const link = new MeshLink(client, keys, clock);
  const etcd = writeUnderCluster(client, keys, link);
  const index = new JobIndex(link.view);
  const search = new JobSearch(index);
  const openFires = new OpenFires(link.view);
  const nextTicks = new NextTicks(link.view);
  const calendarUses = new CalendarUses(link.view);
  const heldUp = new HeldUpJobs(link.view, calendarUses, clock);
  const editor = new JobEditor(etcd, keys, clock);
  const streams = new EventStreams(clock, config.maxStreams);
  const hub = new ChangeHub(link, clock);
  const marks = new WatchMarks(client, keys, clock, logger);
  const feeds = new OutputFeeds({ store, openFires, marks, clock, logger });
  const requests = new RequestCounter();
  const storeHealth = new StoreHealth(store, clock);
  const storage = new StorageBook(store, clock);
  const pruner = new Pruner({
    etcd: client,
    keys,
    link,
    store,
    clock,
    random,
    logger,
    onRound: (rows) => storage.noteRound(rows),
  });
  const lastRuns = new LastRuns({ view: link.view, store, storeHealth, clock });
  const parts = {
    version: productVersion(),
    etcd,
    link,
    index,
    openFires,
    nextTicks,
    editor,
    store,
    streams,
    hub,
    feeds,
    requests,
    clock,
    storeHealth,
    storage,
    lastRuns,
    queries: new JobQueries({ index, search, nextTicks, heldUp }),
    calendarUses,
    heldUp,
    calendarEditor: new CalendarEditor(etcd, keys, link, calendarUses),
  };
  const runRequests = new RunRequests(etcd, keys, editor, clock, random);
  const routes = withOpenApi(
    [
      ...jobsRoutes(parts),
      ...calendarsRoutes(parts),
      ...ordersRoutes({ link, openFires, store, requests: runRequests }),
      ...orderAnswerRoutes({ link, openFires, store }),
      ...runsRoutes(parts),
      ...outputRoutes(parts),
      ...outputSearchRoutes(parts),
      ...statsRoutes(parts),
      ...meshRoutes(parts),
      ...retentionRoutes({ link, storage, editor: new RetentionEditor(etcd, keys) }),
      ...healthRoutes(parts),
    ],
    productVersion(),
  );
  const files = new StaticFiles(join(packageRoot(), 'webroot', 'dist'));
  const app = createApp({
    dispatch: createDispatch(routes, ({ path, req: { headers } }) =>
      files.serve({
        path,
        accept: headers.accept,
        acceptEncoding: headers['accept-encoding']?.toString(),
        ifNoneMatch: headers['if-none-match'],
      }),
    ),
    guard: createSiteGuard(config.listen.host, config.allowedHosts),
    requests,
    clock,
    logger,
  });
  const handle = app.callback();
  const server = new HttpServer(config.listen, clock, (request, response) => {
    void handle(request, response);
  });
  const releasers = new Releasers();
  const release = (): Promise<void> =>
    releasers.releaseAll((part, error) =>
      logger.warn({ err: error, part }, 'could not be stopped'),
    );

  const start = async (): Promise<void> => {
    releasers.add('etcd', () => etcd.close());
    for (const [name, component] of [
      ['fleet time', clock],
      ['history', store],
      ['view', link],
      ['feeds', feeds],
      ['hub', hub],
      ['pruner', pruner],
      ['server', server],
      // Stopped before the server, which waits for what is under way: a stream never ends by itself.
      ['streams', streams],
    ] as const) {
      releasers.add(name, () => component.stop());
      try {
        await component.start();
      } catch (error) {
        await release();
        throw error;
      }
    }
    logListening(logger, server.address, config);
  };

  return {
    routes,
    start: once(start),
    stop: once(async () => {
      lastRuns.stop();
      search.stop();
      index.stop();
      openFires.stop();
      await release();
    }),
    get address() {
      return server.address;
    },
  };
}

function logListening(logger: Logger, address: ListenAddress, config: MasterConfig): void {
  const url = `http://${formatListen(address)}/`;
  if (isLoopback(address.host)) {
    logger.info(
      { url, allowedHosts: config.allowedHosts },
      `listening on ${url} - this machine only, on purpose: there are no users yet, so whoever reaches it may do everything`,
    );
    return;
  }
  logger.warn(
    { url, allowedHosts: config.allowedHosts },
    `listening on ${url} - other machines can reach it, and there are no users yet: whoever reaches it can run commands on the workers. Put a proxy that asks who they are in front of it`,
  );
}
