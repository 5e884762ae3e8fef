/**
 * What every history store must do, whatever it is made of: the suite that runs against each real
 * one.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isCronmeshError } from '../../shared/errors.ts';
import { describeBetween } from './history-contract-between.ts';
import { describeMerging } from './history-contract-merging.ts';
import { describeOutput } from './history-contract-output.ts';
import { describeQueries } from './history-contract-queries.ts';
import { describeRetention } from './history-contract-retention.ts';
import { describeStats } from './history-contract-stats.ts';
import { assertRejects, withStore, type MakeStore } from './history-store-under-test.ts';
import { mixture, output, runFacts, started } from './history-samples.ts';

export function describeHistoryStore(name: string, makeStore: MakeStore): void {
  describe(`${name}: history store`, () => {
    describeMerging(makeStore);
    describeQueries(makeStore);
    describeOutput(makeStore);
    describeStats(makeStore);
    describeRetention(makeStore);
    describeBetween(makeStore);

    it('starts and stops any number of times, and refuses calls once stopped', async () => {
      await withStore(makeStore, async (store) => {
        await Promise.all([store.start(), store.start()]);
        await store.ping();
        await store.ingest([started(runFacts('r1'))]);
        await Promise.all([store.stop(), store.stop()]);
        await store.stop();
        await assertRejects(() => store.ping(), 'store-unavailable', /stopped/);
        await assertRejects(() => store.ingest(mixture(3)), 'store-unavailable', /stopped/);
        await assertRejects(() => store.listRuns({ limit: 1 }), 'store-unavailable', /stopped/);
      });
    });

    it('keeps what was ingested when it is opened again', async () => {
      await withStore(makeStore, async (store, made) => {
        await store.ingest([started(runFacts('r1')), output('r1', 0, 'kept')]);
        await store.stop();
        const again = made.another();
        await again.start();
        assert.equal((await again.getRun('r1'))?.job, 'backup');
        assert.equal((await again.readOutput('r1', 0, 100))[0]?.data.toString(), 'kept');
      });
    });

    it('lets calls under way finish when it is stopped', async () => {
      await withStore(makeStore, async (store, made) => {
        const ingesting = store.ingest(mixture(100));
        await store.ping();
        await store.stop();
        await ingesting.catch((error: unknown) => {
          assert.ok(isCronmeshError(error, 'store-unavailable'), String(error));
        });
        await made.another().ping();
      });
    });

    it('names a bad record by its place and field', async () => {
      await withStore(makeStore, async (store) => {
        const good = started(runFacts('good'));
        const bad = [
          started(runFacts('r1', { tick: Number.NaN })),
          started(runFacts('r2', { fence: 2 ** 60 })),
          started(runFacts('a\0b')),
          output('r3', -1, 'x'),
          { kind: 'what' } as never,
          { ...started(runFacts('r4')), run: { $where: 'sleep(1000)' } } as never,
        ];
        for (const record of bad) {
          await assertRejects(() => store.ingest([good, record]), 'store-rejected', /\/1/);
        }
        await store.ingest([good]);
        assert.deepEqual(
          (await store.listRuns({ limit: 10 })).items.map(({ id }) => id),
          ['good'],
        );
      });
    });

    it('takes an empty list, and 10,000 records in a reasonable time', async () => {
      await withStore(makeStore, async (store) => {
        await store.ingest([]);
        const records = mixture(3000).slice(0, 10_000);
        const begun = performance.now();
        await store.ingest(records);
        const seconds = (performance.now() - begun) / 1000;
        assert.ok(seconds < 20, `${records.length} records took ${seconds} s`);
      });
    });
  });
}
