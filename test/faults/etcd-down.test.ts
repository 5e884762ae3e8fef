/**
 * etcd may die: killed for eight seconds under load. Nothing starts without it, everything resumes by
 * itself, nothing runs twice, and every tick that fell into the gap is accounted for as missed.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { withMesh } from '../support/mesh.ts';
import { noteRun, readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

it('accounts for every tick of an outage of etcd', { timeout: 120_000 }, async (t) => {
  await withMesh({}, async (mesh) => {
    await mesh.startWorkers(['w1', 'w2', 'w3']);
    const job = 'steady';
    await mesh.putJob({
      name: job,
      command: noteRun(mesh.oracle, 'sleep 0.02'),
      cronExpr: '* * * * * *',
      concurrency: 'allow',
    });
    const ran = (): number[] => readOracle(mesh.oracle).map(({ tick }) => tick);
    await waitFor(() => ran().length >= 3, { timeoutMs: 20_000, describe: () => 'first runs' });
    const from = Math.min(...ran());
    await mesh.etcdServer.kill();
    const downAt = Date.now();
    await waitFor(() => Date.now() > downAt + 8_000, {
      timeoutMs: 20_000,
      describe: () => 'the outage',
    });
    const startsWhileDown = readOracle(mesh.oracle).filter(({ atMs }) => atMs > downAt + 1_500);
    assert.deepEqual(startsWhileDown, [], 'no start without etcd');
    await mesh.etcdServer.start();
    const upAt = Date.now();
    await waitFor(() => readOracle(mesh.oracle).some(({ atMs }) => atMs > upAt), {
      timeoutMs: 15_000,
      describe: () => 'runs after etcd is back',
    });
    t.diagnostic(
      `first run ${
        Math.min(
          ...readOracle(mesh.oracle)
            .map(({ atMs }) => atMs)
            .filter((at) => at > upAt),
        ) - upAt
      } ms after etcd was back`,
    );
    const to = Math.floor(Date.now() / 1_000) * 1_000 + 2_000;
    await waitFor(() => ran().some((tick) => tick > to), {
      timeoutMs: 15_000,
      describe: () => 'later ticks',
    });
    const ticks = ran();
    assert.equal(new Set(ticks).size, ticks.length, 'nothing ran twice');
    const expected: number[] = [];
    for (let tick = from; tick <= to; tick += 1_000) expected.push(tick);
    await waitFor(
      async () => {
        const missed = (await mesh.rows()).filter(({ outcome }) => outcome === 'missed');
        const accounted = (tick: number): boolean =>
          ticks.includes(tick) ||
          missed.some((row) => tick > (row.fromTick ?? Infinity) && tick <= row.tick);
        const gaps = expected.filter((tick) => !accounted(tick));
        const both = ticks.filter((tick) =>
          missed.some((row) => tick > (row.fromTick ?? Infinity) && tick <= row.tick),
        );
        assert.deepEqual(both, [], 'a tick is run or missed, never both');
        return gaps.length === 0;
      },
      { timeoutMs: 15_000, intervalMs: 250, describe: () => 'every tick to be accounted for' },
    );
    t.diagnostic(`expected ${expected.length}, ran ${ticks.filter((tick) => tick <= to).length}`);
  });
});
