/** What ran between two instants, page by page, held against every row. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HistoryStore } from '../../shared/history/port.ts';
import { ranBetween, type BetweenQuery } from '../../shared/history/ran-between.ts';
import { assertRejects, withStore, type MakeStore } from './history-store-under-test.ts';
import { allRows, baseTick, ended, mixture, notRun, runFacts, started } from './history-samples.ts';

async function pages(store: HistoryStore, query: BetweenQuery): Promise<string[]> {
  const ids: string[] = [];
  for (let next = {}; ;) {
    const page = await ranBetween(store, { ...query, ...next });
    ids.push(...page.items.map(({ id }) => id));
    if (page.nextCursor === undefined) return ids;
    next = { cursor: page.nextCursor };
  }
}

export function describeBetween(makeStore: MakeStore): void {
  describe('what ran between two instants', () => {
    it('is every run that touches them, each once, and nothing else', async () => {
      await withStore(makeStore, async (store) => {
        const day = 86_400_000;
        const at = (id: string, tick: number, startedAt: number, endedAt: number) =>
          ended(runFacts(id, { tick }), { startedAt, endedAt });
        await store.ingest([
          ...mixture(400),
          at('long', baseTick - 5_000, baseTick - 4_000, baseTick + 1e6),
          at('catch-up', baseTick - day / 2, baseTick + 60_500, baseTick + 60_600),
          at('too-old', baseTick - 3 * day, baseTick + 60_500, baseTick + 60_600),
          at('just-before', baseTick, baseTick + 1, baseTick + 59_999),
          at('just-at', baseTick, baseTick + 1, baseTick + 60_000),
          at('just-after', baseTick, baseTick + 90_000, baseTick + 90_001),
          started(runFacts('old-open', { tick: baseTick - 3 * day }), baseTick - 3 * day),
          started(runFacts('later-open', { tick: baseTick + 1e7 }), baseTick + 1e7),
          notRun('span', { toTick: baseTick + 70_000, at: baseTick + 70_000 }),
        ]);
        const window = { from: baseTick + 60_000, to: baseTick + 90_000 };
        const expected = (await allRows(store))
          .filter(({ id }) => id !== 'too-old')
          .filter(
            ({ kind, startedAt, endedAt }) =>
              kind === 'run' &&
              startedAt !== undefined &&
              startedAt < window.to &&
              (endedAt === undefined || endedAt >= window.from),
          )
          .map(({ id }) => id)
          .toSorted();
        for (const id of ['long', 'catch-up', 'just-at', 'old-open']) {
          assert.ok(expected.includes(id), id);
        }
        for (const limit of [1, 7, 500]) {
          const found = await pages(store, { ...window, limit });
          assert.deepEqual(found.toSorted(), expected, String(limit));
        }
        const ofJob = await pages(store, { ...window, jobs: ['backup'], limit: 2 });
        assert.deepEqual(ofJob.toSorted(), ['catch-up', 'just-at', 'long', 'old-open']);
        const further = { ...window, jobs: ['backup'], limit: 9, lookbackMs: 4 * day };
        assert.ok((await pages(store, further)).includes('too-old'));
      });
    });

    it('refuses what it cannot answer', async () => {
      await withStore(makeStore, async (store) => {
        for (const bad of [
          { from: 5, to: 5, limit: 1 },
          { from: 0, to: 1e12, limit: 1 },
          { from: 0, to: 5, limit: 501 },
          { from: 0, to: 5, limit: 5, cursor: 'x' },
        ]) {
          await assertRejects(() => ranBetween(store, bad), 'request-invalid');
        }
      });
    });
  });
}
