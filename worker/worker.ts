/**
 * A worker on a real machine: builds etcd client, store, spool, executor and metrics from the
 * settings, and the mesh worker over them. start() needs etcd; the store may be down.
 */
import { mkdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Clock, Random } from '../shared/clock.ts';
import { createEtcd } from '../shared/etcd/create-etcd.ts';
import type { TlsCredentials } from '../shared/etcd/grpc-channel.ts';
import { readServerDate } from '../shared/etcd/server-date.ts';
import { openHistory } from '../shared/history/open-history.ts';
import { once, Releasers, type Component } from '../shared/lifecycle.ts';
import type { Logger } from '../shared/log.ts';
import type { WorkerConfig } from './config.ts';
import { createExecutor } from './executor/create-executor.ts';
import { openStateMemory } from './mesh/state-memory.ts';
import { MeshWorker } from './mesh-worker.ts';
import { MetricsServer } from './metrics-server.ts';
import { createBaseEnvironment } from './run/environment.ts';
import { openSpool } from './spool/spool.ts';

export interface WorkerDeps {
  readonly config: WorkerConfig;
  readonly credentials?: TlsCredentials;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Of the product, shown in the registration. */
  readonly version: string;
}

export class Worker implements Component {
  readonly #deps: WorkerDeps;
  readonly #releasers = new Releasers();

  constructor(deps: WorkerDeps) {
    this.#deps = deps;
  }

  readonly start = once(async (): Promise<void> => {
    try {
      await this.#start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  });

  readonly stop = once(async (): Promise<void> => {
    await this.#releasers.releaseAll((name, error) => {
      this.#deps.logger.error({ err: error, part: name }, 'part did not stop cleanly');
    });
  });

  async #start(): Promise<void> {
    const { config, clock, random, logger, version } = this.#deps;
    const tls = this.#deps.credentials === undefined ? {} : { credentials: this.#deps.credentials };
    const etcd = createEtcd({ endpoints: config.etcd, ...tls, clock, random, logger });
    this.#releasers.add('etcd', () => etcd.close());
    const workDirectory = path.resolve(config.data, 'work');
    await mkdir(workDirectory, { recursive: true });
    const store = openHistory(config.history, { logger, clock });
    const spool = openSpool({
      directory: path.resolve(config.data, 'spool'),
      store,
      clock,
      logger,
      random,
      maxBytes: config.spoolMaxBytes,
    });
    const executor = createExecutor({
      slots: config.slots,
      clock,
      logger,
      random,
      openRunsPath: path.resolve(config.data, 'open-runs'),
      cgroups: config.cgroups,
    });
    await this.#startPart('history', store);
    await this.#startPart('spool', spool);
    await this.#startPart('executor', executor);
    await etcd.ping({ timeoutMs: 5_000 });
    const worker = new MeshWorker({
      config,
      etcd,
      spool,
      executor,
      clock,
      random,
      logger,
      serverDateMs: () => readServerDate({ endpoints: config.etcd, ...tls }),
      machine: () => ({
        host: os.hostname(),
        version,
        pid: process.pid,
        load: os.loadavg().map((value) => Math.round(value * 100) / 100),
      }),
      baseEnvironment: createBaseEnvironment(config.path),
      workDirectory,
      memory: openStateMemory(path.resolve(config.data, 'etcd-state.json'), logger),
    });
    await this.#startPart('worker', worker);
    if (config.listen !== undefined) {
      const metrics = new MetricsServer(config.listen, () => worker.registration());
      await this.#startPart('metrics', metrics);
    }
  }

  async #startPart(name: string, part: Component): Promise<void> {
    this.#releasers.add(name, () => part.stop());
    await part.start();
  }
}
