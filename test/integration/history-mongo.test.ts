/** The MongoDB store on real servers: the contract on a replica set, and what is its own. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MongoClient, type Db, type Document } from 'mongodb';
import { pino } from 'pino';
import { systemClock } from '../../shared/clock.ts';
import {
  lastRunsPipelines,
  listRunsQuery,
  chunkFilters,
} from '../../shared/history/mongo/mongo-reads.ts';
import {
  countDaysPipeline,
  countJobsPipeline,
  timedRunsPipeline,
} from '../../shared/history/mongo/mongo-stats.ts';
import { isCronmeshError } from '../../shared/errors.ts';
import { openHistory } from '../../shared/history/open-history.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import { encodeCursor, parseRunsQuery } from '../../shared/history/runs-query.ts';
import { describeHistoryStore } from '../support/history-contract.ts';
import {
  allRows,
  baseTick,
  contentOf,
  mixture,
  output,
  runFacts,
  started,
} from '../support/history-samples.ts';
import {
  assertRejects,
  withStore,
  type StoreUnderTest,
} from '../support/history-store-under-test.ts';
import { runWriters } from '../support/history-writers.ts';
import { startMongo, type MongoServer } from '../support/mongo-server.ts';
import { waitFor } from '../support/server-process.ts';

let server: MongoServer;

before(async () => {
  server = await startMongo({ replicaSet: true });
});

after(async () => {
  await server.stop();
});

interface MongoUnderTest extends StoreUnderTest {
  readonly url: string;
}

async function makeMongo(): Promise<MongoUnderTest> {
  const url = server.databaseUrl('history');
  const opened: HistoryStore[] = [];
  const open = (): HistoryStore => {
    const deps = { logger: pino({ level: 'silent' }), clock: systemClock };
    const store = openHistory(url, deps);
    opened.push(store);
    return store;
  };
  return {
    url,
    store: open(),
    another: open,
    async dispose(passed) {
      await Promise.all(opened.map((store) => store.stop()));
      if (passed) await withDatabase(url, (db) => db.dropDatabase());
    },
  };
}

function withMongo(
  body: (store: HistoryStore, made: MongoUnderTest) => Promise<void>,
): Promise<void> {
  let made: MongoUnderTest | undefined;
  return withStore(
    async () => (made = await makeMongo()),
    async (store) => {
      assert.ok(made);
      await body(store, made);
    },
  );
}

async function withDatabase<T>(url: string, body: (db: Db) => Promise<T>): Promise<T> {
  const client = new MongoClient(url);
  try {
    return await body(client.db());
  } finally {
    await client.close();
  }
}

describeHistoryStore('MongoDB', makeMongo);

describe('MongoDB: several writers and versions', () => {
  it('takes the same and different records from several processes at once', async () => {
    await withMongo(async (store, { url }) => {
      await runWriters(url, ['shared', 'shared', 'one'], 200);
      const rows = await allRows(store);
      assert.equal(new Set(rows.map(({ id }) => id)).size, rows.length);
      assert.equal(rows.length, 400);
      assert.ok(rows.every(({ outcome }) => outcome === 'succeeded'));
    });
  });

  it('refuses a database of a newer version', async () => {
    await withMongo(async (store, made) => {
      await store.ingest(mixture(2));
      const set = { $set: { schemaVersion: 7 } };
      await withDatabase(made.url, (db) => db.collection('meta').updateOne({}, set));
      const message = /newer cronmesh \(schema version 7, this one knows up to 1\)/;
      const refused = made.another();
      await assertRejects(() => refused.ping(), 'store-unavailable', message);
      await assertRejects(() => refused.ingest(mixture(1)), 'store-unavailable', message);
    });
  });

  it('leaves a damaged row out of lists', async () => {
    await withMongo(async (store, { url }) => {
      await store.ingest([started(runFacts('r1')), started(runFacts('r2'))]);
      await withDatabase(url, (db) =>
        db.collection('rows').updateOne({ job: 'backup' }, { $set: { 'facts.value.cause': 7 } }),
      );
      assert.equal((await store.listRuns({ limit: 10 })).items.length, 1);
    });
  });
});

describe('MongoDB: what is acknowledged is kept', () => {
  it('asks for a majority and the journal, whatever the URL says', async () => {
    await withMongo(async (_, { url }) => {
      await withDatabase(url, async (db) => {
        await db.command({ profile: 2 });
        const deps = { logger: pino({ level: 'silent' }), clock: systemClock };
        const careless = openHistory(`${url}&w=0&journal=false&retryWrites=false`, deps);
        await careless.ingest([started(runFacts('r1')), output('r1', 0, 'x')]);
        await careless.stop();
        await db.command({ profile: 0 });
        const profile = db.collection('system.profile');
        const written = await profile.find({ op: 'insert', ns: /output$/ }).toArray();
        assert.equal(written.length, 1);
        const concern: unknown = written[0]?.['command'];
        assert.match(JSON.stringify(concern), /"writeConcern":\{"w":"majority",[^}]*"j":true\}/);
      });
    });
  });
});

describe('MongoDB: sharding', () => {
  it('names the shard key of the rows in every upsert, and of the output in every chunk', async () => {
    await withMongo(async (store, { url }) => {
      await withDatabase(url, async (db) => {
        await store.ping();
        await db.command({ profile: 2 });
        await store.ingest(mixture(40));
        await db.command({ profile: 0 });
        const profile = db.collection('system.profile');
        const updates = await profile.find({ op: 'update', ns: /rows$/ }).toArray();
        assert.ok(updates.length >= 40, `${updates.length} updates`);
        for (const { command } of updates) {
          const { q } = command as { q: Document };
          assert.deepEqual(Object.keys(q), ['_id', 'job', 'tick']);
        }
        const chunks = await db.collection('output').find().toArray();
        assert.ok(chunks.length > 0 && chunks.every(({ runId }) => typeof runId === 'string'));
      });
    });
  });

  it('refuses a run whose id is stored with another job, and takes the rest', async () => {
    await withMongo(async (store) => {
      await store.ingest([started(runFacts('r1'))]);
      const other = [started(runFacts('r2')), started(runFacts('r1', { job: 'other' }))];
      await assertRejects(() => store.ingest(other), 'store-rejected', /another job or tick/);
      assert.equal((await store.getRun('r1'))?.job, 'backup');
      assert.equal((await store.getRun('r2'))?.job, 'backup');
    });
  });
});

describe('MongoDB: plans', () => {
  it('drops the indexes that earlier versions made and nothing asks for', async () => {
    await withMongo(async (store, { url }) => {
      await withDatabase(url, async (db) => {
        const rows = db.collection('rows');
        await rows.createIndexes([{ name: 'by-tick', key: { tick: 1, _id: 1, state: 1 } }]);
        await store.ping();
        const names = async (): Promise<(string | undefined)[]> =>
          (await rows.indexes()).map(({ name }) => name);
        await waitFor(async () => !(await names()).includes('by-tick'), {
          timeoutMs: 20_000,
          describe: () => 'the former index goes',
        });
        assert.equal((await names()).length, 6);
      });
    });
  });

  it('answers every query from an index', async () => {
    await withMongo(async (store, { url }) => {
      await store.ingest([...mixture(300), output('r1', 0, 'x')]);
      await withDatabase(url, async (db) => {
        const rows = db.collection<Document & { _id: string }>('rows');
        await waitFor(async () => (await rows.indexes()).length === 6, {
          timeoutMs: 20_000,
          describe: () => 'the indexes are made in the background',
        });
        const facets = [
          {},
          { jobs: ['job-1'] },
          { jobs: ['job-1', 'job-2'], outcomes: ['failed', 'running'] },
          { workers: ['w1'], outcomes: ['failed'] },
          { groups: ['default'] },
          { outcomes: ['running', 'lost'] },
          { jobs: ['job-1'], groups: ['default'], workers: ['w1'], outcomes: ['lost'] },
        ] as const;
        const cursor = encodeCursor({ tick: 5, id: 'x' });
        for (const facet of facets) {
          for (const order of ['asc', 'desc'] as const) {
            for (const rest of [{}, { cursor }, { from: 5, to: 50 }]) {
              const query = parseRunsQuery({ limit: 10, order, ...facet, ...rest });
              const { filter, options } = listRunsQuery(query);
              assertIndexed(await rows.find(filter, options).explain('queryPlanner'), ['IXSCAN']);
            }
          }
        }
        assertIndexed(await rows.find({ _id: 'run-1' }).explain('queryPlanner'), ['IDHACK']);
        const [pipeline = []] = lastRunsPipelines('rows', ['job-1', 'job-2', 'job-3'], 5);
        assertIndexed(await rows.aggregate(pipeline).explain('queryPlanner'), ['IXSCAN']);
        for (const jobs of [undefined, ['job-1', 'job-2']]) {
          const ask = { from: baseTick, to: baseTick + 9_000, jobs };
          assertCovered(await rows.aggregate(countJobsPipeline(ask)).explain('queryPlanner'));
          const days = countDaysPipeline({ ...ask, offsetMs: 0 });
          assertCovered(await rows.aggregate(days).explain('queryPlanner'));
        }
        const timed = { jobs: ['job-1', 'job-2'], from: 0, to: baseTick + 9_000, runs: 5 };
        const timedPlan = rows.aggregate(timedRunsPipeline('rows', timed)).explain('queryPlanner');
        assertIndexed(await timedPlan, ['IXSCAN']);
        const { atOrBefore, after: behind, sizes } = chunkFilters('r1', 10);
        const chunks = db.collection<Document & { _id: string }>('output');
        for (const filter of [atOrBefore, behind]) {
          const plan = await chunks.find(filter, { ...sizes, sort: { _id: 1 } }).explain();
          assertIndexed(plan, ['IXSCAN']);
        }
      });
    });
  });
});

// Each has a server of its own, and they mostly wait.
describe('MongoDB: the server goes away', { concurrency: true }, () => {
  it('starts without a server, fails within seconds, and works once it is there', async () => {
    const alone = await startMongo();
    const url = alone.databaseUrl('down');
    const deps = { logger: pino({ level: 'silent' }), clock: systemClock };
    const store = openHistory(url, deps);
    try {
      await alone.kill();
      await store.start();
      const begun = performance.now();
      await Promise.all([
        assertRejects(() => store.ping(), 'store-unavailable'),
        assertRejects(() => store.ingest(mixture(1)), 'store-unavailable'),
      ]);
      assert.ok(performance.now() - begun < 20_000, 'a dead server is noticed in seconds');
      await alone.start();
      await store.ingest(mixture(1));
      await store.ping();
      assert.equal((await allRows(store)).length, 2);
    } finally {
      await store.stop();
      await alone.stop();
    }
  });

  it('loses nothing and doubles nothing when it is killed again and again', async () => {
    const alone = await startMongo();
    const deps = { logger: pino({ level: 'silent' }), clock: systemClock };
    const store = openHistory(alone.databaseUrl('killed'), deps);
    try {
      const records = mixture(600);
      let acknowledged = 0;
      let failures = 0;
      const ingesting = (async (): Promise<void> => {
        for (let first = 0; first < records.length;) {
          const batch = records.slice(first, first + 25);
          try {
            await store.ingest(batch);
            first += batch.length;
            acknowledged += batch.length;
          } catch (error) {
            assert.match(String(error), /CronmeshError/);
            failures += 1;
          }
        }
      })();
      for (const share of [0.2, 0.5, 0.8]) {
        await waitFor(() => acknowledged > records.length * share, {
          timeoutMs: 60_000,
          describe: () => `${acknowledged} acknowledged`,
        });
        await alone.kill();
        const failuresBefore = failures;
        // Once for longer than one call waits for the server, then back at once.
        const failuresAway = share === 0.2 ? 2 : 1;
        await waitFor(() => failures >= failuresBefore + failuresAway, {
          timeoutMs: 60_000,
          describe: () => 'calls to a killed server fail',
        });
        await alone.start();
      }
      await ingesting;
      assert.equal(acknowledged, records.length);
      const runIds = Array.from({ length: 60 }, (_, n) => `run-${n * 10}`);
      await withMongo(async (whole) => {
        await whole.ingest(records);
        assert.deepEqual(await contentOf(store, runIds), await contentOf(whole, runIds));
      });
    } finally {
      await store.stop();
      await alone.stop();
    }
  });

  it('fails within seconds when the server is frozen, and goes on when it thaws', async () => {
    const alone = await startMongo();
    const deps = { logger: pino({ level: 'silent' }), clock: systemClock };
    const store = openHistory(alone.databaseUrl('frozen'), deps);
    try {
      await store.ingest(mixture(3));
      alone.freeze();
      // Its threads stop one after the other: a first call may still be answered.
      let begun = performance.now();
      const failure = await waitFor(
        () => {
          begun = performance.now();
          return store.ingest([started(runFacts('r1'))]).then(
            () => undefined,
            (error: unknown) => error,
          );
        },
        { timeoutMs: 60_000, describe: () => 'a call to a frozen server fails' },
      );
      const seconds = (performance.now() - begun) / 1000;
      assert.ok(isCronmeshError(failure, 'store-unavailable'), String(failure));
      assert.ok(seconds < 25, `noticed after ${seconds} s`);
      alone.thaw();
      await waitFor(
        () =>
          store.ingest([started(runFacts('r1'))]).then(
            () => true,
            () => false,
          ),
        { timeoutMs: 20_000, describe: () => 'the thawed server takes the same call' },
      );
      assert.equal((await store.getRun('r1'))?.id, 'r1');
    } finally {
      await store.stop();
      await alone.stop();
    }
  });
});

/** From an index alone: no document is read. */
function assertCovered(plan: Document): void {
  assertIndexed(plan, ['PROJECTION_COVERED']);
  assert.ok(!JSON.stringify(plan).includes('"FETCH"'), JSON.stringify(plan, undefined, 1));
}

/** Every leaf of the plan must be one of `stages`: nothing scans a collection, nothing sorts it. */
function assertIndexed(plan: Document, stages: readonly string[]): void {
  const found: string[] = [];
  const walk = (node: unknown): void => {
    if (Array.isArray(node)) {
      for (const child of node) walk(child);
    } else if (typeof node === 'object' && node !== null) {
      for (const [key, value] of Object.entries(node)) {
        if (key === 'stage' && typeof value === 'string') found.push(value);
        if (key !== 'rejectedPlans') walk(value);
      }
    }
  };
  walk(plan);
  const text = JSON.stringify(plan, undefined, 1);
  assert.ok(!found.includes('COLLSCAN') && !found.includes('SORT'), text);
  assert.ok(
    stages.some((stage) => found.includes(stage)),
    text,
  );
}
