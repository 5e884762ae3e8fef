/** How records become rows: every kind, every order, every repetition. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HistoryRecord, HistoryRow, RunFacts } from '../../shared/history/records.ts';
import { withStore, type MakeStore } from './history-store-under-test.ts';
import {
  baseTick,
  contentOf,
  ended,
  lost,
  lostInRestore,
  mixture,
  notRun,
  runEnd,
  runFacts,
  seededRandom,
  shuffled,
  started,
} from './history-samples.ts';

export function describeMerging(makeStore: MakeStore): void {
  const run = runFacts('r1', { by: 'ann', cause: 'manual', fireId: 'trigger-7' });
  const { runId: id, ...facts } = run;
  const open: HistoryRow = { id, kind: 'run', ...facts, startedAt: baseTick + 20 };
  const own = { outcome: 'failed', exitCode: 3, reason: 'it said no' } as const;

  /** Ingests each order into a store of its own rows; the end must be `expected` every time. */
  const everyOrder = (records: readonly HistoryRecord[], expected: HistoryRow) => async () => {
    await withStore(makeStore, async (store) => {
      for (const [index, order] of permutations(records).entries()) {
        const runId = `r${index}`;
        for (const record of order) {
          const renamed = 'run' in record ? { ...record, run: { ...record.run, runId } } : record;
          await store.ingest([renamed]);
          await store.ingest([renamed]);
        }
        assert.deepEqual(await store.getRun(runId), { ...expected, id: runId });
      }
    });
  };

  describe('merging', () => {
    it('shows a started run without an outcome', everyOrder([started(run)], open));

    it(
      'shows an ended run',
      everyOrder([started(run), ended(run, own)], {
        ...open,
        ...runEnd(own),
      }),
    );

    it(
      'shows an ended run of which no start came',
      everyOrder([ended(run, { signal: 'SIGTERM' })], {
        ...open,
        ...runEnd({ signal: 'SIGTERM' }),
      }),
    );

    it(
      'shows a run that was settled as lost',
      everyOrder([started(run), lost(run)], {
        ...open,
        outcome: 'lost',
        reason: 'its worker vanished',
        endedAt: baseTick + 9000,
        outputCut: true,
      }),
    );

    it(
      'keeps the own end of a lost run as late result, whichever came first',
      everyOrder([started(run), ended(run, own), lost(run)], {
        ...open,
        outcome: 'lost',
        reason: 'its worker vanished',
        endedAt: baseTick + 9000,
        lateResult: runEnd(own),
      }),
    );

    it(
      'takes the worker\'s own "lost" for lost',
      everyOrder([started(run), ended(run, { outcome: 'lost', reason: 'session went away' })], {
        ...open,
        ...runEnd({ outcome: 'lost', reason: 'session went away' }),
      }),
    );

    it(
      'keeps an end beside the worker\'s own "lost" as late result',
      everyOrder([ended(run, own), ended(run, { outcome: 'lost', reason: 'gave up' })], {
        ...open,
        ...runEnd({ outcome: 'lost', reason: 'gave up' }),
        lateResult: runEnd(own),
      }),
    );

    it(
      'loses neither verdict when worker and survivor both said "lost"',
      everyOrder([ended(run, { outcome: 'lost', reason: 'gave up' }), lost(run)], {
        ...open,
        outcome: 'lost',
        reason: 'its worker vanished',
        endedAt: baseTick + 9000,
        lateResult: runEnd({ outcome: 'lost', reason: 'gave up' }),
      }),
    );

    it(
      'takes a run that a restored etcd shows as open for lost, while nothing else is known',
      everyOrder([started(run), lostInRestore(run)], {
        ...open,
        outcome: 'lost',
        reason: 'etcd was restored from a backup',
        endedAt: baseTick + 8000,
        restored: true,
        outputCut: true,
      }),
    );

    it(
      'lets no restored etcd override an end that is stored, or comes later',
      everyOrder([started(run), ended(run, own), lostInRestore(run)], { ...open, ...runEnd(own) }),
    );

    it(
      'lets no restored etcd override another verdict, or take away its late result',
      everyOrder([ended(run, own), lost(run), lostInRestore(run)], {
        ...open,
        outcome: 'lost',
        reason: 'its worker vanished',
        endedAt: baseTick + 9000,
        lateResult: runEnd(own),
      }),
    );

    it('finds runs by the outcome that stands after a restore of etcd', async () => {
      await withStore(makeStore, async (store) => {
        const [ends, endsLater, never] = ['ends', 'ends-later', 'never'].map((name) =>
          runFacts(name),
        ) as [RunFacts, RunFacts, RunFacts];
        await store.ingest([ended(ends, own), lostInRestore(ends)]);
        await store.ingest([lostInRestore(endsLater), lostInRestore(never)]);
        await store.ingest([ended(endsLater, own)]);
        const idsOf = async (outcome: 'lost' | 'failed' | 'running') =>
          (await store.listRuns({ limit: 10, outcomes: [outcome] })).items.map((row) => row.id);
        assert.deepEqual((await idsOf('failed')).toSorted(), ['ends', 'ends-later']);
        assert.deepEqual(await idsOf('lost'), ['never']);
        assert.deepEqual(await idsOf('running'), []);
      });
    });

    it(
      "prefers what the run's own worker knew over what its settler knew",
      everyOrder(
        [started(run), lost(runFacts('r1', { ...facts, command: '', group: 'unknown' }))],
        {
          ...open,
          outcome: 'lost',
          reason: 'its worker vanished',
          endedAt: baseTick + 9000,
          outputCut: true,
        },
      ),
    );

    it('shows fires that did not run as one row, the first of an id', async () => {
      await withStore(makeStore, async (store) => {
        await store.ingest([notRun('m1'), notRun('m1', { reason: 'another reason' })]);
        await store.ingest([notRun('m1', { reason: 'a third reason' })]);
        assert.deepEqual(await store.getRun('m1'), {
          id: 'm1',
          kind: 'not-run',
          job: 'backup',
          group: 'default',
          cause: 'tick',
          tick: baseTick,
          outcome: 'missed',
          reason: 'no worker was there',
          worker: 'w2',
          endedAt: baseTick + 3000,
          fromTick: baseTick - 10_000,
          count: 10,
        });
        const { count: _, ...uncounted } = { ...notRun('m2', { outcome: 'skipped' }), count: 0 };
        await store.ingest([uncounted]);
        const row = await store.getRun('m2');
        assert.equal(row?.outcome, 'skipped');
        assert.equal(row?.count, undefined);
        await store.ingest([notRun('m3', { excepted: [baseTick], excluded: 4 })]);
        const parts = await store.getRun('m3');
        assert.deepEqual([parts?.excepted, parts?.excluded], [[baseTick], 4]);
      });
    });

    it('ends the same whatever the order, the repetition and the cutting', async () => {
      const records = mixture(120);
      const runIds = ['run-0', 'run-3', 'run-9', 'run-100'];
      const contents: unknown[] = [];
      for (const seed of [0, 1, 2, 3]) {
        await withStore(makeStore, async (store) => {
          const random = seededRandom(seed);
          const order = seed === 0 ? records : shuffled(records, random);
          for (let first = 0; first < order.length;) {
            const length = seed === 1 ? order.length : 1 + Math.floor(random() * 60);
            const batch = order.slice(first, first + length);
            await store.ingest(batch);
            if (seed > 0) await store.ingest(shuffled(batch, random));
            first += length;
          }
          contents.push(await contentOf(store, runIds));
        });
      }
      for (const content of contents) assert.deepEqual(content, contents[0]);
    });

    it('ends the same when several writers send the same at once', async () => {
      const records = mixture(60);
      await withStore(makeStore, async (store, made) => {
        const writers = [store, made.another(), made.another()];
        await Promise.all(
          writers.map((writer, index) => writer.ingest(shuffled(records, seededRandom(index)))),
        );
        const together = await contentOf(store, ['run-0', 'run-9']);
        await withStore(makeStore, async (alone) => {
          await alone.ingest(records);
          assert.deepEqual(together, await contentOf(alone, ['run-0', 'run-9']));
        });
      });
    });
  });
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
  );
}
