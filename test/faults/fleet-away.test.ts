/**
 * The whole fleet was away for an hour, or a year: 200 jobs, every one far behind. Nothing storms:
 * the misfire policy decides what is caught up on, that is spread and paced, and every tick of the
 * time has its account. The absence is made by putting the cursors back by hand while no worker runs.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { JobInput } from '../../shared/job/definition.ts';
import { parseCursor } from '../../shared/protocol/cursor.ts';
import { compare, quiet, type Audit } from '../support/audit.ts';
import { reportFault } from '../support/fault-report.ts';
import { sized } from '../support/fault-size.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, readOracle, type OracleLine } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

const workers = ['w1', 'w2', 'w3'];
const hourMs = 3_600_000;
const yearMs = 365 * 24 * hourMs;
const allLimit = 3;
/** Well above what pacing makes of 200 jobs, well below all of them at once. */
const mostCatchUpsASecond = 40;

interface Periodic {
  readonly name: string;
  readonly misfire: 'skip' | 'latest' | 'all';
  readonly cronExpr: string;
  readonly everyMs: number;
}

/** A third of each policy; most by the hour, some by the minute, a few by the second. */
const jobs: readonly Periodic[] = Array.from({ length: 200 }, (_, i) => {
  const misfire = (['skip', 'latest', 'all'] as const)[i % 3] ?? 'skip';
  const period =
    i < 6
      ? { cronExpr: '* * * * * *', everyMs: 1_000 }
      : i < 60
        ? { cronExpr: '0 * * * * *', everyMs: 60_000 }
        : { cronExpr: '0 0 * * * *', everyMs: hourMs };
  return { name: `away-${String(i).padStart(3, '0')}-${misfire}`, misfire, ...period };
});

async function putJobs(mesh: TestMesh): Promise<void> {
  for (const { name, misfire, cronExpr } of jobs) {
    const job: JobInput = {
      name,
      command: noteRun(mesh.oracle, ':'),
      cronExpr,
      concurrency: 'allow',
      misfire,
      ...(misfire === 'all' ? { misfireLimit: allLimit } : {}),
    };
    await mesh.putJob(job);
  }
  await waitFor(async () => (await mesh.list('cursor/')).length === jobs.length, {
    timeoutMs: 30_000,
    intervalMs: 100,
    describe: () => 'every job to have its cursor',
  });
}

/** Every job audited by its own period; of a year by the second, only every so many ticks. */
async function auditAll(
  mesh: TestMesh,
  lines: readonly OracleLine[],
  from: ReadonlyMap<string, number>,
  to: number,
): Promise<Audit[]> {
  const rows = await mesh.rows();
  return jobs.map(({ name, everyMs }) => {
    const cursor = from.get(name) ?? 0;
    const first = Math.floor(cursor / everyMs) * everyMs + everyMs;
    const stride = Math.max(1, Math.ceil((to - first) / everyMs / 10_000));
    return compare(
      lines.filter(({ job }) => job === name),
      rows.filter(({ job }) => job === name),
      { jobs: [name], from: first, to, everyMs: everyMs * stride },
    );
  });
}

function peakOf(lines: readonly OracleLine[]): number {
  const starts = new Map<number, number>();
  for (const { atMs } of lines) {
    const second = Math.floor(atMs / 1_000);
    starts.set(second, (starts.get(second) ?? 0) + 1);
  }
  return Math.max(0, ...starts.values());
}

async function awayFor(t: TestContext, mesh: TestMesh, title: string, byMs: number): Promise<void> {
  await mesh.startWorkers(workers);
  await putJobs(mesh);
  await Promise.all([...mesh.workers.values()].map((worker) => worker.stop()));
  const from = await mesh.putCursorsBack(byMs);
  const backAt = Date.now();
  await mesh.startWorkers(workers);
  const readyMs = Date.now() - backAt;
  await waitFor(
    async () => {
      const cursors = (await mesh.list('cursor/')).map(({ value }) =>
        parseCursor(value.toString()),
      );
      return (
        cursors.every((cursor) => (cursor?.tick ?? 0) > backAt - hourMs) &&
        (await mesh.list('trigger/')).length === 0
      );
    },
    { timeoutMs: 120_000, intervalMs: 500, describe: () => 'every job to have caught up' },
  );
  const caughtUpMs = Date.now() - backAt;
  await quiet(
    mesh,
    jobs.map(({ name }) => name),
  );
  const lines = readOracle(mesh.oracle).filter(({ atMs }) => atMs > backAt);
  const to = Math.floor(backAt / 1_000) * 1_000 - 20_000;
  const audits = await auditAll(mesh, lines, from, to);
  const count = (of: (audit: Audit) => number): number =>
    audits.reduce((sum, each) => sum + of(each), 0);
  const late = lines.filter(({ tick }) => tick <= to);
  const lateBy = (misfire: string): number =>
    late.filter(({ job }) => job.endsWith(misfire)).length;
  const peak = peakOf(late);
  const note = `${jobs.length} jobs, caught up within ${Math.round(caughtUpMs / 1_000)} s by ${late.length} runs (latest ${lateBy('latest')}, all ${lateBy('all')}, skip ${lateBy('skip')}), peak ${peak} of them in a second, ready after ${readyMs} ms`;
  const figures = {
    expected: count(({ expected }) => expected),
    ran: count(({ ran }) => ran),
    twice: count(({ twice }) => twice.length),
    missing: count(({ missing }) => missing.length),
    missed: count(({ missed }) => missed),
    unaccounted: count(({ unaccounted }) => unaccounted.length),
    disagree: count(({ disagreeing }) => disagreeing.length),
  };
  reportFault(t, `fleet away for ${title}`, figures, note);
  const of = (pick: (audit: Audit) => readonly string[]): string[] => audits.flatMap(pick);
  assert.deepEqual(
    of(({ twice }) => twice),
    [],
  );
  assert.deepEqual(of(({ unaccounted }) => unaccounted).slice(0, 20), []);
  assert.deepEqual(of(({ disagreeing }) => disagreeing).slice(0, 20), []);
  for (const { name, misfire } of jobs) {
    const caughtUp = late.filter(({ job }) => job === name).length;
    const bound = { skip: 0, latest: 1, all: allLimit }[misfire];
    assert.ok(caughtUp <= bound, `${name} was caught up on ${caughtUp} times`);
  }
  assert.ok(lateBy('latest') > 0 && lateBy('all') > 0, 'something was caught up on');
  assert.ok(peak <= mostCatchUpsASecond, `${peak} catch-ups in a second`);
}

describe('the whole fleet away', { concurrency: false }, () => {
  for (const [title, byMs] of sized(
    [['a year', yearMs] as const],
    [['an hour', hourMs] as const, ['a year', yearMs] as const],
  )) {
    it(
      `for ${title}: nothing storms, every tick has its account`,
      { timeout: 300_000 },
      async (t) => {
        await withMesh({}, (mesh) => awayFor(t, mesh, title, byMs));
      },
    );
  }
});
