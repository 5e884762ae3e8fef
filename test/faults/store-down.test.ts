/**
 * The store may die: MongoDB is killed with SIGKILL for ten seconds while jobs run. No start waits
 * for it, and afterwards history has every run and every line exactly once.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { withMesh } from '../support/mesh.ts';
import { startMongo } from '../support/mongo-server.ts';
import { noteRun, readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

const jobs = ['a', 'b', 'c', 'd', 'e'];
const downMs = 10_000;

it('loses nothing while MongoDB is down for ten seconds', { timeout: 120_000 }, async (t) => {
  const mongo = await startMongo();
  try {
    const url = new URL(mongo.url);
    url.pathname = '/store-down';
    await withMesh({ history: url.href }, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2', 'w3']);
      for (const name of jobs) {
        await mesh.putJob({
          name,
          command: noteRun(mesh.oracle, 'echo "line of $CRON_RUN_ID"'),
          cronExpr: '* * * * * *',
        });
      }
      await waitFor(async () => (await mesh.rows()).length >= 10, {
        timeoutMs: 20_000,
        describe: () => 'history before the fault',
      });
      await mongo.kill();
      const downFrom = Date.now();
      await waitFor(() => Date.now() > downFrom + downMs, {
        timeoutMs: downMs * 2,
        describe: () => 'the outage',
      });
      const during = readOracle(mesh.oracle).filter(({ atMs }) => atMs > downFrom);
      await mongo.restart();
      assert.ok(
        during.length >= jobs.length * (downMs / 1_000 - 3),
        `${during.length} runs while down`,
      );
      for (const name of jobs) await mesh.deleteKey(mesh.keys.job(name));
      await waitFor(async () => (await mesh.list('lock/')).length === 0, {
        timeoutMs: 10_000,
        describe: () => 'runs to end',
      });
      const ran = readOracle(mesh.oracle).map(({ runId }) => runId);
      const rows = await waitFor(
        async () => {
          const ended = (await mesh.rows()).filter(
            ({ kind, outcome }) => kind === 'run' && outcome !== undefined,
          );
          return ended.length >= ran.length ? ended : undefined;
        },
        { timeoutMs: 30_000, intervalMs: 250, describe: () => `${ran.length} runs in history` },
      );
      assert.deepEqual(rows.map(({ id }) => id).toSorted(), ran.toSorted());
      assert.ok(rows.every(({ outcome }) => outcome === 'succeeded'));
      const store = await mesh.store();
      for (const id of ran) {
        const chunks = await store.readOutput(id, 0, 10_000);
        assert.equal(Buffer.concat(chunks.map(({ data }) => data)).toString(), `line of ${id}\n`);
      }
      const lateMs = during.map(({ atMs, tick }) => atMs - tick).toSorted((x, y) => x - y);
      t.diagnostic(
        `runs ${ran.length}, of them while down ${during.length}, lateness p50 ${lateMs[lateMs.length >> 1] ?? 0} ms`,
      );
    });
  } finally {
    await mongo.stop();
  }
});
