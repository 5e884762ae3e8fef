/** The SQLite store on real files: the contract, and what is its own. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, it } from 'node:test';
import Database from 'libsql';
import { pino } from 'pino';
import { systemClock } from '../../shared/clock.ts';
import { openHistory } from '../../shared/history/open-history.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import {
  beyondSql,
  chunksOfSql,
  deleteRowSql,
  lastFailureSql,
  nextJobSql,
  oldRowsSql,
} from '../../shared/history/sqlite/prune-rows.ts';
import {
  chunkSizesSql,
  chunksSql,
  getRunSql,
  lastRunsSql,
  listRunsSql,
} from '../../shared/history/sqlite/read-rows.ts';
import {
  countDaysSql,
  countJobsSql,
  timedRunsSql,
} from '../../shared/history/sqlite/stats-rows.ts';
import { parseRunsQuery, encodeCursor } from '../../shared/history/runs-query.ts';
import { describeHistoryStore } from '../support/history-contract.ts';
import { allRows, ended, mixture, output, runFacts, started } from '../support/history-samples.ts';
import {
  assertRejects,
  withStore,
  type MakeStore,
  type StoreUnderTest,
} from '../support/history-store-under-test.ts';
import { waitFor } from '../support/server-process.ts';
import { runWriters, Writer } from '../support/history-writers.ts';

interface SqliteUnderTest extends StoreUnderTest {
  readonly folder: string;
  readonly file: string;
}

async function makeSqlite(): Promise<SqliteUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'cronmesh-history-'));
  const file = join(folder, 'history.db');
  const opened: HistoryStore[] = [];
  const open = (): HistoryStore => {
    const deps = { logger: pino({ level: 'silent' }), clock: systemClock };
    const store = openHistory(`sqlite:${file}`, deps);
    opened.push(store);
    return store;
  };
  return {
    folder,
    file,
    store: open(),
    another: open,
    async dispose(passed) {
      await Promise.all(opened.map((store) => store.stop()));
      if (passed) await rm(folder, { recursive: true, force: true });
    },
  };
}

const makeStore: MakeStore = makeSqlite;

function withSqlite(
  body: (store: HistoryStore, made: SqliteUnderTest) => Promise<void>,
): Promise<void> {
  let made: SqliteUnderTest | undefined;
  return withStore(
    async () => (made = await makeSqlite()),
    async (store) => {
      assert.ok(made);
      await body(store, made);
    },
  );
}

describeHistoryStore('SQLite', makeStore);

describe('SQLite: one file, several processes', () => {
  it('takes the same and different records from several processes at once', async () => {
    await withSqlite(async (store, { file }) => {
      // A new file: whoever comes first makes the tables, the others wait.
      await runWriters(`sqlite:${file}`, ['shared', 'shared', 'one', 'two'], 400);
      const rows = await allRows(store);
      assert.equal(new Set(rows.map(({ id }) => id)).size, rows.length);
      for (const name of ['shared', 'one', 'two']) {
        const own = rows.filter(({ id }) => id.startsWith(`${name}-`));
        assert.equal(own.length, 400, name);
        assert.ok(own.every(({ outcome }) => outcome === 'succeeded'));
      }
    });
  });

  it('has all that it acknowledged after its writers were killed', async () => {
    await withSqlite(async (store, { file }) => {
      const names = ['one', 'two', 'three'];
      for (const round of [1, 2]) {
        const writers = names.map(
          (name) => new Writer(`sqlite:${file}`, `${name}-${round}`, 100_000),
        );
        await waitFor(() => writers.every(({ acknowledged }) => acknowledged > 100), {
          timeoutMs: 60_000,
          describe: () => writers.map(({ errors }) => errors).join('\n'),
        });
        await Promise.all(writers.map((writer) => writer.kill()));
        const rows = await allRows(store);
        for (const [index, name] of names.entries()) {
          const own = rows.filter(({ id }) => id.startsWith(`${name}-${round}-`));
          const acknowledged = writers[index]?.acknowledged ?? 0;
          assert.ok(own.length >= acknowledged, `${own.length} of ${acknowledged}`);
          assert.ok(own.length <= acknowledged + 10, 'no more than the batch under way');
          assert.ok(
            own.every(({ outcome }) => outcome === 'succeeded'),
            'no half batch',
          );
        }
      }
    });
  });

  it('never holds up the loop: not with a big batch, not while the file is locked', async () => {
    await withSqlite(async (store, { file }) => {
      await store.ingest(mixture(10));
      const delay = monitorEventLoopDelay({ resolution: 10 });
      delay.enable();
      await store.ingest(mixture(3000));
      const locker = new Database(file);
      locker.exec('BEGIN IMMEDIATE');
      const unlock = setTimeout(() => locker.exec('COMMIT'), 1500);
      const begun = performance.now();
      await store.ingest([started(runFacts('waits'))]);
      const waitedMs = performance.now() - begun;
      delay.disable();
      clearTimeout(unlock);
      locker.close();
      assert.ok(waitedMs > 1000, `the lock was held, but ingest took ${waitedMs} ms`);
      const longestMs = delay.max / 1e6;
      assert.ok(longestMs < 700, `the loop was held up for ${longestMs} ms`);
      assert.equal((await store.getRun('waits'))?.id, 'waits');
    });
  });

  it('says that the file is busy when a lock does not go, and takes the same later', async () => {
    await withSqlite(async (store, { file }) => {
      await store.ping();
      await store.ingest([started(runFacts('first'))]);
      const locker = new Database(file);
      locker.exec('BEGIN IMMEDIATE');
      await assertRejects(
        () => store.ingest([started(runFacts('r1'))]),
        'store-unavailable',
        /SQLITE_BUSY/,
      );
      assert.equal((await store.listRuns({ limit: 5 })).items.length, 1, 'readers go on');
      locker.exec('ROLLBACK');
      locker.close();
      await store.ingest([started(runFacts('r1'))]);
      assert.equal((await store.listRuns({ limit: 5 })).items.length, 2);
    });
  });
});

describe('SQLite: files it finds', () => {
  it('makes missing folders, and says clearly when it cannot', async () => {
    await withSqlite(async (_, { folder }) => {
      const deps = { logger: pino({ level: 'silent' }), clock: systemClock };
      const deep = openHistory(`sqlite:${join(folder, 'a/b/c.db')}`, deps);
      await deep.ping();
      await deep.stop();
      await writeFile(join(folder, 'plain'), 'a file where a folder should be');
      const blocked = openHistory(`sqlite:${join(folder, 'plain/c.db')}`, deps);
      await blocked.start();
      await assertRejects(() => blocked.ping(), 'store-unavailable', /plain/);
      await assertRejects(() => blocked.ingest(mixture(1)), 'store-unavailable', /plain/);
      await rm(join(folder, 'plain'));
      await mkdir(join(folder, 'plain'));
      await blocked.ingest(mixture(1));
      await blocked.ping();
      await blocked.stop();
    });
  });

  it('refuses a file of a newer version, of another program, and what is no database', async () => {
    await withSqlite(async (store, { folder, file }) => {
      await store.ingest(mixture(2));
      await store.stop();
      const deps = { logger: pino({ level: 'silent' }), clock: systemClock };
      const files: [path: string, make: () => Promise<void> | void, message: RegExp][] = [
        [
          file,
          () => withDatabase(file, 'PRAGMA user_version = 7'),
          /newer cronmesh \(schema version 7, this one knows up to 1\)/,
        ],
        [
          join(folder, 'other.db'),
          () => withDatabase(join(folder, 'other.db'), 'CREATE TABLE notes (text TEXT)'),
          /another program/,
        ],
        [
          join(folder, 'text.db'),
          () => writeFile(join(folder, 'text.db'), 'plain text '.repeat(1000)),
          /not a database/,
        ],
      ];
      for (const [path, make, message] of files) {
        await make();
        const refused = openHistory(`sqlite:${path}`, deps);
        await assertRejects(() => refused.ping(), 'store-unavailable', message);
        await assertRejects(() => refused.ingest(mixture(1)), 'store-unavailable', message);
        await refused.stop();
      }
      withDatabase(file, 'PRAGMA user_version = 1');
      const again = openHistory(`sqlite:${file}`, deps);
      assert.equal((await again.getRun('run-1'))?.id, 'run-1', 'the refused file was left alone');
      await again.stop();
    });
  });

  it('leaves a damaged row out of lists, and never overwrites it', async () => {
    await withSqlite(async (store, { file }) => {
      const run = runFacts('r1');
      await store.ingest([started(run), started(runFacts('r2')), output('r1', 0, 'x')]);
      withDatabase(file, `UPDATE rows SET parts = '{"kind":"odd"}' WHERE id = 'r1'`);
      assert.deepEqual(
        (await store.listRuns({ limit: 10 })).items.map(({ id }) => id),
        ['r2'],
      );
      assert.equal(await store.getRun('r1'), undefined);
      await assertRejects(() => store.ingest([ended(run)]), 'store-unavailable');
      await store.ingest([ended(runFacts('r2'))]);
      assert.equal((await store.getRun('r2'))?.outcome, 'succeeded');
    });
  });
});

describe('SQLite: plans', () => {
  it('answers every query from an index', async () => {
    await withSqlite(async (store, { file }) => {
      await store.ingest(mixture(300));
      const db = new Database(file);
      const facets = [
        {},
        { jobs: ['job-1'] },
        { jobs: ['job-1', 'job-2'], outcomes: ['failed', 'running'] },
        { workers: ['w1'], outcomes: ['failed'] },
        { groups: ['default'] },
        { outcomes: ['running'] },
        { jobs: ['job-1'], groups: ['default'], workers: ['w1'], outcomes: ['lost'] },
      ] as const;
      const cursor = encodeCursor({ tick: 1, id: 'x' });
      const queries = facets.flatMap((facet) =>
        (['asc', 'desc'] as const).flatMap((order) =>
          [{}, { cursor }, { from: 5, to: 50 }].map((rest) =>
            listRunsSql(parseRunsQuery({ limit: 10, order, ...facet, ...rest })),
          ),
        ),
      );
      const pruning = [
        nextJobSql,
        beyondSql,
        lastFailureSql,
        oldRowsSql,
        chunksOfSql,
        deleteRowSql,
      ];
      const others = [getRunSql, lastRunsSql, chunkSizesSql, chunksSql, ...pruning].map((sql) => ({
        sql,
        values: Array.from({ length: sql.split('?').length - 1 }, () => 1),
      }));
      const window = { from: 5, to: 50 };
      const stats = [undefined, ['job-1', 'job-2']].flatMap((jobs) => [
        countJobsSql({ ...window, jobs }),
        countDaysSql({ ...window, jobs, offsetMs: 0 }),
      ]);
      for (const { sql, values } of stats) {
        const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(values).map(detailOf);
        const reads = plan.filter((step) => /^(SCAN|SEARCH) (r|rows)\b/.test(step));
        assert.ok(reads.length > 0, plan.join('\n'));
        for (const step of reads) assert.match(step, /^SEARCH .* USING COVERING INDEX/);
      }
      const timed = timedRunsSql({ ...window, jobs: ['job-1', 'job-2'], runs: 5 });
      for (const { sql, values } of [...queries, ...others, timed]) {
        const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(values).map(detailOf);
        const scans = plan.filter(
          (step) => step.startsWith('SCAN') && !step.startsWith('SCAN v VIRTUAL TABLE'),
        );
        const sorts = plan.filter((step) => step.includes('TEMP B-TREE'));
        assert.deepEqual(
          scans.filter((step) => !step.startsWith('SCAN json_each')),
          [],
          `${sql}\n${plan.join('\n')}`,
        );
        if (sql === oldRowsSql) {
          // Between both ends, not from one of them to the end of the job.
          assert.match(plan.join('\n'), /job=\? AND \(tick,id\)>\(\?,\?\) AND \(tick,id\)</);
        }
        // Only the merging of several values' rows may sort, and those are few.
        assert.ok(sorts.length <= (sql.includes('json_each(?) AS v') ? 1 : 0), plan.join('\n'));
      }
      db.close();
    });
  });
});

function detailOf(row: unknown): string {
  return typeof row === 'object' && row !== null && 'detail' in row ? String(row.detail) : '';
}

function withDatabase(file: string, sql: string): void {
  const db = new Database(file);
  db.exec(sql);
  db.close();
}
