/**
 * A real mongod for tests: a free port of 127.0.0.1, a temporary folder, small caches, and no
 * life beyond the test process. kill(), freeze() and restart() are the faults that tests need;
 * a restart keeps port and data. `databaseUrl()` gives every test a database of its own.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { z } from 'zod';
import { findProgram } from './programs.ts';
import { freePort, ServerProcess, waitFor } from './server-process.ts';

const startAttempts = 3;
const readyTimeoutMs = 60_000;
const replicaSetName = 'rs0';
const writeCountersSchema = z.object({ insert: z.number(), update: z.number() });

export interface MongoServerOptions {
  /** A single-member replica set (change streams, transactions); a plain mongod otherwise. */
  readonly replicaSet?: boolean;
}

/** Starts mongod and resolves once it takes writes. */
export async function startMongo(options: MongoServerOptions = {}): Promise<MongoServer> {
  const folder = await mkdtemp(join(tmpdir(), 'cronmesh-mongo-'));
  for (let attempt = 1; ; attempt += 1) {
    const server = new MongoServer(folder, await freePort(), options.replicaSet === true);
    try {
      await server.start();
      return server;
    } catch (error) {
      await server.kill();
      // Another process took the port between the asking and the binding.
      if (attempt < startAttempts && server.output.includes('Address already in use')) continue;
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }
}

export class MongoServer {
  readonly #folder: string;
  readonly #port: number;
  readonly #replicaSet: boolean;
  #process: ServerProcess | undefined;

  constructor(folder: string, port: number, replicaSet: boolean) {
    this.#folder = folder;
    this.#port = port;
    this.#replicaSet = replicaSet;
  }

  /** Without a database name; a client of it uses `test`. */
  get url(): string {
    return this.#urlOf('');
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#started().pid;
  }

  get output(): string {
    return this.#process?.output ?? '';
  }

  /** The URL of a database that no other caller has; `name` only makes it recognisable. */
  databaseUrl(name: string): string {
    const label = name.replaceAll(/[^a-zA-Z0-9]+/g, '-').slice(0, 40);
    return this.#urlOf(`${label}-${randomBytes(4).toString('hex')}`);
  }

  /** Starts it when it is not running, on the same port and data, and waits until it is ready. */
  async start(): Promise<void> {
    if (this.#process?.running === true) return;
    const started = new ServerProcess(findProgram('mongod'), [
      '--port',
      String(this.#port),
      '--bind_ip',
      '127.0.0.1',
      '--nounixsocket',
      '--dbpath',
      this.#folder,
      '--wiredTigerCacheSizeGB',
      '0.25',
      '--setParameter',
      'diagnosticDataCollectionEnabled=false',
      ...(this.#replicaSet ? ['--replSet', replicaSetName, '--oplogSize', '64'] : []),
    ]);
    this.#process = started;
    await waitFor(() => this.#isWritable(started), {
      timeoutMs: readyTimeoutMs,
      describe: () => `mongod ready; its output ends with:\n${started.output.slice(-4000)}`,
      intervalMs: 50,
    });
  }

  /** SIGKILL; the data stay for a start() or restart(). */
  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** Ends it whatever its state (SIGKILL), and starts it again on the same port and data. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** Resolves once clients write into it again: since this start, that is. */
  async isWritten(): Promise<void> {
    const client = new MongoClient(`mongodb://127.0.0.1:${String(this.#port)}/`, {
      directConnection: true,
    });
    try {
      await waitFor(
        async () => {
          const status = await client.db('admin').command({ serverStatus: 1 });
          const counters = writeCountersSchema.parse(status['opcounters']);
          return counters.insert + counters.update > 0;
        },
        { timeoutMs: readyTimeoutMs, intervalMs: 5, describe: () => 'clients to write' },
      );
    } finally {
      await client.close();
    }
  }

  freeze(): void {
    this.#started().freeze();
  }

  thaw(): void {
    this.#started().thaw();
  }

  /** Ends it for good and removes its data. */
  async stop(): Promise<void> {
    // A clean shutdown has nothing to save: the data go with it.
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #urlOf(database: string): string {
    const query = this.#replicaSet ? `?replicaSet=${replicaSetName}` : '?directConnection=true';
    return `mongodb://127.0.0.1:${String(this.#port)}/${database}${query}`;
  }

  #started(): ServerProcess {
    if (this.#process === undefined) throw new Error('mongod was never started');
    return this.#process;
  }

  async #isWritable(server: ServerProcess): Promise<boolean> {
    if (!server.running) throw new Error(`mongod ended:\n${server.output.slice(-4000)}`);
    const client = new MongoClient(`mongodb://127.0.0.1:${String(this.#port)}/`, {
      directConnection: true,
      serverSelectionTimeoutMS: 500,
    });
    try {
      const hello = await client.db('admin').command({ hello: 1 });
      if (hello['isWritablePrimary'] === true) return true;
      if (this.#replicaSet && hello['setName'] === undefined) await this.#initiate(client);
      return false;
    } catch {
      // Not listening yet, or between two states of its election: asked again.
      return false;
    } finally {
      await client.close();
    }
  }

  async #initiate(client: MongoClient): Promise<void> {
    const host = `127.0.0.1:${String(this.#port)}`;
    await client.db('admin').command({
      replSetInitiate: { _id: replicaSetName, members: [{ _id: 0, host }] },
    });
  }
}
