/**
 * The policies of a job on real workers: queue, replace, at most n, retries, and what a whole fleet
 * catches up on after it was away.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { HistoryRow } from '../../shared/history/records.ts';
import { audit, firstCommonTick, quiet, spanOf } from '../support/audit.ts';
import { reportAudit, reportFault } from '../support/fault-report.ts';
import { isFullSize } from '../support/fault-size.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, overlapMs, readOracle, type OracleLine } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

const hourMs = 3_600_000;

/** Begin and end of each run, by run id. */
function spans(lines: readonly OracleLine[]): { from: number; to: number; runId: string }[] {
  const begun = lines.filter(({ what }) => what === 'begun');
  return begun.map(({ runId, atMs }) => ({
    runId,
    from: atMs,
    to: lines.find((line) => line.runId === runId && line.what === 'ended')?.atMs ?? Infinity,
  }));
}

function mostAtOnce(lines: readonly OracleLine[]): number {
  const runs = spans(lines);
  return Math.max(
    0,
    ...runs.map(({ from }) => runs.filter((run) => run.from <= from && run.to > from).length),
  );
}

function beginAndEnd(mesh: TestMesh, body: string): string {
  return `${noteRun(mesh.oracle, body, 'begun')}; ${noteRun(mesh.oracle, ':', 'ended')}`;
}

async function endedRuns(mesh: TestMesh, atLeast: number): Promise<HistoryRow[]> {
  return waitFor(
    async () => {
      const rows = (await mesh.rows()).filter(
        ({ kind, outcome }) => kind === 'run' && outcome !== undefined,
      );
      return rows.length >= atLeast ? rows : undefined;
    },
    { timeoutMs: 40_000, intervalMs: 200, describe: () => `${atLeast} ended runs` },
  );
}

/** Audits the one job of a mesh from its first tick that ran to its last. */
async function report(
  t: TestContext,
  mesh: TestMesh,
  name: string,
  due: { readonly job: string; readonly everyMs: number; readonly exclusive: boolean },
  note: string,
): Promise<void> {
  const span = spanOf(readOracle(mesh.oracle));
  await quiet(mesh, [due.job]);
  const found = await audit(mesh, { ...due, ...span, jobs: [due.job] });
  reportAudit(t, name, found, note);
}

describe('policies', { concurrency: false }, () => {
  it('queue: runs one after another, at most one waits, and nothing overlaps', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2', 'w3']);
      await mesh.putJob({
        name: 'queued',
        command: beginAndEnd(mesh, 'sleep 1.5'),
        cronExpr: '* * * * * *',
        concurrency: 'queue',
      });
      await endedRuns(mesh, 5);
      const lines = readOracle(mesh.oracle);
      assert.equal(mostAtOnce(lines), 1);
      const gaps = spans(lines)
        .toSorted((a, b) => a.from - b.from)
        .slice(1, 5)
        .map(({ from }, index, all) => from - (all[index - 1]?.to ?? from));
      assert.ok(
        (await mesh.rows()).some(
          ({ outcome, reason }) => outcome === 'skipped' && /waiting/.test(reason ?? ''),
        ),
      );
      const due = { job: 'queued', everyMs: 1_000, exclusive: true };
      await report(t, mesh, 'queue', due, `pauses between runs ${gaps.join(', ')} ms`);
    });
  });

  it('replace: kills the earlier run, then starts', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2']);
      await mesh.putJob({
        name: 'replaced',
        command: beginAndEnd(mesh, 'sleep 30'),
        cronExpr: '*/3 * * * * *',
        concurrency: 'replace',
        killGraceSeconds: 1,
      });
      const rows = await endedRuns(mesh, 3);
      assert.ok(rows.every(({ outcome }) => outcome === 'killed'));
      assert.ok(rows.every(({ reason }) => /replaced by the next fire/.test(reason ?? '')));
      const starts = readOracle(mesh.oracle).filter(({ what }) => what === 'begun');
      for (const { id, endedAt } of rows) {
        const next = starts[starts.findIndex((line) => line.runId === id) + 1];
        assert.ok(next !== undefined && next.atMs >= (endedAt ?? Infinity) - 5, 'no overlap');
      }
      await mesh.putKey(mesh.keys.killer('replaced'), '');
      const due = { job: 'replaced', everyMs: 3_000, exclusive: true };
      await report(t, mesh, 'replace', due, `${rows.length} runs gave way to the next`);
    });
  });

  it('allow up to n: never more than n at a time, over all workers', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2', 'w3']);
      await mesh.putJob({
        name: 'three',
        command: beginAndEnd(mesh, 'sleep 4.5'),
        cronExpr: '* * * * * *',
        concurrency: 'allow',
        maxConcurrent: 3,
      });
      await endedRuns(mesh, 7);
      assert.equal(mostAtOnce(readOracle(mesh.oracle)), 3);
      const rows = await mesh.rows();
      assert.ok(
        rows.some(
          ({ outcome, reason }) =>
            outcome === 'skipped' && /3 runs are still open/.test(reason ?? ''),
        ),
      );
      const due = { job: 'three', everyMs: 1_000, exclusive: false };
      await report(t, mesh, 'allow up to 3', due, 'at most 3 at a time, every slot given back');
    });
  });

  it('slots: a worker never has more runs in hand, and what waits too long is written off', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2'], { slots: 2 });
      const jobs = Array.from({ length: 6 }, (_, index) => `slot-${index}`);
      for (const name of jobs) {
        const command = beginAndEnd(mesh, 'sleep 1.5');
        await mesh.putJob({ name, command, cronExpr: '* * * * * *', concurrency: 'allow' });
      }
      await endedRuns(mesh, 16);
      const from = firstCommonTick(readOracle(mesh.oracle));
      const { to } = spanOf(readOracle(mesh.oracle));
      await quiet(mesh, jobs);
      const found = await audit(mesh, { jobs, from, to });
      const most = mostAtOnce(readOracle(mesh.oracle));
      reportAudit(t, 'more fires than slots', found, `${most} at a time in 2 times 2 slots`);
      assert.equal(most, 4);
      assert.ok(found.missed > 0);
    });
  });

  it('retries a failed run with backoff, elsewhere, and no further than asked', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2']);
      const soon = new Date(Date.now() + 3_000);
      await mesh.putJob({
        name: 'failing',
        command: noteRun(mesh.oracle, 'exit 3', '$CRON_ATTEMPT'),
        cronExpr: `${soon.getUTCSeconds()} ${soon.getUTCMinutes()} ${soon.getUTCHours()} * * *`,
        retries: { max: 2, backoffSeconds: 1 },
      });
      const rows = (await endedRuns(mesh, 3)).toSorted(
        (a, b) => (a.attempt ?? 0) - (b.attempt ?? 0),
      );
      assert.deepEqual(
        rows.map(({ attempt, cause, outcome, exitCode }) => [attempt, cause, outcome, exitCode]),
        [
          [1, 'tick', 'failed', 3],
          [2, 'retry', 'failed', 3],
          [3, 'retry', 'failed', 3],
        ],
      );
      assert.equal(new Set(rows.map(({ tick }) => tick)).size, 1, 'all attempts bear the tick');
      const [first, second, third] = rows;
      assert.notEqual(second?.worker, first?.worker);
      assert.notEqual(third?.worker, second?.worker);
      const pause = (second?.startedAt ?? 0) - (first?.endedAt ?? 0);
      const longer = (third?.startedAt ?? 0) - (second?.endedAt ?? 0);
      assert.ok(pause >= 790 && longer >= 1_590, `pauses ${pause}, ${longer} ms`);
      assert.deepEqual(
        readOracle(mesh.oracle).map(({ what }) => what),
        ['1', '2', '3'],
      );
      await waitFor(async () => (await mesh.list('trigger/')).length === 0, {
        timeoutMs: 5_000,
        describe: () => 'no trigger to be left',
      });
      const note = `attempts of one fire, pauses ${pause} and ${longer} ms, each on another worker`;
      reportFault(t, 'retries of a failed run', { ran: rows.length, twice: 0 }, note);
    });
  });

  it('retries the run of a killed worker, and no-overlap holds', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2']);
      const soon = new Date(Date.now() + 3_000);
      await mesh.putJob({
        name: 'orphan',
        command: beginAndEnd(mesh, 'sleep 3'),
        cronExpr: `${soon.getUTCSeconds()} ${soon.getUTCMinutes()} ${soon.getUTCHours()} * * *`,
        retries: { max: 1, backoffSeconds: 0 },
      });
      const fire = await waitFor(
        async () =>
          readOracle(mesh.oracle).length > 0 ? (await mesh.list('lock/'))[0] : undefined,
        { timeoutMs: 15_000, describe: () => 'the run' },
      );
      const worker = fire.value.toString().includes('"worker":"w1"') ? 'w1' : 'w2';
      await mesh.workers.get(worker)?.kill();
      const rows = await endedRuns(mesh, 2);
      assert.deepEqual(new Set(rows.map(({ outcome }) => outcome)), new Set(['lost', 'succeeded']));
      assert.notEqual(rows.find(({ outcome }) => outcome === 'succeeded')?.worker, worker);
      const lines = readOracle(mesh.oracle);
      const figures = { ran: rows.length, lost: 1, overlapMs: overlapMs(lines) };
      reportFault(t, 'retry of a lost run', figures, 'attempts of one fire');
      assert.equal(lines.filter(({ what }) => what === 'ended').length, 1);
      assert.equal(figures.overlapMs, 0);
    });
  });

  // Within `npm test` the fleet that was away for a year shows as much.
  if (isFullSize) {
    it('catches up after the whole fleet was away: latest, all up to a bound, or nothing', async (t) => {
      await withMesh({}, async (mesh) => {
        await mesh.startWorkers(['w1']);
        // By the hour, half an hour from now: no tick falls into the test by itself.
        const minute = (new Date().getUTCMinutes() + 30) % 60;
        const base = { command: noteRun(mesh.oracle, ':'), cronExpr: `${minute} * * * *` };
        await mesh.putJob({ ...base, name: 'skip', misfire: 'skip' });
        await mesh.putJob({ ...base, name: 'latest' });
        await mesh.putJob({ ...base, name: 'all', misfire: 'all', misfireLimit: 2 });
        await waitFor(async () => (await mesh.list('cursor/')).length === 3, {
          timeoutMs: 10_000,
          describe: () => 'every job to have its cursor',
        });
        await mesh.workers.get('w1')?.stop();
        await mesh.putCursorsBack(4 * hourMs);
        await mesh.startWorkers(['w1']);
        const caughtUp = await waitFor(
          () => {
            const lines = readOracle(mesh.oracle);
            return lines.length >= 3 ? lines : undefined;
          },
          { timeoutMs: 60_000, describe: () => 'catch-ups' },
        );
        const ticksOf = (job: string): number[] =>
          caughtUp.filter((line) => line.job === job).map(({ tick }) => tick);
        const newest =
          Math.floor((Date.now() - minute * 60_000) / hourMs) * hourMs + minute * 60_000;
        assert.deepEqual(ticksOf('skip'), []);
        assert.deepEqual(ticksOf('latest'), [newest]);
        assert.deepEqual(ticksOf('all'), [newest - hourMs, newest]);
        const missed = await waitFor(
          async () => {
            const rows = (await mesh.rows()).filter(({ outcome }) => outcome === 'missed');
            return new Set(rows.map(({ job }) => job)).size === 3 ? rows : undefined;
          },
          { timeoutMs: 10_000, describe: () => 'missed spans in history' },
        );
        const latest = missed.find(({ job }) => job === 'latest');
        assert.deepEqual(latest?.excepted, [newest]);
        const note = 'caught up on: latest 1, all 2 of 2, skip 0';
        reportFault(t, 'misfire policies after 4 ticks', { ran: caughtUp.length }, note);
      });
    });
  }
});
