/** Numbers that history tells of jobs, and texts in a run's output: held against the rows themselves. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isCronmeshError } from '../../shared/errors.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import type { HistoryRecord, HistoryRow } from '../../shared/history/records.ts';
import { searchOutput } from '../../shared/history/search-output.ts';
import { withStore, type MakeStore } from './history-store-under-test.ts';
import {
  allRows,
  baseTick,
  ended,
  lost,
  mixture,
  output,
  runFacts,
  started,
} from './history-samples.ts';

const dayMs = 86_400_000;

export function describeStats(makeStore: MakeStore): void {
  describe('numbers', () => {
    it('counts rows by job and by day, of some jobs or all', async () => {
      await withStore(makeStore, async (store) => {
        assert.deepEqual(await store.countByJob({ from: 0, to: dayMs }), []);
        assert.deepEqual(await store.countByDay({ from: 0, to: dayMs }), []);
        await store.ingest([...mixture(200), ...spreadRuns()]);
        const rows = await allRows(store);
        const [from, to] = [baseTick - 3 * dayMs, baseTick + 30 * dayMs];
        for (const jobs of [undefined, ['job-1', 'spread', 'nobody'], []]) {
          for (const window of [
            { from, to },
            { from: baseTick + 5_000, to: baseTick + 2 * dayMs },
          ]) {
            const asked = { ...window, ...(jobs === undefined ? {} : { jobs }) };
            const within = rows.filter(
              ({ tick, job }) =>
                tick >= window.from && tick < window.to && (jobs?.includes(job) ?? true),
            );
            const byJob = (await store.countByJob(asked)).map(({ job, counts }) => [job, counts]);
            assert.deepEqual(
              byJob,
              counted(within, ({ job }) => job),
            );
            for (const offsetMinutes of [0, 345, -720]) {
              const byDay = (await store.countByDay({ ...asked, offsetMinutes })).map(
                ({ day, counts }) => [day, counts],
              );
              const dayOf = ({ tick }: HistoryRow): string =>
                new Date(tick + offsetMinutes * 60_000).toISOString().slice(0, 10);
              assert.deepEqual(byDay, counted(within, dayOf));
            }
          }
        }
      });
    });

    it('tells how long the newest runs of each job took', async () => {
      await withStore(makeStore, async (store) => {
        // 100 runs of 1 ms to 100 ms, each longer than the one before; and what has no duration.
        const runs = Array.from({ length: 100 }, (_, n): HistoryRecord[] => {
          const run = runFacts(`r${n}`, { tick: baseTick + n * 1_000 });
          return [ended(run, { startedAt: run.tick, endedAt: run.tick + n + 1 })];
        });
        const others = [
          started(runFacts('open', { tick: baseTick + 1e6 })),
          lost(runFacts('gone', { tick: baseTick + 1e6 })),
          ended(runFacts('once', { job: 'once' }), { startedAt: baseTick, endedAt: baseTick + 7 }),
        ];
        await store.ingest([...runs.flat(), ...others]);
        const jobs = ['once', 'backup', 'nobody'];
        assert.deepEqual(await store.durations({ jobs, runs: 1_000 }), [
          { job: 'once', runs: 1, p50Ms: 7, p95Ms: 7 },
          { job: 'backup', runs: 100, p50Ms: 50, p95Ms: 95, trend: 75 / 25 },
          { job: 'nobody', runs: 0 },
        ]);
        assert.deepEqual(await store.durations({ jobs: ['backup'], runs: 20 }), [
          { job: 'backup', runs: 20, p50Ms: 90, p95Ms: 99, trend: 95 / 85 },
        ]);
        const to = baseTick + 10_000;
        assert.deepEqual(await store.durations({ jobs: ['backup'], runs: 20, to }), [
          { job: 'backup', runs: 10, p50Ms: 5, p95Ms: 10, trend: 8 / 3 },
        ]);
      });
    });

    it('refuses questions beyond its limits, and says which field', async () => {
      await withStore(makeStore, async (store) => {
        const window = { from: 0, to: dayMs };
        const many = Array.from({ length: 1_001 }, String);
        const refused: readonly [string, () => Promise<unknown>][] = [
          ['/to', () => store.countByJob({ from: 5, to: 5 })],
          ['/to', () => store.countByDay({ from: 0, to: 401 * dayMs })],
          ['/from', () => store.countByJob({ ...window, from: -1 })],
          ['/from', () => store.countByDay({ ...window, from: 0.5 })],
          ['/jobs', () => store.countByJob({ ...window, jobs: many })],
          ['/offsetMinutes', () => store.countByDay({ ...window, offsetMinutes: 841 })],
          ['/jobs', () => store.durations({ jobs: [], runs: 5 })],
          ['/jobs', () => store.durations({ jobs: many.slice(0, 51), runs: 5 })],
          ['/runs', () => store.durations({ jobs: ['a'], runs: 1_001 })],
          ['/runs', () => store.durations({ jobs: ['a'], runs: 0 })],
          ['/text', () => searchOutput(store, { runId: 'r', text: '', limit: 1 })],
          ['/text', () => searchOutput(store, { runId: 'r', text: 'é'.repeat(513), limit: 1 })],
          ['/limit', () => searchOutput(store, { runId: 'r', text: 'x', limit: 1_001 })],
          ['/fromOffset', () => searchOutput(store, { ...search('x'), fromOffset: -1 })],
        ];
        for (const [field, ask] of refused) {
          await assert.rejects(ask, (error: unknown) => {
            assert.ok(isCronmeshError(error, 'request-invalid'), String(error));
            const problem = error.problems.find((each) => each.field === field);
            assert.ok(problem, `${field}: ${JSON.stringify(error.problems)}`);
            assert.ok(problem.expected !== '' && problem.got !== '', JSON.stringify(problem));
            return true;
          });
        }
      });
    });

    it('finds a text in the output of one run, also across chunks, and never across a gap', async () => {
      await withStore(makeStore, async (store) => {
        const chunks = ['needle, nee', 'dle, ne', 'e', 'dle and need'];
        let offset = 0;
        const records = chunks.map((chunk, index) => {
          const record = output('r', offset, chunk, { stream: index % 2 ? 'stderr' : 'stdout' });
          offset += chunk.length;
          return record;
        });
        await store.ingest([
          ...records,
          output('r', offset + 5, 'le behind a gap; né'),
          output('other', 0, 'needle'),
        ]);
        await check(store, search('needle'), [0, 8, 16]);
        await check(store, search('e'), [1, 2, 5, 9, 10, 13, 17, 18, 21, 28, 29, 37, 40]);
        await check(store, search('né'), [53]);
        await check(store, search('Needle'), []);
        await check(store, { ...search('needle'), fromOffset: 1 }, [8, 16]);
        await check(store, { ...search('needle'), runId: 'none' }, []);
        assert.deepEqual(await searchOutput(store, { ...search('needle'), limit: 2 }), {
          offsets: [0, 8],
          nextOffset: 14,
        });
        // Matches do not overlap.
        await store.ingest([output('a', 0, 'aaaa'), output('a', 4, 'aaa')]);
        await check(store, { ...search('aa'), runId: 'a' }, [0, 2, 4]);
      });
    });

    it('goes on where a search of long output stopped', async () => {
      await withStore(makeStore, async (store) => {
        const size = 1024 * 1024;
        const chunk = Buffer.alloc(size, '.');
        // Two across the ends of chunks, one of them where a call stops.
        const at = [3 * size - 2, 16 * size - 3, 17 * size + 5];
        const whole = Buffer.concat(Array.from({ length: 18 }, () => chunk));
        for (const place of at) whole.write('needle', place);
        for (let n = 0; n < 18; n++) {
          await store.ingest([output('long', n * size, whole.subarray(n * size, (n + 1) * size))]);
        }
        const first = await searchOutput(store, { ...search('needle'), runId: 'long' });
        assert.ok(first.nextOffset !== undefined);
        const fromOffset = first.nextOffset;
        const second = await searchOutput(store, {
          ...search('needle'),
          runId: 'long',
          fromOffset,
        });
        assert.deepEqual([...first.offsets, ...second.offsets], at);
        assert.equal(second.nextOffset, undefined);
      });
    });
  });
}

function search(text: string): { runId: string; text: string; limit: number } {
  return { runId: 'r', text, limit: 100 };
}

async function check(
  store: HistoryStore,
  asked: Parameters<typeof searchOutput>[1],
  offsets: readonly number[],
): Promise<void> {
  assert.deepEqual(await searchOutput(store, asked), { offsets });
}

/** Runs of one job over twenty days. */
function spreadRuns(): HistoryRecord[] {
  return Array.from({ length: 60 }, (_, n) => {
    const tick = baseTick + Math.floor((n * dayMs) / 3);
    return ended(runFacts(`spread-${n}`, { job: 'spread', tick }), {
      outcome: n % 4 === 0 ? 'failed' : 'succeeded',
    });
  });
}

function counted(
  rows: readonly HistoryRow[],
  keyOf: (row: HistoryRow) => string,
): [string, Record<string, number>][] {
  const counts = new Map<string, Record<string, number>>();
  for (const row of rows) {
    const of = counts.get(keyOf(row)) ?? {};
    const state = row.outcome ?? 'running';
    of[state] = (of[state] ?? 0) + 1;
    counts.set(keyOf(row), of);
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
}
