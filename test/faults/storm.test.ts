/**
 * Five worker processes and 20 jobs a second of 30 ms, while workers are killed, frozen, cut off and
 * restarted one after another: no fire runs twice, and each one that did not run has its account.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { audit, quiet } from '../support/audit.ts';
import { assertNoneMissing, reportAudit } from '../support/fault-report.ts';
import { isFullSize, sized } from '../support/fault-size.ts';
import { forSeconds, untilWall } from '../support/fault-time.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

const workers = ['w1', 'w2', 'w3', 'w4', 'w5'];
const jobs = Array.from({ length: 20 }, (_, i) => `storm-${String(i).padStart(2, '0')}`);
const ttlMs = 5_000;

/** Puts the jobs; resolves with the first tick of the audit, once every job runs. */
async function putJobs(mesh: TestMesh): Promise<number> {
  for (const name of jobs) {
    await mesh.putJob({
      name,
      command: noteRun(mesh.oracle, 'sleep 0.03'),
      cronExpr: '* * * * * *',
      concurrency: 'allow',
    });
  }
  await everyJobAfter(mesh, 0);
  return Math.ceil(Date.now() / 1_000) * 1_000 + 1_000;
}

/** Resolves once every job has run a tick later than `tick`. */
async function everyJobAfter(mesh: TestMesh, tick: number): Promise<void> {
  await waitFor(
    () => {
      const later = readOracle(mesh.oracle).filter((line) => line.tick > tick);
      return new Set(later.map(({ job }) => job)).size === jobs.length;
    },
    { timeoutMs: 60_000, intervalMs: 250, describe: () => `every job to run after ${tick}` },
  );
}

async function auditSince(mesh: TestMesh, from: number) {
  const to = Math.floor(Date.now() / 1_000) * 1_000;
  await everyJobAfter(mesh, to);
  await quiet(mesh, jobs);
  return audit(mesh, { jobs, from, to });
}

describe('storm of short jobs', { concurrency: false }, () => {
  // Within `npm test` the skewed clocks show as much.
  if (isFullSize) {
    it('runs every tick once on five workers', { timeout: 200_000 }, async (t) => {
      await withMesh({}, async (mesh) => {
        await mesh.startWorkers(workers);
        const from = await putJobs(mesh);
        await untilWall(from + 60_000);
        const found = await auditSince(mesh, from);
        reportAudit(t, 'storm on five workers', found);
        assertNoneMissing(found);
      });
    });
  }

  it(
    'accounts for every tick while workers are killed, frozen, cut off and restarted',
    { timeout: 500_000 },
    async (t) => {
      await withMesh({}, async (mesh) => {
        const proxy = await startTcpProxy(mesh.etcdServer.member().clientPort);
        try {
          mesh.startWorker('w4', { endpoints: [proxy.endpoint] });
          await mesh.startWorkers(workers.filter((id) => id !== 'w4'));
          await mesh.ready(workers);
          const from = await putJobs(mesh);
          for (let round = 0; round < sized(1, 4); round++) await disturb(mesh, proxy);
          await mesh.ready(workers);
          reportAudit(t, 'storm of kills, freezes and cuts', await auditSince(mesh, from));
        } finally {
          await proxy.close();
        }
      });
    },
  );
});

/** Each of four workers suffers in its own way; the fifth is always well. */
async function disturb(mesh: TestMesh, proxy: TcpProxy): Promise<void> {
  const get = (id: string) => {
    const worker = mesh.workers.get(id);
    assert.ok(worker);
    return worker;
  };
  await get('w1').kill();
  await forSeconds(1);
  get('w2').freeze();
  await forSeconds(1);
  proxy.swallowReplies();
  const stopped = get('w3').stop();
  await forSeconds((ttlMs / 1_000) * 1.5);
  await stopped;
  await mesh.startWorkers(['w1', 'w3']);
  get('w2').thaw();
  // What lost answers is of no more use.
  proxy.cut();
  proxy.resume();
  await mesh.ready(workers);
}
