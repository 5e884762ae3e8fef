/**
 * A no-overlap job never overlaps: its worker is frozen for three lease times, cut off from etcd, or
 * killed, and etcd's leader is killed and frozen. The run writes a sign of life every 50 ms, so
 * the oracle shows to the moment whether two of them lived at once. Every lost run is settled within
 * lease time + 5 s, and every tick of the time is accounted for.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { HistoryRow } from '../../shared/history/records.ts';
import { decodeValue, fireSchema, type FireValue } from '../../shared/protocol/values.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const job = 'alone';
const ttlMs = 5_000;
const workers = ['w1', 'w2', 'w3'];

/** Runs for about 2 s, and would go on for ever while its tree is not killed. */
async function putAlone(mesh: TestMesh): Promise<void> {
  const beat = noteRun(mesh.oracle, 'sleep 0.05', 'alive');
  await mesh.putJob({
    name: job,
    command: `i=0; while [ $i -lt 40 ]; do ${beat}; i=$((i+1)); done`,
    cronExpr: '* * * * * *',
    concurrency: 'forbid',
  });
}

/** The open fire, once its run has shown a sign of life. */
async function openRun(mesh: TestMesh): Promise<FireValue> {
  return waitFor(
    async () => {
      const [kv] = await mesh.list('lock/');
      const fire = kv && decodeValue(fireSchema, kv.value);
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

/** Milliseconds for which two runs showed signs of life at the same time. */
function overlapMs(mesh: TestMesh): number {
  const lives = new Map<string, { from: number; to: number }>();
  for (const { runId, atMs } of readOracle(mesh.oracle)) {
    const life = lives.get(runId);
    if (life === undefined) lives.set(runId, { from: atMs, to: atMs });
    else life.to = Math.max(life.to, atMs);
  }
  const sorted = [...lives.values()].toSorted((a, b) => a.from - b.from);
  let overlap = 0;
  for (const [index, { from }] of sorted.entries()) {
    const before = sorted.slice(0, index).reduce((latest, { to }) => Math.max(latest, to), 0);
    overlap = Math.max(overlap, before - from);
  }
  return Math.max(0, overlap);
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

/** Every tick from the first to the last that ran is a run, a skip, or in a missed span; once. */
async function assertAccounted(t: TestContext, mesh: TestMesh): Promise<void> {
  await mesh.deleteKey(mesh.keys.job(job));
  await waitFor(
    async () => (await mesh.list('lock/')).length + (await mesh.list('done/')).length === 0,
    { timeoutMs: 30_000, describe: () => 'quiet' },
  );
  const store = await mesh.store();
  await waitFor(
    async () => {
      const running = await store.listRuns({ limit: 10, outcomes: ['running'] });
      return running.items.length === 0;
    },
    { timeoutMs: 20_000, intervalMs: 200, describe: () => 'no run without an end in history' },
  );
  const rows = (await mesh.rows()).filter((row) => row.job === job);
  const ticks = rows.map(({ tick }) => tick);
  const [first, last] = [Math.min(...ticks), Math.max(...ticks)];
  const wrong: string[] = [];
  let expected = 0;
  for (let tick = first; tick <= last; tick += 1_000) {
    expected++;
    const accounts = rows.filter((row) =>
      row.kind === 'run'
        ? row.tick === tick
        : tick > (row.fromTick ?? Infinity) && tick <= row.tick,
    );
    if (accounts.length !== 1) {
      wrong.push(`${tick}: ${accounts.map(({ outcome }) => outcome).join(' + ') || 'nothing'}`);
    }
  }
  const ran = rows.filter(({ kind }) => kind === 'run').length;
  t.diagnostic(
    `expected ${expected}, ran ${ran}, unaccounted or twice ${wrong.length}, overlap ${overlapMs(mesh)} ms`,
  );
  assert.deepEqual(wrong, []);
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
      t.diagnostic(`settled as lost ${(row.endedAt ?? 0) - frozenAt} ms after the freeze`);
      await waitFor(() => Date.now() > frozenAt + 3 * ttlMs, {
        timeoutMs: 4 * ttlMs,
        describe: () => 'three lease times',
      });
      worker.thaw();
      await mesh.ready(workers);
      await otherRunStarts(mesh, await openRun(mesh), 20_000);
      assert.equal(overlapMs(mesh), 0);
      assert.equal((await lostRow(mesh, fire, 1_000)).outcome, 'lost', 'the verdict stands');
      await assertAccounted(t, mesh);
    });
  });

  it('does not overlap while its worker is cut off from etcd', async (t) => {
    await withMesh({}, async (mesh) => {
      const proxy = await startTcpProxy(Number(new URL(mesh.etcdServer.endpoint).port));
      try {
        mesh.startWorker('w1', { flags: ['--etcd', `http://127.0.0.1:${proxy.port}`] });
        await mesh.ready(['w1']);
        await putAlone(mesh);
        const fire = await openRun(mesh);
        await mesh.startWorkers(['w2', 'w3']);
        assert.equal(fire.worker, 'w1');
        await waitFor(async () => (await openRun(mesh)).worker === 'w1', {
          timeoutMs: 30_000,
          describe: () => 'a run on the worker that will be cut off',
        });
        const cut = await openRun(mesh);
        proxy.hang();
        if (cut.worker === 'w1') await lostOrEnded(mesh, cut);
        await otherRunStarts(mesh, cut, 30_000);
        proxy.resume();
        await mesh.ready(workers);
        assert.equal(overlapMs(mesh), 0);
        await assertAccounted(t, mesh);
      } finally {
        await proxy.close();
      }
    });
  });

  it('is lost with a killed worker within lease time + 5 s, and its tree is gone at once', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(workers);
      await putAlone(mesh);
      const fire = await openRun(mesh);
      const killedAt = Date.now();
      await mesh.workers.get(fire.worker)?.kill();
      const row = await lostRow(mesh, fire, ttlMs + 6_000);
      const signs = readOracle(mesh.oracle).filter(({ runId }) => runId === fire.runId);
      const lastSign = Math.max(...signs.map(({ atMs }) => atMs));
      t.diagnostic(
        `last sign ${lastSign - killedAt} ms after the kill, settled after ${(row.endedAt ?? 0) - killedAt} ms`,
      );
      assert.ok(lastSign - killedAt < 1_000);
      assert.ok((row.endedAt ?? Infinity) - killedAt <= ttlMs + 5_000);
      await otherRunStarts(mesh, fire, 10_000);
      assert.equal(overlapMs(mesh), 0);
      await assertAccounted(t, mesh);
    });
  });

  it('does not overlap while etcd changes its leader', async (t) => {
    await withMesh({ members: 3 }, async (mesh) => {
      await mesh.startWorkers(workers);
      await putAlone(mesh);
      await openRun(mesh);
      const killed = mesh.etcdServer.member(await mesh.etcdServer.leader());
      await killed.kill();
      await otherRunStarts(mesh, await openRun(mesh), 30_000);
      await killed.restart();
      const frozen = mesh.etcdServer.member(await mesh.etcdServer.leader());
      frozen.freeze();
      const frozenAt = Date.now();
      await waitFor(() => Date.now() > frozenAt + 8_000, {
        timeoutMs: 20_000,
        describe: () => 'time',
      });
      frozen.thaw();
      await mesh.ready(workers);
      await otherRunStarts(mesh, await openRun(mesh), 30_000);
      assert.equal(overlapMs(mesh), 0);
      await assertAccounted(t, mesh);
    });
  });
});

/** The run of a worker that is cut off is settled by a survivor, or had ended in time. */
async function lostOrEnded(mesh: TestMesh, fire: FireValue): Promise<void> {
  const store = await mesh.store();
  await waitFor(async () => (await store.getRun(fire.runId))?.outcome !== undefined, {
    timeoutMs: 2 * ttlMs + 10_000,
    intervalMs: 100,
    describe: () => `run ${fire.runId} to be accounted for`,
  });
}
