/**
 * The policies of a job on real workers: queue, replace, at most n, retries, and what a whole fleet
 * catches up on after it was away.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HistoryRow } from '../../shared/history/records.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, readOracle, type OracleLine } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

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
      t.diagnostic(`pauses between queued runs: ${gaps.join(', ')} ms`);
      assert.ok(
        (await mesh.rows()).some(
          ({ outcome, reason }) => outcome === 'skipped' && /waiting/.test(reason ?? ''),
        ),
      );
    });
  });

  it('replace: kills the earlier run, then starts', async () => {
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
    });
  });

  it('allow up to n: never more than n at a time, over all workers', async () => {
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
      await mesh.deleteKey(mesh.keys.job('three'));
      await waitFor(
        async () => (await mesh.list('slot/')).length + (await mesh.list('lock/')).length === 0,
        {
          timeoutMs: 15_000,
          describe: () => 'every slot to be given back',
        },
      );
    });
  });

  it('retries a failed run with backoff, elsewhere, and no further than asked', async () => {
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
    });
  });

  it('retries the run of a killed worker, and no-overlap holds', async () => {
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
      const ends = readOracle(mesh.oracle).filter(({ what }) => what === 'ended');
      assert.equal(ends.length, 1);
    });
  });

  it('catches up after the whole fleet was away: latest, all up to a bound, or nothing', async () => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1']);
      const base = { command: noteRun(mesh.oracle, ':'), cronExpr: '*/5 * * * * *' };
      await mesh.putJob({ ...base, name: 'skip', misfire: 'skip', startDeadlineSeconds: 1 });
      await mesh.putJob({ ...base, name: 'latest', startDeadlineSeconds: 1 });
      await mesh.putJob({
        ...base,
        name: 'all',
        misfire: 'all',
        misfireLimit: 2,
        startDeadlineSeconds: 1,
      });
      await waitFor(() => new Set(readOracle(mesh.oracle).map(({ job }) => job)).size === 3, {
        timeoutMs: 20_000,
        describe: () => 'every job to run once',
      });
      await mesh.workers.get('w1')?.stop();
      const awayFrom = Date.now();
      // Away over four ticks, back in the middle between two: none of them is fresh then.
      const back = Math.ceil(awayFrom / 5_000) * 5_000 + 18_000;
      await waitFor(() => Date.now() >= back, {
        timeoutMs: 40_000,
        describe: () => 'time to pass',
      });
      mesh.startWorker('w1');
      await mesh.ready(['w1']);
      const away = (line: OracleLine): boolean => line.tick > awayFrom && line.tick <= back - 2_000;
      const caughtUp = await waitFor(
        () => {
          const lines = readOracle(mesh.oracle).filter(away);
          return lines.length >= 3 ? lines : undefined;
        },
        { timeoutMs: 60_000, describe: () => 'catch-ups' },
      );
      const ticksOf = (job: string): number[] =>
        caughtUp.filter((line) => line.job === job).map(({ tick }) => tick);
      const newest = back - 3_000;
      assert.deepEqual(ticksOf('skip'), []);
      assert.deepEqual(ticksOf('latest'), [newest]);
      assert.deepEqual(ticksOf('all'), [newest - 5_000, newest]);
      const missed = await waitFor(
        async () => {
          const rows = (await mesh.rows()).filter(({ outcome }) => outcome === 'missed');
          return new Set(rows.map(({ job }) => job)).size === 3 ? rows : undefined;
        },
        { timeoutMs: 10_000, describe: () => 'missed spans in history' },
      );
      const latest = missed.find(({ job }) => job === 'latest');
      assert.deepEqual(latest?.excepted, [newest]);
    });
  });
});
