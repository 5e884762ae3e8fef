/**
 * A real replica set of three mongods on this machine, for tests that take its primary away. Ports are
 * free ones of 127.0.0.1, data are in a temporary folder, and nothing outlives the test process.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { findProgram } from './programs.ts';
import { freePort, ServerProcess, waitFor } from './server-process.ts';

const name = 'rs0';
const size = 3;
const readyTimeoutMs = 90_000;

interface Member {
  readonly port: number;
  readonly folder: string;
  process: ServerProcess | undefined;
}

export class MongoSet {
  readonly #folder: string;
  readonly #members: readonly Member[];

  private constructor(folder: string, members: readonly Member[]) {
    this.#folder = folder;
    this.#members = members;
  }

  /** Resolves once there is a primary that takes writes. */
  static async start(): Promise<MongoSet> {
    const folder = await mkdtemp(join(tmpdir(), 'cronmesh-mongo-set-'));
    const members: Member[] = [];
    for (let i = 0; i < size; i++) {
      const member = { port: await freePort(), folder: join(folder, `m${i}`), process: undefined };
      await mkdir(member.folder);
      members.push(member);
    }
    const set = new MongoSet(folder, members);
    try {
      for (const member of members) set.#startMember(member);
      await set.#initiate();
      await set.primary();
      return set;
    } catch (error) {
      await set.stop();
      throw error;
    }
  }

  /** Of a database that no other caller has. */
  databaseUrl(label: string): string {
    const hosts = this.#members.map(({ port }) => `127.0.0.1:${port}`).join(',');
    const database = `${label}-${randomBytes(4).toString('hex')}`;
    return `mongodb://${hosts}/${database}?replicaSet=${name}`;
  }

  /** SIGKILL to the primary; resolves with the member that was it. */
  async killPrimary(): Promise<number> {
    const port = await this.primary();
    await this.#memberAt(port).process?.kill();
    return port;
  }

  /** Starts a member again that was killed, on the same data. */
  restart(port: number): void {
    this.#startMember(this.#memberAt(port));
  }

  /** The port of the member that takes writes, once there is one. */
  async primary(): Promise<number> {
    return waitFor(
      async () => {
        for (const { port, process } of this.#members) {
          if (process?.running === true && (await this.#isPrimary(port))) return port;
        }
        return undefined;
      },
      { timeoutMs: readyTimeoutMs, intervalMs: 100, describe: () => 'a primary of the set' },
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map(async ({ process }) => process?.kill()));
    await rm(this.#folder, { recursive: true, force: true });
  }

  #memberAt(port: number): Member {
    const member = this.#members.find((each) => each.port === port);
    if (member === undefined) throw new Error(`no member at ${port}`);
    return member;
  }

  #startMember(member: Member): void {
    member.process = new ServerProcess(findProgram('mongod'), [
      ...['--port', String(member.port), '--bind_ip', '127.0.0.1', '--nounixsocket'],
      ...['--dbpath', member.folder, '--wiredTigerCacheSizeGB', '0.25'],
      ...['--replSet', name, '--oplogSize', '64'],
      ...['--setParameter', 'diagnosticDataCollectionEnabled=false'],
    ]);
  }

  async #initiate(): Promise<void> {
    const members = this.#members.map(({ port }, _id) => ({ _id, host: `127.0.0.1:${port}` }));
    const [first] = this.#members;
    await waitFor(
      () =>
        this.#ask(first?.port ?? 0, async (client) => {
          await client.db('admin').command({
            replSetInitiate: { _id: name, members, settings: { electionTimeoutMillis: 2_000 } },
          });
          return true;
        }),
      { timeoutMs: readyTimeoutMs, intervalMs: 100, describe: () => 'mongod to be initiated' },
    );
  }

  async #isPrimary(port: number): Promise<boolean> {
    const hello = await this.#ask(port, (client) => client.db('admin').command({ hello: 1 }));
    return hello?.['isWritablePrimary'] === true;
  }

  /** Undefined when it does not answer. */
  async #ask<T>(port: number, ask: (client: MongoClient) => Promise<T>): Promise<T | undefined> {
    const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, {
      serverSelectionTimeoutMS: 500,
    });
    try {
      return await ask(client);
    } catch {
      return undefined;
    } finally {
      await client.close();
    }
  }
}
