/**
 * A mesh of real processes for tests: a real etcd, workers (and masters) started as the units start
 * them, one fresh prefix, store and data folder. Everything ends with stop(), or with the test
 * process. keep() leaves the folder behind, for a test that failed.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../shared/clock.ts';
import { createEtcd } from '../../shared/etcd/create-etcd.ts';
import { prefixEnd, type Etcd, type KeyValue } from '../../shared/etcd/port.ts';
import { openHistory } from '../../shared/history/open-history.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import type { HistoryRow } from '../../shared/history/records.ts';
import type { JobInput } from '../../shared/job/definition.ts';
import { createLogger, type Logger } from '../../shared/log.ts';
import { encodeCursor, parseCursor } from '../../shared/protocol/cursor.ts';
import { createKeys, type Keys } from '../../shared/protocol/keys.ts';
import {
  decodeValue,
  fireSchema,
  workerSchema,
  type FireValue,
  type WorkerValue,
} from '../../shared/protocol/values.ts';
import { startEtcd, withPrefix, type TestEtcd } from './etcd-server.ts';
import { ServerProcess, waitFor } from './server-process.ts';

const distRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

export interface MeshOptions {
  readonly members?: 1 | 3;
  /** Default: a SQLite file in the folder. */
  readonly history?: string;
  readonly etcd?: TestEtcd;
  /** More addresses of this machine on which etcd serves clients. */
  readonly clientHosts?: readonly string[];
}

export interface WorkerOptions {
  readonly slots?: number;
  /** libfaketime's language, e.g. `+0.9`; the library is preloaded. */
  readonly faketime?: {
    readonly library: string;
    readonly offset: string;
    /** When given, the offset is read from this file again and again, so that the clock can step. */
    readonly file?: string;
  };
  /** A command that the worker is started by, such as one that enters a network namespace. */
  readonly within?: readonly string[];
  /** Default: all of etcd's. */
  readonly endpoints?: readonly string[];
  readonly flags?: readonly string[];
}

export async function startMesh(options: MeshOptions = {}): Promise<TestMesh> {
  const etcdServer =
    options.etcd ??
    (await startEtcd({
      members: options.members ?? 1,
      ...(options.clientHosts === undefined ? {} : { clientHosts: options.clientHosts }),
    }));
  return new TestMesh(etcdServer, options.etcd === undefined, options.history);
}

/** Runs `body` on a fresh mesh and ends it; on a failure its folder, with logs and data, is kept. */
export async function withMesh(
  options: MeshOptions,
  body: (mesh: TestMesh) => Promise<void>,
): Promise<void> {
  const mesh = await startMesh(options);
  try {
    await body(mesh);
  } catch (error) {
    mesh.keep();
    process.stderr.write(`kept ${mesh.folder}\n`);
    throw error;
  } finally {
    await mesh.stop();
  }
}

export class TestMesh {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'cronmesh-mesh-'));
  readonly oracle = path.join(this.folder, 'oracle.txt');
  readonly etcdServer: TestEtcd;
  readonly etcd: Etcd;
  readonly keys: Keys;
  readonly prefix = withPrefix('mesh');
  readonly history: string;
  readonly logger: Logger = createLogger('test', 'silent');
  readonly workers = new Map<string, ServerProcess>();
  readonly #ownsEtcd: boolean;
  readonly #others: ServerProcess[] = [];
  #store: HistoryStore | undefined;
  #kept = false;

  constructor(etcdServer: TestEtcd, ownsEtcd: boolean, history: string | undefined) {
    this.etcdServer = etcdServer;
    this.#ownsEtcd = ownsEtcd;
    this.history = history ?? `sqlite:${path.join(this.folder, 'history.db')}`;
    this.keys = createKeys(this.prefix);
    this.etcd = createEtcd({
      endpoints: etcdServer.endpoints,
      clock: systemClock,
      random: Math.random,
      logger: this.logger,
    });
  }

  /** The arguments of a worker, as a unit or script would give them. */
  startWorker(id: string, options: WorkerOptions = {}): ServerProcess {
    const data = path.join(this.folder, id);
    mkdirSync(data, { recursive: true });
    const config = path.join(data, 'worker.json');
    writeFileSync(
      config,
      JSON.stringify({
        etcd: options.endpoints ?? this.etcdServer.endpoints,
        prefix: this.prefix,
        history: this.history,
        workerId: id,
        slots: options.slots ?? 16,
        data,
        sessionTtlSeconds: 5,
        drainSeconds: 10,
        logLevel: 'debug',
      }),
    );
    const main = path.join(distRoot, 'worker', 'main.js');
    const args = [main, '--config', config, ...(options.flags ?? [])];
    const { faketime, within = [] } = options;
    const environment =
      faketime === undefined
        ? []
        : [
            `LD_PRELOAD=${faketime.library}`,
            ...(faketime.file === undefined
              ? [`FAKETIME=${faketime.offset}`]
              : [`FAKETIME_TIMESTAMP_FILE=${faketime.file}`, 'FAKETIME_CACHE_DURATION=1']),
            'DONT_FAKE_MONOTONIC=1',
            'FAKETIME_DONT_FAKE_MONOTONIC=1',
          ];
    const [program = '', ...rest] = [
      ...within,
      ...(environment.length === 0 ? [] : ['/usr/bin/env', ...environment]),
      process.execPath,
      ...args,
    ];
    const worker = new ServerProcess(program, rest);
    this.workers.set(id, worker);
    return worker;
  }

  /** Starts workers and resolves once all are registered and ready. */
  async startWorkers(ids: readonly string[], options: WorkerOptions = {}): Promise<void> {
    for (const id of ids) this.startWorker(id, options);
    await this.ready(ids);
  }

  async ready(ids: readonly string[]): Promise<void> {
    await waitFor(
      async () => {
        const states = await Promise.all(ids.map((id) => this.registration(id)));
        return states.every((each) => each?.state === 'ready');
      },
      {
        timeoutMs: 30_000,
        describe: () =>
          `workers ${ids.join(', ')} ready; ${[...this.workers].map(([id, worker]) => `${id}: ${worker.output.slice(-1500)}`).join('\n')}`,
      },
    );
  }

  /** Starts a master on a free port; resolves with its base URL once it is ready. */
  async startMaster(
    flags: readonly string[] = [],
  ): Promise<{ url: string; process: ServerProcess }> {
    const main = path.join(distRoot, 'master', 'main.js');
    const master = new ServerProcess('/usr/bin/env', [
      `CRONMESH_HISTORY=${this.history}`,
      process.execPath,
      main,
      '--etcd',
      this.etcdServer.endpoints.join(','),
      '--prefix',
      this.prefix,
      '--listen',
      '127.0.0.1:0',
      ...flags,
    ]);
    this.#others.push(master);
    const url = await waitFor(
      async () => {
        const found = /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(master.output)?.[1];
        if (found === undefined) return undefined;
        const answer = await fetch(`${found}/readyz`).catch(() => undefined);
        return answer?.ok === true ? found : undefined;
      },
      { timeoutMs: 20_000, describe: () => `a ready master; ${master.output.slice(-1500)}` },
    );
    return { url, process: master };
  }

  /** Writes a definition as `etcdctl put` would; resolves with the revision that wrote it. */
  async putJob(job: JobInput | string, name?: string): Promise<number> {
    const value = typeof job === 'string' ? job : JSON.stringify(job);
    const key = this.keys.job(name ?? (typeof job === 'string' ? '' : job.name));
    return this.putKey(key, value);
  }

  async putKey(key: string, value: string): Promise<number> {
    const put = { put: { key, value } };
    return (await this.etcd.txn({ compare: [], success: [put], failure: [] })).revision;
  }

  /**
   * Puts every cursor back by so long, as if the fleet had been away since; no worker may run
   * meanwhile. Resolves with where they are now, by job.
   */
  async putCursorsBack(byMs: number): Promise<Map<string, number>> {
    const back = new Map<string, number>();
    const key = this.keys.cursor('');
    for (const kv of (await this.etcd.range({ key, rangeEnd: prefixEnd(key) })).kvs) {
      const cursor = parseCursor(kv.value.toString());
      if (cursor === undefined) throw new Error(`${kv.key} is no cursor`);
      const tick = cursor.tick - byMs;
      back.set(kv.key.slice(key.length), tick);
      await this.putKey(kv.key, encodeCursor({ ...cursor, tick }));
    }
    return back;
  }

  async deleteKey(key: string): Promise<number> {
    const gone = { delete: { key } };
    return (await this.etcd.txn({ compare: [], success: [gone], failure: [] })).revision;
  }

  /** What the registry says of a worker; undefined when it is not there. */
  async registration(id: string): Promise<WorkerValue | undefined> {
    const [kv] = (await this.etcd.range({ key: this.keys.worker(id) })).kvs;
    return kv && decodeValue(workerSchema, kv.value);
  }

  /** Every open fire. */
  async fires(): Promise<FireValue[]> {
    const values = (await this.list('lock/')).map(({ value }) => decodeValue(fireSchema, value));
    return values.filter((value) => value !== undefined);
  }

  /** Everything below `<prefix>/<path>`. */
  async list(pathBelow: string): Promise<readonly KeyValue[]> {
    const key = `${this.keys.root}${pathBelow}`;
    return (await this.etcd.range({ key, rangeEnd: prefixEnd(key) })).kvs;
  }

  /** The store, opened once, as a reader beside the workers. */
  async store(): Promise<HistoryStore> {
    if (this.#store === undefined) {
      this.#store = openHistory(this.history, { clock: systemClock, logger: this.logger });
      await this.#store.start();
    }
    return this.#store;
  }

  /** All rows of history, oldest tick first. */
  async rows(): Promise<HistoryRow[]> {
    const store = await this.store();
    const rows: HistoryRow[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.listRuns({
        limit: 1_000,
        order: 'asc',
        ...(cursor === undefined ? {} : { cursor }),
      });
      rows.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return rows;
  }

  keep(): void {
    this.#kept = true;
  }

  /** Drains the workers (SIGTERM), ends the rest, removes the folder. */
  async stop(): Promise<void> {
    await this.#store?.stop();
    if (this.#kept) {
      for (const [id, worker] of this.workers) {
        writeFileSync(path.join(this.folder, `${id}.log`), worker.output);
      }
    }
    await Promise.all(
      [...this.workers.values(), ...this.#others].map((server) =>
        server.stop().catch(() => undefined),
      ),
    );
    await this.etcd.close();
    if (this.#ownsEtcd) await this.etcdServer.stop();
    if (!this.#kept) rmSync(this.folder, { recursive: true, force: true });
  }
}
