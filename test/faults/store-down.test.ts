/**
 * The store may die: MongoDB is gone for a minute while jobs run, and is then killed with SIGKILL
 * again and again while the spools drain. No start waits for it, and afterwards history has every run
 * and every line exactly once.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { audit, firstCommonTick, quiet } from '../support/audit.ts';
import { countWrongRuns, endedRuns, linesARun, putCountingJobs } from '../support/counted-lines.ts';
import { assertNoneMissing, reportAudit } from '../support/fault-report.ts';
import { sized } from '../support/fault-size.ts';
import { lateness, untilWall } from '../support/fault-time.ts';
import { withMesh } from '../support/mesh.ts';
import { startMongo } from '../support/mongo-server.ts';
import { readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

const jobs = ['a', 'b', 'c', 'd', 'e'];
const workers = ['w1', 'w2', 'w3'];
const downMs = sized(10_000, 60_000);
const kills = sized(3, 12);

/** Kills the store while it takes what was spooled: each time a little later in its life. */
async function killWhileDraining(mongo: Awaited<ReturnType<typeof startMongo>>): Promise<void> {
  for (let kill = 0; kill < kills; kill++) {
    await mongo.start();
    await mongo.isWritten();
    await untilWall(Date.now() + (kill % 4) * 50);
    await mongo.kill();
  }
  await mongo.start();
}

it(
  'the store down, then killed again and again while draining',
  { timeout: 400_000 },
  async (t) => {
    const mongo = await startMongo();
    try {
      await withMesh({ history: mongo.databaseUrl('store-down') }, async (mesh) => {
        await mesh.startWorkers(workers);
        await putCountingJobs(mesh, jobs);
        await waitFor(async () => (await mesh.rows()).length >= 10 * jobs.length, {
          timeoutMs: 40_000,
          intervalMs: 250,
          describe: () => 'history before the fault',
        });
        const from = firstCommonTick(readOracle(mesh.oracle));
        await mongo.kill();
        const downAt = Date.now();
        await untilWall(downAt + downMs);
        const upAt = Date.now();
        await killWhileDraining(mongo);
        const to = Math.floor(Date.now() / 1_000) * 1_000;
        await waitFor(() => readOracle(mesh.oracle).some(({ tick }) => tick > to + 1_000), {
          timeoutMs: 10_000,
          describe: () => 'later ticks',
        });
        await quiet(mesh, jobs);
        const found = await audit(mesh, { jobs, from, to }, 60_000);
        const lines = readOracle(mesh.oracle);
        const before = lateness(lines.filter(({ atMs }) => atMs < downAt));
        const during = lateness(lines.filter(({ atMs }) => atMs > downAt && atMs < upAt));
        // Those after the audited time are on their way, too.
        const rows = await endedRuns(mesh);
        const wrong = await countWrongRuns(mesh, rows);
        const note = `${rows.length * linesARun} lines, runs with lines lost or twice ${wrong}, ${kills} kills while draining, lateness p50/p99 ${before.p50}/${before.p99} ms before, ${during.p50}/${during.p99} ms while down`;
        reportAudit(t, `MongoDB down for ${downMs / 1_000} s`, found, note);
        assert.equal(wrong, 0, 'no line lost, none twice');
        assertNoneMissing(found);
        assert.deepEqual(
          rows.map(({ id }) => id).toSorted(),
          lines.map(({ runId }) => runId).toSorted(),
        );
        assert.ok(rows.every(({ outcome }) => outcome === 'succeeded'));
        assert.ok(during.p50 < before.p50 + 100, `${during.p50} ms late, ${before.p50} before`);
      });
    } finally {
      await mongo.stop();
    }
  },
);
