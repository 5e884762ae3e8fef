/**
 * A no-overlap job never overlaps: its worker is frozen for three lease times, cut off from etcd, or
 * killed, and etcd's leader is killed and frozen. The run shows a sign of life every 50 ms, so
 * the oracle shows to the moment whether two of them lived at once. Every lost run is settled within
 * lease time + 5 s, and every tick of the time is accounted for.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { HistoryRow } from '../../shared/history/records.ts';
import type { FireValue } from '../../shared/protocol/values.ts';
import { audit, quiet, spanOf } from '../support/audit.ts';
import { reportAudit } from '../support/fault-report.ts';
import { isFullSize } from '../support/fault-size.ts';
import { untilWall } from '../support/fault-time.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteLife, overlapMs, readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const job = 'alone';
const ttlMs = 5_000;
const workers = ['w1', 'w2', 'w3'];

/** Each run takes about 7 s, so that it would outlive a lease, unless `signs` says otherwise. */
async function putAlone(mesh: TestMesh, signs = 120): Promise<void> {
  await mesh.putJob({
    name: job,
    command: noteLife(mesh.oracle, signs),
    cronExpr: '* * * * * *',
    concurrency: 'forbid',
  });
}

/** The open fire, once its run has shown a sign of life. */
async function openRun(mesh: TestMesh): Promise<FireValue> {
  return waitFor(
    async () => {
      const [fire] = await mesh.fires();
      return fire !== undefined && readOracle(mesh.oracle).some(({ runId }) => runId === fire.runId)
        ? fire
        : undefined;
    },
    { timeoutMs: 20_000, intervalMs: 10, describe: () => 'an open run' },
  );
}

async function otherRunStarts(mesh: TestMesh, fire: FireValue, timeoutMs: number): Promise<void> {
  await waitFor(
    () => {
      const lines = readOracle(mesh.oracle);
      const newest = lines.findLastIndex(({ runId }) => runId === fire.runId);
      return lines.slice(newest + 1).length > 20;
    },
    { timeoutMs, describe: () => 'another run to start' },
  );
}

async function lostRow(mesh: TestMesh, fire: FireValue, timeoutMs: number): Promise<HistoryRow> {
  const store = await mesh.store();
  return waitFor(
    async () => {
      const row = await store.getRun(fire.runId);
      return row?.outcome === 'lost' ? row : undefined;
    },
    { timeoutMs, intervalMs: 100, describe: () => `run ${fire.runId} to be lost` },
  );
}

async function report(t: TestContext, mesh: TestMesh, name: string, note = ''): Promise<void> {
  const span = spanOf(readOracle(mesh.oracle));
  await mesh.putKey(mesh.keys.killer(job), '');
  await quiet(mesh, [job]);
  const found = await audit(mesh, { jobs: [job], ...span, exclusive: true });
  reportAudit(t, name, found, note);
}

describe('a no-overlap job', { concurrency: false }, () => {
  it('does not overlap while its worker is frozen for three lease times', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(workers);
      await putAlone(mesh);
      const fire = await openRun(mesh);
      const worker = mesh.workers.get(fire.worker);
      assert.ok(worker);
      const frozenAt = Date.now();
      worker.freeze();
      await otherRunStarts(mesh, fire, ttlMs + 15_000);
      const row = await lostRow(mesh, fire, ttlMs + 5_000);
      await untilWall(frozenAt + 3 * ttlMs);
      worker.thaw();
      await mesh.ready(workers);
      await otherRunStarts(mesh, await openRun(mesh), 20_000);
      assert.equal((await lostRow(mesh, fire, 1_000)).outcome, 'lost', 'the verdict stands');
      const settledMs = (row.endedAt ?? Infinity) - frozenAt;
      await report(t, mesh, 'worker frozen for 3 leases', `lost after ${settledMs} ms`);
    });
  });

  // Within `npm test` the partitions show as much.
  if (isFullSize) {
    it('does not overlap while its worker is cut off from etcd', async (t) => {
      await withMesh({}, async (mesh) => {
        const proxy = await startTcpProxy(mesh.etcdServer.member().clientPort);
        try {
          mesh.startWorker('w1', { endpoints: [proxy.endpoint] });
          await mesh.startWorkers(['w2', 'w3']);
          await mesh.ready(workers);
          await putAlone(mesh);
          const cut = await waitFor(
            async () => {
              const fire = await openRun(mesh);
              return fire.worker === 'w1' ? fire : undefined;
            },
            { timeoutMs: 60_000, describe: () => 'a run on the worker that will be cut off' },
          );
          proxy.hang();
          await settled(mesh, cut);
          await otherRunStarts(mesh, cut, 30_000);
          proxy.resume();
          await mesh.ready(workers);
          await report(t, mesh, 'worker hung up by its network');
        } finally {
          await proxy.close();
        }
      });
    });
  }

  it('is lost with a killed worker within lease time + 5 s, and its tree is gone at once', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(workers);
      await putAlone(mesh);
      const fire = await openRun(mesh);
      const killedAt = Date.now();
      await mesh.workers.get(fire.worker)?.kill();
      const row = await lostRow(mesh, fire, ttlMs + 6_000);
      const signs = readOracle(mesh.oracle).filter(({ runId }) => runId === fire.runId);
      const lastSignMs = Math.max(...signs.map(({ atMs }) => atMs)) - killedAt;
      const settledMs = (row.endedAt ?? Infinity) - killedAt;
      assert.ok(lastSignMs < 1_000, `a sign of life ${lastSignMs} ms after the kill`);
      assert.ok(settledMs <= ttlMs + 5_000, `settled after ${settledMs} ms`);
      await otherRunStarts(mesh, fire, 10_000);
      const note = `last sign after ${lastSignMs} ms, lost after ${settledMs} ms`;
      await report(t, mesh, 'worker killed in a no-overlap run', note);
    });
  });

  it('does not overlap while etcd changes its leader', async (t) => {
    await withMesh({ members: 3 }, async (mesh) => {
      await mesh.startWorkers(workers);
      // Nobody is cut off for long here: many starts tell more than long runs.
      await putAlone(mesh, 40);
      await openRun(mesh);
      const killed = mesh.etcdServer.member(await mesh.etcdServer.leader());
      const killedAt = Date.now();
      await killed.kill();
      await otherRunStarts(mesh, await openRun(mesh), 30_000);
      await killed.restart();
      const frozen = mesh.etcdServer.member(await mesh.etcdServer.leader());
      const frozenAt = Date.now();
      frozen.freeze();
      await untilWall(frozenAt + 8_000);
      frozen.thaw();
      await mesh.ready(workers);
      await otherRunStarts(mesh, await openRun(mesh), 30_000);
      assert.equal(overlapMs(readOracle(mesh.oracle)), 0);
      const note = `next start ${nextStartMs(mesh, killedAt)} ms after the kill, ${nextStartMs(mesh, frozenAt)} ms after the freeze`;
      await report(t, mesh, 'etcd leader killed, then frozen', note);
    });
  });
});

/** When the first run began after `atMs`, in ms from then. */
function nextStartMs(mesh: TestMesh, atMs: number): number {
  const starts = new Map<string, number>();
  for (const line of readOracle(mesh.oracle)) {
    if (!starts.has(line.runId)) starts.set(line.runId, line.atMs);
  }
  return Math.min(...[...starts.values()].filter((start) => start > atMs)) - atMs;
}

/** The run of a worker that is cut off is settled by a survivor, or had ended in time. */
async function settled(mesh: TestMesh, fire: FireValue): Promise<void> {
  const store = await mesh.store();
  await waitFor(async () => (await store.getRun(fire.runId))?.outcome !== undefined, {
    timeoutMs: 2 * ttlMs + 10_000,
    intervalMs: 100,
    describe: () => `run ${fire.runId} to be accounted for`,
  });
}
