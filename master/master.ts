/**
 * One master: etcd, the mesh or the cells it serves, and the HTTP server over them. It keeps no state of
 * its own, so any number of them may run side by side. It starts without etcd or the store being
 * there, and says so at /readyz until they are.
 */
import { join } from 'node:path';
import type { Clock, Random } from '../shared/clock.ts';
import { formatListen, isLoopback, type ListenAddress } from '../shared/config/common.ts';
import { readEtcdCredentials } from '../shared/config/etcd-tls.ts';
import { createEtcd } from '../shared/etcd/create-etcd.ts';
import { readServerDate } from '../shared/etcd/server-date.ts';
import { once, Releasers, type Component } from '../shared/lifecycle.ts';
import type { Logger } from '../shared/log.ts';
import { packageRoot, productVersion } from '../shared/package-root.ts';
import { meshPlaces } from './cells/cell-settings.ts';
import { createCell } from './cells/cell.ts';
import { routesOf } from './cells/served-cells.ts';
import type { MasterConfig } from './config.ts';
import { createApp } from './http/app.ts';
import { serveConsole } from './http/console-files.ts';
import { EventStreams } from './http/event-stream.ts';
import { RequestCounter } from './http/http-metrics.ts';
import { HttpServer } from './http/http-server.ts';
import { createDispatch } from './http/router.ts';
import type { Route } from './http/route.ts';
import { createSiteGuard } from './http/site-guard.ts';
import { StaticFiles } from './http/static-files.ts';
import { FleetTime } from './live/fleet-time.ts';

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
  const client = createEtcd({ endpoints: config.etcd, clock, random, logger, ...tls });
  const streams = new EventStreams(clock, config.maxStreams);
  const requests = new RequestCounter();
  const cells = meshPlaces(config).map((place) =>
    createCell(place, { client, streams, clock, random, logger }),
  );
  const routes = routesOf(cells, { version: productVersion(), etcd: client, streams, requests });
  const files = new StaticFiles(join(packageRoot(), 'webroot', 'dist'));
  const app = createApp({
    dispatch: createDispatch(routes, serveConsole(files, cells[0]?.place.name)),
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
    releasers.add('etcd', () => client.close());
    for (const [name, component] of [
      ['fleet time', clock],
      ...cells.flatMap(({ components }) => components),
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
      for (const cell of cells) cell.release();
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
