/**
 * MongoDB as operators run it: TLS only, and a user who may read and write one database and nothing
 * else. What is refused is said without the password, and nothing that waits to be stored is dropped.
 */
import assert from 'node:assert/strict';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { MongoClient } from 'mongodb';
import { systemClock } from '../../shared/clock.ts';
import { openHistory } from '../../shared/history/open-history.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import { createLogger } from '../../shared/log.ts';
import { makeCertificates } from '../support/certificates.ts';
import { ended, output, runFacts, started } from '../support/history-samples.ts';
import { assertRejects } from '../support/history-store-under-test.ts';
import { findProgram } from '../support/programs.ts';
import { freePort, ServerProcess, waitFor } from '../support/server-process.ts';

const password = 'p@ss/word';
const encoded = encodeURIComponent(password);

describe('MongoDB with TLS and users', () => {
  let folder: string;
  let port: number;
  let tls: string;
  let server: ServerProcess;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cronmesh-mongo-tls-'));
    const { ca, cert, key } = await makeCertificates(folder);
    const pem = join(folder, 'server.pem');
    await writeFile(pem, `${await readFile(cert, 'utf8')}${await readFile(key, 'utf8')}`);
    const data = join(folder, 'data');
    await mkdir(data);
    port = await freePort();
    tls = `tls=true&tlsCAFile=${encodeURIComponent(ca)}`;
    server = new ServerProcess(findProgram('mongod'), [
      ...['--port', String(port), '--bind_ip', '127.0.0.1', '--nounixsocket', '--dbpath', data],
      ...['--auth', '--tlsMode', 'requireTLS', '--tlsCertificateKeyFile', pem],
      ...['--tlsCAFile', ca, '--tlsAllowConnectionsWithoutCertificates'],
      ...['--wiredTigerCacheSizeGB', '0.25'],
    ]);
    await waitFor(() => createUsers(), {
      timeoutMs: 60_000,
      intervalMs: 100,
      describe: () => `mongod with users; ${server.output.slice(-2000)}`,
    });
  });
  after(async () => {
    await server.kill();
    await rm(folder, { recursive: true, force: true });
  });

  async function createUsers(): Promise<true | undefined> {
    const client = new MongoClient(`mongodb://127.0.0.1:${port}/?${tls}`, {
      serverSelectionTimeoutMS: 500,
    });
    try {
      // The first user may be made without one; that user makes the other.
      await client.db('admin').command({ createUser: 'root', pwd: password, roles: ['root'] });
      const root = new MongoClient(`mongodb://root:${encoded}@127.0.0.1:${port}/admin?${tls}`);
      const roles = [{ role: 'readWrite', db: 'history' }];
      await root.db('history').command({ createUser: 'cronmesh', pwd: password, roles });
      await root.close();
      return true;
    } catch {
      return undefined;
    } finally {
      await client.close();
    }
  }

  async function withStore(
    url: string,
    body: (store: HistoryStore) => Promise<void>,
  ): Promise<void> {
    const logger = createLogger('test', 'silent');
    const store = openHistory(url, { clock: systemClock, logger });
    await store.start();
    try {
      await body(store);
    } finally {
      await store.stop();
    }
  }

  it('takes and shows history with the rights on one database', async () => {
    await withStore(
      `mongodb://cronmesh:${encoded}@127.0.0.1:${port}/history?${tls}`,
      async (store) => {
        const run = runFacts('r1');
        await store.ingest([started(run), output('r1', 0, 'text'), ended(run)]);
        assert.equal((await store.getRun('r1'))?.outcome, 'succeeded');
        assert.equal(await store.outputEnd('r1'), 4);
        await store.ping();
        assert.equal((await store.storageUse()).rows, 1);
        assert.deepEqual(await store.check(), []);
        const rule = { before: Date.now(), maxRows: 1, keepLastFailure: false };
        assert.equal((await store.prune({ job: run.job, rule, limit: 5 })).rows, 1);
      },
    );
  });

  it('says what is refused, never with the password, and calls it the server, not the record', async () => {
    for (const [url, message] of [
      [`mongodb://cronmesh:wrong%40@127.0.0.1:${port}/history?${tls}`, /Authentication failed/],
      [`mongodb://127.0.0.1:${port}/history?${tls}`, /auth/i],
      [`mongodb://cronmesh:${encoded}@127.0.0.1:${port}/history`, /./],
      [
        `mongodb://cronmesh:${encoded}@127.0.0.1:${port}/other?authSource=history&${tls}`,
        /not authorized/,
      ],
    ] as const) {
      await withStore(url, async (store) => {
        await assertRejects(
          () => store.ingest([started(runFacts('r2'))]),
          'store-unavailable',
          message,
        );
        await assert.rejects(
          () => store.ping(),
          (error: Error) => !error.message.includes(password) && !error.message.includes(encoded),
        );
      });
    }
  });
});
