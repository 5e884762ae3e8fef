/**
 * Retention on real stores under load: writes go on beside a big round, a pruning process that is
 * killed leaves nothing wrong behind, and MongoDB finds what goes by an index.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MongoClient, type Document } from 'mongodb';
import { pruneRound } from '../../master/retention/prune-round.ts';
import { systemClock } from '../../shared/clock.ts';
import { nextJobQuery, oldRowsQuery } from '../../shared/history/mongo/mongo-prune.ts';
import { openHistory } from '../../shared/history/open-history.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import type { HistoryRecord } from '../../shared/history/records.ts';
import { createLogger } from '../../shared/log.ts';
import { allRows, baseTick, ended, output, runFacts } from '../support/history-samples.ts';
import { startMongo, type MongoServer } from '../support/mongo-server.ts';
import { waitFor } from '../support/server-process.ts';

const jobs = 10;
const runsOfEach = 600;
const retention = { maxAgeDays: 1, maxRuns: 100, keepLastFailure: true };
const deps = { clock: systemClock, logger: createLogger('test', 'silent') };

/** Old runs, each with some kilobytes of output. */
function oldRuns(job: string, count: number): HistoryRecord[] {
  return Array.from({ length: count }, (_, n) => {
    const run = runFacts(`${job}-${n}`, { job, tick: baseTick + n * 1_000 });
    return [
      output(run.runId, 0, Buffer.alloc(3_000, 46)),
      output(run.runId, 3_000, Buffer.alloc(1_000, 46)),
      ended(run, { endedAt: run.tick + 30 }),
    ];
  }).flat();
}

async function seed(store: HistoryStore): Promise<void> {
  for (let n = 0; n < jobs; n++) await store.ingest(oldRuns(`job-${n}`, runsOfEach));
}

/** How long each write took while `work` was done, in ms, sorted. */
async function writesBeside(store: HistoryStore, work: Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  let isOver = false;
  const over = work.finally(() => {
    isOver = true;
  });
  for (let n = 0; !isOver; n++) {
    const tick = Date.now();
    const begun = performance.now();
    const run = runFacts(`new-${tick}-${n}`, { job: 'writes', tick });
    await store.ingest([output(run.runId, 0, 'a line\n'), ended(run, { endedAt: tick })]);
    took.push(performance.now() - begun);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await over;
  return took.toSorted((a, b) => a - b);
}

async function checkBigRound(name: string, store: HistoryStore, writer: HistoryStore) {
  await seed(store);
  const alone = await writesBeside(writer, new Promise((resolve) => setTimeout(resolve, 1_000)));
  const begun = performance.now();
  const round = pruneRound(
    { store, ...deps, retention, entryOf: () => undefined, goOn: async () => undefined },
    new AbortController().signal,
  );
  const beside = await writesBeside(writer, round);
  const seconds = (performance.now() - begun) / 1_000;
  const { rows } = await round;
  const at = (took: number[], q: number) => took[Math.ceil(took.length * q) - 1] ?? 0;
  const told = (took: number[]) =>
    `p50 ${at(took, 0.5).toFixed(1)} p99 ${at(took, 0.99).toFixed(1)} max ${at(took, 1).toFixed(1)} ms`;
  process.stdout.write(
    `# ${name}: ${rows} rows with output pruned in ${seconds.toFixed(1)} s; ` +
      `${beside.length} writes beside it: ${told(beside)}; alone: ${told(alone)}\n`,
  );
  // And what was written beside it, beyond the newest hundred.
  assert.ok(rows >= jobs * runsOfEach, String(rows));
  // 50 ms is the promise, and told above; a machine that is busy otherwise is given more.
  const heldUpMs = at(beside, 0.95) - at(alone, 0.95);
  assert.ok(heldUpMs < 150, `writes were held up for ${heldUpMs} ms`);
}

describe('retention: SQLite', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cronmesh-retention-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  for (const [where, isShared] of [
    ['of the same process', true],
    ['of another connection', false],
  ] as const) {
    it(`a big round does not hold up the writes ${where}`, async () => {
      const url = `sqlite:${join(folder, `${String(isShared)}.db`)}`;
      const [store, another] = [openHistory(url, deps), openHistory(url, deps)];
      try {
        await checkBigRound(`SQLite, writes ${where}`, store, isShared ? store : another);
        const before_ = await store.storageUse();
        assert.ok((before_.freeBytes ?? 0) > 10_000_000, JSON.stringify(before_));
        // What is free is used again, before the file grows.
        await store.ingest(oldRuns('again', 1_000));
        const after_ = await store.storageUse();
        assert.ok(after_.freeBytes !== undefined && before_.freeBytes !== undefined);
        assert.ok(after_.freeBytes < before_.freeBytes, JSON.stringify([before_, after_]));
        assert.deepEqual(await store.check(), []);
      } finally {
        await Promise.all([store.stop(), another.stop()]);
      }
    });
  }

  it('a pruning process that is killed again and again leaves nothing wrong behind', async () => {
    const url = `sqlite:${join(folder, 'killed.db')}`;
    const store = openHistory(url, deps);
    try {
      await store.ingest([...oldRuns('job', 2_000), ...oldRuns('other', 20)]);
      const program = fileURLToPath(new URL('./history-prune-process.js', import.meta.url));
      for (let kills = 0; kills < 4; kills++) {
        const left = (await allRows(store)).length;
        const child = spawn(process.execPath, [program, url, 'job', String(baseTick * 2)]);
        let pruned = 0;
        child.stdout.on('data', (data: Buffer) => {
          pruned = Number(data.toString().trim().split('\n').at(-1));
        });
        await waitFor(() => pruned > 100, { timeoutMs: 30_000, describe: () => `${pruned} rows` });
        const closed = new Promise((resolve) => child.once('close', resolve));
        child.kill('SIGKILL');
        await closed;
        assert.deepEqual(await store.check(), []);
        const rows = (await allRows(store)).filter(({ job }) => job === 'job');
        assert.ok(rows.length < left, `${rows.length} of ${left}`);
        // Only the oldest one that is left may have lost output already.
        for (const { id } of rows.slice(1, 30)) assert.equal(await store.outputEnd(id), 4_000, id);
      }
      const rule = { before: baseTick * 2, maxRows: 1_000_000, keepLastFailure: false };
      for (let next = {}; ;) {
        const step = await store.prune({ job: 'job', rule, limit: 1_000, ...next });
        if (step.next === undefined) break;
        next = { after: step.next };
      }
      const left = await allRows(store);
      assert.equal(left.length, 20);
      for (const { id } of left) assert.equal(await store.outputEnd(id), 4_000);
      for (let n = 0; n < 2_000; n += 50) assert.equal(await store.outputEnd(`job-${n}`), 0);
    } finally {
      await store.stop();
    }
  });
});

describe('a copy of a history file', () => {
  it('is made while the file is written to, is whole, and opens', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cronmesh-backup-'));
    const url = `sqlite:${join(folder, 'history.db')}`;
    const copied = join(folder, 'copy.db');
    const store = openHistory(url, deps);
    const copy = openHistory(`sqlite:${copied}`, deps);
    try {
      await store.ingest(oldRuns('job', 500));
      const program = fileURLToPath(new URL('../../scripts/backup/main.js', import.meta.url));
      const backUp = (...args: string[]) =>
        new Promise<number | null>((resolve) => {
          spawn(process.execPath, [program, ...args], { stdio: 'ignore' }).once('close', resolve);
        });
      let isOver = false;
      const copying = backUp(url, copied).finally(() => {
        isOver = true;
      });
      for (let n = 0; !isOver; n++) await store.ingest(oldRuns(`beside-${n}`, 1));
      assert.equal(await copying, 0);
      const rows = (await allRows(copy)).filter(({ job }) => job === 'job');
      assert.equal(rows.length, 500);
      for (const { id } of rows.slice(0, 20)) assert.equal(await copy.outputEnd(id), 4_000);
      assert.deepEqual(await copy.check(), []);
      assert.equal(await backUp(url, copied), 1, 'it is there already');
      assert.equal(await backUp(`sqlite:${join(folder, 'none.db')}`, `${copied}2`), 1);
      assert.equal(await backUp('mongodb://127.0.0.1/x', `${copied}2`), 1);
    } finally {
      await Promise.all([store.stop(), copy.stop()]);
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('retention: MongoDB', () => {
  let server: MongoServer;
  before(async () => {
    server = await startMongo({ replicaSet: true });
  });
  after(() => server.stop());

  it('a big round does not hold up the writes', async () => {
    const store = openHistory(server.databaseUrl('retention'), deps);
    try {
      await checkBigRound('MongoDB', store, store);
    } finally {
      await store.stop();
    }
  });

  it('finds what goes by an index', async () => {
    const url = server.databaseUrl('plans');
    const store = openHistory(url, deps);
    const client = new MongoClient(url);
    try {
      await store.ingest([...oldRuns('a', 50), ...oldRuns('b', 50)]);
      const rows = client.db().collection<Document & { _id: string }>('rows');
      await waitFor(async () => (await rows.indexes()).length === 6, {
        timeoutMs: 20_000,
        describe: () => 'the indexes are made',
      });
      const rule = { before: 9, maxRows: 5, keepLastFailure: true };
      for (const position of [undefined, { tick: 1, id: 'x' }]) {
        const ask = { job: 'a', rule, limit: 50 };
        const { filter, options } = oldRowsQuery(
          position === undefined ? ask : { ...ask, after: position },
          { tick: 9, id: '' },
        );
        const plan = JSON.stringify(await rows.find(filter, options).explain('queryPlanner'));
        assert.match(plan, /"indexName":"by-job"/);
        assert.doesNotMatch(plan, /"COLLSCAN"|"SORT"|by-tick/);
      }
      const { filter, options } = nextJobQuery('a');
      const plan = await rows.find(filter, { ...options, limit: 1 }).explain('queryPlanner');
      assert.match(JSON.stringify(plan), /"PROJECTION_COVERED"/);
      assert.doesNotMatch(JSON.stringify(plan), /"FETCH"|"SORT"/);
    } finally {
      await client.close();
      await store.stop();
    }
  });
});
