/** What a rule of retention lets go, held against a plain reckoning over the rows themselves. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HistoryStore } from '../../shared/history/port.ts';
import type { KeepRule } from '../../shared/history/prune.ts';
import type { HistoryRecord } from '../../shared/history/records.ts';
import { assertRejects, withStore, type MakeStore } from './history-store-under-test.ts';
import {
  allOutput,
  allRows,
  baseTick,
  ended,
  lost,
  mixture,
  notRun,
  output,
  runFacts,
  started,
} from './history-samples.ts';

const keepAll: KeepRule = { before: 0, maxRows: 1_000_000, keepLastFailure: true };
const farFuture = baseTick * 2;

/** Prunes one job to its end; answers what went. */
export async function pruneJob(
  store: HistoryStore,
  job: string,
  rule: KeepRule,
  limit = 50,
): Promise<{ rows: number; chunks: number; steps: number }> {
  const total = { rows: 0, chunks: 0, steps: 0 };
  let step = await store.prune({ job, rule, limit });
  for (;;) {
    total.rows += step.rows;
    total.chunks += step.chunks;
    total.steps += 1;
    if (step.next === undefined) return total;
    step = await store.prune({ job, rule, limit, after: step.next });
  }
}

export function describeRetention(makeStore: MakeStore): void {
  describe('retention', () => {
    it('lets go what is older than the age, by tick and by end, with its output', async () => {
      await withStore(makeStore, async (store) => {
        const before = baseTick + 50_000;
        await store.ingest(runsOf('backup', 100));
        await store.ingest([
          // A catch-up of an old tick that ran a moment ago, a run that is open, and ones of no run.
          ended(runFacts('young', { tick: baseTick - 1e9 }), { endedAt: before }),
          output('young', 0, 'young'),
          started(runFacts('open', { tick: baseTick - 1e9 })),
          output('open', 0, 'open'),
          notRun('old-span', { toTick: baseTick, at: before - 1 }),
          notRun('new-span', { toTick: baseTick, at: before }),
          lost(runFacts('old-lost', { tick: before - 9_001 })),
          lost(runFacts('new-lost', { tick: before - 9_000 })),
          ended(runFacts('other', { job: 'other', tick: 1 }), { endedAt: 2 }),
        ]);
        const rule = { ...keepAll, before, keepLastFailure: false };
        const { rows } = await pruneJob(store, 'backup', rule, 7);
        assert.equal(rows, 50 + 2);
        const left = new Set((await allRows(store)).map(({ id }) => id));
        for (const id of ['young', 'open', 'new-span', 'new-lost', 'other', 'backup-50']) {
          assert.ok(left.has(id), id);
        }
        for (const id of ['old-span', 'old-lost', 'backup-0', 'backup-49']) {
          assert.ok(!left.has(id), id);
        }
        assert.equal(left.size, 50 + 5);
        assert.equal((await allOutput(store, 'backup-49')).length, 0);
        assert.equal((await allOutput(store, 'backup-50')).toString(), 'first second');
        assert.equal((await allOutput(store, 'young')).toString(), 'young');
        assert.equal((await allOutput(store, 'open')).toString(), 'open');
        assert.deepEqual(await pruneJob(store, 'backup', rule), { rows: 0, chunks: 0, steps: 1 });
      });
    });

    it('keeps the newest rows of the job by count, whatever they are, and open runs', async () => {
      await withStore(makeStore, async (store) => {
        await store.ingest(runsOf('backup', 30));
        await store.ingest([
          started(runFacts('open', { tick: baseTick - 5 })),
          notRun('span', { toTick: baseTick + 28_500, at: 1 }),
          // Of the same tick, so ids decide.
          ended(runFacts('backup-27-b', { tick: baseTick + 27_000 })),
          ...runsOf('other', 5),
        ]);
        const rule = { ...keepAll, maxRows: 4 };
        const { rows, chunks } = await pruneJob(store, 'backup', rule, 9);
        assert.deepEqual([rows, chunks], [28, 56]);
        const left = (await allRows(store)).filter(({ job }) => job === 'backup');
        assert.deepEqual(left.map(({ id }) => id).toSorted(), [
          'backup-27-b',
          'backup-28',
          'backup-29',
          'open',
          'span',
        ]);
        assert.equal((await allRows(store)).length, 5 + 5);
      });
    });

    it('keeps the newest failure when it is told to', async () => {
      await withStore(makeStore, async (store) => {
        const failing = ['failed', 'timed-out', 'lost'] as const;
        for (const [index, outcome] of failing.entries()) {
          const job = `job-${outcome}`;
          const fails = runFacts(`fails-${index}`, { job, tick: baseTick + 3_500 });
          await store.ingest([
            ...runsOf(job, 10),
            ended(runFacts(`earlier-${index}`, { job, tick: baseTick + 10 }), { outcome }),
            ended(fails, { outcome, endedAt: baseTick + 3_501 }),
            output(fails.runId, 0, 'why'),
            ended(runFacts(`killed-${index}`, { job, tick: baseTick + 9_500 }), {
              outcome: 'killed',
              endedAt: baseTick + 9_501,
            }),
          ]);
          const all = { ...keepAll, before: farFuture, maxRows: 1 };
          assert.equal((await pruneJob(store, job, all, 4)).rows, 12, outcome);
          const left = (await allRows(store)).filter((row) => row.job === job);
          assert.deepEqual(
            left.map(({ id }) => id),
            [`fails-${index}`],
          );
          assert.equal((await allOutput(store, `fails-${index}`)).toString(), 'why');
          await pruneJob(store, job, { ...all, keepLastFailure: false });
          assert.equal((await allOutput(store, `fails-${index}`)).length, 0);
        }
        assert.deepEqual(await allRows(store), []);
      });
    });

    it('is the same whoever does it and however often it is cut off', async () => {
      await withStore(makeStore, async (store, made) => {
        const others = [store, made.another(), made.another()];
        await store.ingest(mixture(600));
        const rows = await allRows(store);
        const rule = { before: baseTick + 150_000, maxRows: 40, keepLastFailure: true };
        const kept = new Set(keptOf(rows, rule));
        assert.ok(kept.size > 100 && kept.size < rows.length - 100, String(kept.size));
        const jobs = [...new Set(rows.map(({ job }) => job))];
        // One step of each, and then it stops for ever.
        for (const job of jobs) await store.prune({ job, rule, limit: 3 });
        await Promise.all(
          others.flatMap((each) => jobs.map((job) => pruneJob(each, job, rule, 20))),
        );
        const left = await allRows(store);
        assert.deepEqual(new Set(left.map(({ id }) => id)), kept);
        for (const row of rows) {
          const isKept = kept.has(row.id);
          const length = (await store.outputEnd(row.id)) > 0;
          assert.equal(length, isKept && row.kind === 'run', row.id);
        }
        for (const job of jobs) assert.equal((await pruneJob(store, job, rule)).rows, 0);
      });
    });

    it('takes a record of a run that is gone as any other, and lets it go again', async () => {
      await withStore(makeStore, async (store) => {
        const records = runsOf('backup', 3);
        await store.ingest(records);
        const rule = { ...keepAll, before: farFuture };
        await pruneJob(store, 'backup', rule);
        await store.ingest(records);
        assert.equal((await allRows(store)).length, 3);
        assert.deepEqual(await pruneJob(store, 'backup', rule), { rows: 3, chunks: 6, steps: 1 });
      });
    });

    it('lets go a run with a great deal of output, and a great many runs', async () => {
      await withStore(makeStore, async (store) => {
        const size = 256 * 1024;
        for (let n = 0; n < 64; n++) {
          await store.ingest([output('big', n * size, Buffer.alloc(size, n))]);
        }
        await store.ingest([ended(runFacts('big')), ended(runFacts('big-2', { tick: baseTick }))]);
        const { rows, chunks } = await pruneJob(store, 'backup', { ...keepAll, before: farFuture });
        assert.deepEqual([rows, chunks], [2, 64]);
        assert.equal(await store.outputEnd('big'), 0);
        // More than one step of any store does.
        await store.ingest(runsOf('many', 2_000));
        const many = await pruneJob(store, 'many', { ...keepAll, before: farFuture }, 1_000);
        assert.deepEqual([many.rows, many.chunks], [2_000, 4_000]);
        assert.deepEqual(await allRows(store), []);
      });
    });

    it('names the jobs that have rows, and says what the store takes', async () => {
      await withStore(makeStore, async (store) => {
        assert.equal(await store.nextJob(''), undefined);
        const empty = await store.storageUse();
        assert.deepEqual([empty.rows, empty.oldestTick], [0, undefined]);
        await store.ingest([
          ...runsOf('b', 3),
          ...runsOf('a', 1),
          ...runsOf('é', 1),
          notRun('n', { job: 'c', toTick: 77 }),
        ]);
        const names: string[] = [];
        for (let job = await store.nextJob(''); job !== undefined; job = await store.nextJob(job)) {
          names.push(job);
        }
        assert.deepEqual(names, ['a', 'b', 'c', 'é']);
        const use = await store.storageUse();
        assert.deepEqual([use.rows, use.oldestTick], [6, 77]);
        assert.ok(use.bytes > 1_000, String(use.bytes));
        assert.deepEqual(await store.check(), []);
      });
    });

    it('refuses rules that make no sense', async () => {
      await withStore(makeStore, async (store) => {
        const ask = { job: 'a', rule: keepAll, limit: 5 };
        for (const bad of [
          { ...ask, limit: 0 },
          { ...ask, limit: 1_001 },
          { ...ask, rule: { ...keepAll, maxRows: 0 } },
          { ...ask, rule: { ...keepAll, before: Number.NaN } },
        ]) {
          await assertRejects(() => store.prune(bad), 'request-invalid');
        }
      });
    });
  });
}

/** Runs that succeeded, one a second, with two pieces of output each. */
export function runsOf(job: string, count: number): HistoryRecord[] {
  return Array.from({ length: count }, (_, n) => {
    const run = runFacts(`${job}-${n}`, { job, tick: baseTick + n * 1_000 });
    return [
      output(run.runId, 0, 'first '),
      output(run.runId, 6, 'second'),
      ended(run, { endedAt: run.tick + 30 }),
    ];
  }).flat();
}

/** What a rule keeps, reckoned the slow way. */
function keptOf(rows: Awaited<ReturnType<typeof allRows>>, rule: KeepRule): string[] {
  const failures = new Set(['failed', 'timed-out', 'lost']);
  return [...new Set(rows.map(({ job }) => job))].flatMap((job) => {
    const newestFirst = rows.filter((row) => row.job === job).toReversed();
    const failure = newestFirst.find(({ outcome = '' }) => failures.has(outcome));
    return newestFirst
      .filter((row, index) => {
        const isOld = row.tick < rule.before && (row.endedAt ?? row.tick) < rule.before;
        return row === failure || row.outcome === undefined || !(isOld || index >= rule.maxRows);
      })
      .map(({ id }) => id);
  });
}
