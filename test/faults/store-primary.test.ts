/**
 * The store may lose its primary: a replica set of three, whose primary is killed with SIGKILL while
 * jobs run and the spools drain, comes back, and the next primary is killed. No start waits for it, and
 * afterwards history has every run and every line exactly once.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { audit, firstCommonTick, quiet } from '../support/audit.ts';
import { countWrongRuns, endedRuns, linesARun, putCountingJobs } from '../support/counted-lines.ts';
import { assertNoneMissing, reportAudit } from '../support/fault-report.ts';
import { sized } from '../support/fault-size.ts';
import { lateness, untilWall } from '../support/fault-time.ts';
import { withMesh } from '../support/mesh.ts';
import { MongoSet } from '../support/mongo-set.ts';
import { readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

const jobs = ['a', 'b', 'c', 'd', 'e'];
const kills = sized(2, 6);

it('a replica set loses its primary again and again', { timeout: 400_000 }, async (t) => {
  const set = await MongoSet.start();
  try {
    await withMesh({ history: set.databaseUrl('primary') }, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2', 'w3']);
      await putCountingJobs(mesh, jobs);
      await waitFor(async () => (await mesh.rows()).length >= 5 * jobs.length, {
        timeoutMs: 40_000,
        intervalMs: 250,
        describe: () => 'history before the fault',
      });
      const from = firstCommonTick(readOracle(mesh.oracle));
      const faultAt = Date.now();
      for (let kill = 0; kill < kills; kill++) {
        const killed = await set.killPrimary();
        const electedAfter = await set.primary();
        assert.notEqual(electedAfter, killed, 'another member takes over');
        await untilWall(Date.now() + 2_000);
        set.restart(killed);
      }
      const to = Math.floor(Date.now() / 1_000) * 1_000;
      await waitFor(() => readOracle(mesh.oracle).some(({ tick }) => tick > to + 1_000), {
        timeoutMs: 10_000,
        describe: () => 'later ticks',
      });
      await quiet(mesh, jobs);
      const found = await audit(mesh, { jobs, from, to }, 60_000);
      const lines = readOracle(mesh.oracle);
      const before = lateness(lines.filter(({ atMs }) => atMs < faultAt));
      const during = lateness(lines.filter(({ atMs }) => atMs > faultAt));
      const rows = await endedRuns(mesh);
      const wrong = await countWrongRuns(mesh, rows);
      const note = `${rows.length * linesARun} lines, runs with lines lost or twice ${wrong}, ${kills} primaries killed, lateness p50 ${before.p50} ms before, ${during.p50} ms while it had none`;
      reportAudit(t, 'MongoDB loses its primary', found, note);
      assert.equal(wrong, 0, 'no line lost, none twice');
      assertNoneMissing(found);
      assert.deepEqual(
        rows.map(({ id }) => id).toSorted(),
        lines.map(({ runId }) => runId).toSorted(),
      );
      assert.ok(during.p50 < before.p50 + 100, `${during.p50} ms late, ${before.p50} before`);
    });
  } finally {
    await set.stop();
  }
});
