/** What the console asks of history: pages, filters, the last runs of many jobs. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HistoryStore, RunsQuery } from '../../shared/history/port.ts';
import type { HistoryRecord } from '../../shared/history/records.ts';
import { assertRejects, withStore, type MakeStore } from './history-store-under-test.ts';
import { allRows, baseTick, ended, lost, notRun, runFacts, started } from './history-samples.ts';

const second = 1000;

async function idsOf(store: HistoryStore, query: Partial<RunsQuery>): Promise<string[]> {
  return (await store.listRuns({ limit: 1000, ...query })).items.map(({ id }) => id);
}

export function describeQueries(makeStore: MakeStore): void {
  describe('queries', () => {
    it('pages through rows while others are added, none twice and none left out', async () => {
      await withStore(makeStore, async (store) => {
        // Five rows a tick, so that pages of seven end within ticks.
        const rows = Array.from({ length: 100 }, (_, n) =>
          started(runFacts(`r${n}`, { tick: baseTick + Math.floor(n / 5) * second })),
        );
        await store.ingest(rows);
        const expected = (await allRows(store)).map(({ id }) => id);
        for (const order of ['asc', 'desc'] as const) {
          const seen: string[] = [];
          let cursor: string | undefined;
          let page = 0;
          do {
            const found = await store.listRuns({
              limit: 7,
              order,
              ...(cursor === undefined ? {} : { cursor }),
            });
            assert.ok(found.items.length > 0, 'an empty page was announced');
            seen.push(...found.items.map(({ id }) => id));
            cursor = found.nextCursor;
            page += 1;
            await store.ingest([
              started(runFacts(`${order}-old-${page}`, { tick: baseTick - page * second })),
              started(runFacts(`${order}-new-${page}`, { tick: baseTick + 100 * second + page })),
            ]);
          } while (cursor !== undefined && page < 60);
          const original = seen.filter((id) => /^r\d/.test(id));
          assert.deepEqual(original, order === 'asc' ? expected : expected.toReversed());
          assert.equal(new Set(seen).size, seen.length);
        }
      });
    });

    it('announces no next page after the last row', async () => {
      await withStore(makeStore, async (store) => {
        await store.ingest([started(runFacts('a')), started(runFacts('b'))]);
        assert.equal((await store.listRuns({ limit: 2 })).nextCursor, undefined);
        assert.notEqual((await store.listRuns({ limit: 1 })).nextCursor, undefined);
        assert.deepEqual(await store.listRuns({ limit: 5, jobs: ['nobody'] }), { items: [] });
      });
    });

    it('filters by every facet, and by several together', async () => {
      await withStore(makeStore, async (store) => {
        await store.ingest(facetRows());
        assert.deepEqual(await idsOf(store, {}), ['e', 'd', 'c', 'b', 'a']);
        assert.deepEqual(await idsOf(store, { order: 'asc' }), ['a', 'b', 'c', 'd', 'e']);
        assert.deepEqual(await idsOf(store, { jobs: ['x'] }), ['c', 'a']);
        assert.deepEqual(await idsOf(store, { jobs: ['x', 'y', 'x', 'none'] }), [
          'd',
          'c',
          'b',
          'a',
        ]);
        assert.deepEqual(await idsOf(store, { groups: ['night', 'day'] }), [
          'e',
          'd',
          'c',
          'b',
          'a',
        ]);
        assert.deepEqual(await idsOf(store, { groups: ['night'] }), ['e', 'b']);
        assert.deepEqual(await idsOf(store, { workers: ['w2'] }), ['e', 'd', 'b']);
        assert.deepEqual(await idsOf(store, { outcomes: ['running'] }), ['a']);
        assert.deepEqual(await idsOf(store, { outcomes: ['running', 'missed'] }), ['e', 'a']);
        assert.deepEqual(await idsOf(store, { outcomes: ['lost'] }), ['d']);
        assert.deepEqual(await idsOf(store, { outcomes: ['failed'], workers: ['w2'] }), ['b']);
        const all = { jobs: ['y'], groups: ['night'], workers: ['w2'] } as const;
        assert.deepEqual(await idsOf(store, { ...all, outcomes: ['failed'] }), ['b']);
        assert.deepEqual(await idsOf(store, { ...all, outcomes: ['killed'] }), []);
        assert.deepEqual(await idsOf(store, { jobs: [] }), []);
        assert.deepEqual(await idsOf(store, { jobs: ['x'], groups: [] }), []);
      });
    });

    it('takes the window from inclusive to exclusive, with pages inside it', async () => {
      await withStore(makeStore, async (store) => {
        await store.ingest(facetRows());
        const window = { from: baseTick + second, to: baseTick + 4 * second };
        for (const facet of [{}, { workers: ['w1', 'w2'] }]) {
          assert.deepEqual(await idsOf(store, { ...window, ...facet }), ['d', 'c', 'b']);
          const first = await store.listRuns({ ...window, ...facet, limit: 2 });
          assert.deepEqual(
            first.items.map(({ id }) => id),
            ['d', 'c'],
          );
          const cursor = first.nextCursor ?? '';
          assert.deepEqual(await idsOf(store, { ...window, ...facet, cursor }), ['b']);
          const elsewhere = { from: baseTick, to: baseTick + second, cursor, ...facet };
          assert.deepEqual(await idsOf(store, elsewhere), ['a']);
          assert.deepEqual(await idsOf(store, { ...elsewhere, order: 'asc' }), []);
        }
      });
    });

    it('follows a run from facet to facet as it ends', async () => {
      await withStore(makeStore, async (store) => {
        const run = runFacts('r1');
        await store.ingest([started(run)]);
        assert.deepEqual(await idsOf(store, { outcomes: ['running'] }), ['r1']);
        await store.ingest([ended(run)]);
        assert.deepEqual(await idsOf(store, { outcomes: ['running'] }), []);
        assert.deepEqual(await idsOf(store, { outcomes: ['succeeded'] }), ['r1']);
        await store.ingest([lost(run)]);
        assert.deepEqual(await idsOf(store, { outcomes: ['succeeded'] }), []);
        assert.deepEqual(await idsOf(store, { outcomes: ['lost'] }), ['r1']);
      });
    });

    it('gives the last rows of 100 jobs in one call, newest first', async () => {
      await withStore(makeStore, async (store) => {
        const jobs = Array.from({ length: 100 }, (_, n) => `job-${n}`);
        const records = jobs.flatMap((job, n) =>
          Array.from({ length: n % 8 }, (_, k) =>
            started(runFacts(`${job}-${k}`, { job, tick: baseTick + k * second })),
          ),
        );
        await store.ingest([...records, notRun('span', { job: 'job-7', toTick: baseTick + 99 })]);
        const last = await store.lastRuns([...jobs, 'nobody', 'job-1'], 3);
        assert.equal(last.size, 101);
        assert.deepEqual(last.get('nobody'), []);
        assert.deepEqual(last.get('job-8'), []);
        for (const [n, job] of jobs.entries()) {
          const runs = Array.from({ length: n % 8 }, (_, k) => `${job}-${k}`).toReversed();
          assert.deepEqual(
            last.get(job)?.map(({ id }) => id),
            runs.slice(0, 3),
          );
        }
        assert.equal((await store.lastRuns(['job-7'], 7)).get('job-7')?.at(-1)?.id, 'span');
        assert.equal((await store.lastRuns([], 5)).size, 0);
      });
    });

    it('knows no run that is not there', async () => {
      await withStore(makeStore, async (store) => {
        assert.equal(await store.getRun('nobody'), undefined);
        assert.deepEqual(await store.readOutput('nobody', 0, 100), []);
      });
    });

    it('refuses what is not a query, and never reads it as an operator', async () => {
      await withStore(makeStore, async (store) => {
        await store.ingest([started(runFacts('r1'))]);
        const bad: unknown[] = [
          { limit: 0 },
          { limit: 1001 },
          { limit: 10, jobs: [{ $gt: '' }] },
          { limit: 10, jobs: { $gt: '' } },
          { limit: 10, outcomes: ['sleeping'] },
          { limit: 10, from: 'yesterday' },
          { limit: 10, cursor: 'made up' },
          { limit: 10, cursor: Buffer.from('[{"$gt":""},"a"]').toString('base64url') },
        ];
        for (const query of bad) {
          await assertRejects(() => store.listRuns(query as RunsQuery), 'request-invalid');
        }
        await assertRejects(() => store.getRun({ $gt: '' } as never), 'request-invalid');
        await assertRejects(() => store.getRun('r1\0'), 'request-invalid');
        await assertRejects(() => store.lastRuns([{ $gt: '' } as never], 5), 'request-invalid');
        await assertRejects(() => store.readOutput('r1', -1, 5), 'request-invalid');
        for (const text of ['{"$gt":""}', '$job', 'r1\0', "' OR 1=1 --", '%', '\ud800']) {
          assert.deepEqual(await idsOf(store, { jobs: [text], workers: [text] }), []);
        }
      });
    });

    it('keeps template-like, operator-like and odd text as it is, in every place', async () => {
      await withStore(makeStore, async (store) => {
        const texts = [
          '$job',
          '$$ROOT',
          '$facts.value.command',
          'a.b.c',
          '{"$gt":""}',
          '{{job}} ${tick} %s %d $(id)',
          "'; DROP TABLE rows; --",
          '<script>alert(1)</script> \u001b[31mred\u001b[0m\r\n',
          '定时任务 \u{1f552} é e\u0301',
          '',
        ];
        for (const [n, text] of texts.entries()) {
          const name = text === '' ? 'name' : text;
          const tick = baseTick + n * second;
          const run = runFacts(`${name}-${n}`, {
            job: name,
            group: text,
            worker: text,
            command: text,
            by: text,
            fireId: text,
            tick,
          });
          const reason = `${text}\0${text}`;
          await store.ingest([started(run)]);
          await store.ingest([ended(run, { reason, signal: text }), lost(run, reason)]);
          const row = await store.getRun(run.runId);
          const { runId: _, ...facts } = run;
          assert.deepEqual(row, {
            id: run.runId,
            kind: 'run',
            ...facts,
            startedAt: tick + 20,
            outcome: 'lost',
            reason,
            endedAt: tick + 9000,
            lateResult: row?.lateResult,
          });
          assert.equal(row.lateResult?.reason, reason);
          assert.equal(row.lateResult.signal, text);
          assert.deepEqual(await idsOf(store, { jobs: [name], groups: [text] }), [run.runId]);
          assert.equal((await store.lastRuns([name], 1)).get(name)?.[0]?.id, run.runId);
          const span = notRun(`span-${n}`, {
            reason: text,
            schedule: text,
            group: text,
            worker: text,
          });
          await store.ingest([span]);
          assert.equal((await store.getRun(`span-${n}`))?.reason, text);
        }
      });
    });
  });
}

/** a running, b failed, c succeeded, d lost, e missed; one second apart. */
function facetRows(): HistoryRecord[] {
  const tickOf = (n: number): number => baseTick + n * second;
  const a = runFacts('a', { job: 'x', group: 'day', worker: 'w1', tick: tickOf(0) });
  const b = runFacts('b', { job: 'y', group: 'night', worker: 'w2', tick: tickOf(1) });
  const c = runFacts('c', { job: 'x', group: 'day', worker: 'w1', tick: tickOf(2) });
  const d = runFacts('d', { job: 'y', group: 'day', worker: 'w2', tick: tickOf(3) });
  const e = notRun('e', { job: 'z', group: 'night', worker: 'w2', toTick: tickOf(4) });
  return [started(a), ended(b, { outcome: 'failed' }), ended(c), ended(d), lost(d), e];
}
