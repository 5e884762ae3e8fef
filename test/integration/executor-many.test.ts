/** Many quick runs: nothing is left of them, and what the way through the guardian costs. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { describe, test } from 'node:test';
import type { Executor } from '../../worker/executor/port.ts';
import {
  countDescriptors,
  listProcesses,
  readMemoryMib,
  runOn,
  startExecutor,
  theGuardian,
  theSpawner,
  waitUntil,
} from '../support/executor-rig.ts';

async function inLanes(
  lanes: number,
  total: number,
  once: () => Promise<unknown>,
): Promise<number> {
  let begun = 0;
  const startedMs = performance.now();
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (begun < total) {
        begun += 1;
        await once();
      }
    }),
  );
  return (total * 1000) / (performance.now() - startedMs);
}

const throughExecutor = (executor: Executor) => async (): Promise<void> => {
  const result = await runOn(executor, 'exec /bin/true').result;
  assert.equal(result.exitCode, 0);
};

const withoutExecutor = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', 'exec /bin/true'], {
      env: { PATH: '/usr/bin:/bin' },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.resume();
    child.stderr.resume();
    child.once('error', reject);
    child.once('close', () => resolve());
  });

describe('many runs', () => {
  test('300 quick runs leave no descriptor, timer, listener or process', async (context) => {
    const executor = await startExecutor(8);
    try {
      const guardian = theGuardian();
      const spawner = await theSpawner(executor);
      // The pool of pipes and the lazily opened descriptors come first.
      await inLanes(8, 16, throughExecutor(executor));
      const held = {
        guardian: countDescriptors(guardian),
        spawner: countDescriptors(spawner),
        worker: countDescriptors(process.pid),
      };
      const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
      await inLanes(8, 300, throughExecutor(executor));
      await waitUntil('no child', () => childrenOf(spawner).length === 0);
      assert.deepEqual(childrenOf(guardian), [spawner]);
      const holds = {
        guardian: countDescriptors(guardian),
        spawner: countDescriptors(spawner),
        worker: countDescriptors(process.pid),
      };
      assert.deepEqual(holds, held);
      assert.ok(
        process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length <= timers,
      );
      assert.equal(executor.running(), 0);

      for (let count = 0; count < 10; count += 1) {
        const ends = await Promise.all([
          runOn(executor, 'true', {}, 0).result,
          runOn(executor, 'true', { workingDirectory: '/no/such/place' }).result,
          runOn(executor, 'true', { environment: { HUGE: 'x'.repeat(200_000) } }).result,
          runOn(executor, 'yes & true', { timeoutMs: 5_000 }).result,
        ]);
        assert.deepEqual(
          ends.map((end) => end.endedBy),
          ['refused', 'spawn-error', 'spawn-error', 'itself'],
        );
      }
      // Pipes that did not end are not used again, so there may be fewer.
      assert.ok(countDescriptors(guardian) <= held.guardian);
      assert.equal(countDescriptors(process.pid), held.worker);
      assert.equal(executor.freeSlots(), 8);
      const holdsMib = (pid: number): string => `${readMemoryMib(pid, 'VmRSS').toFixed(1)} MiB`;
      context.diagnostic(`guardian ${holdsMib(guardian)}, spawner ${holdsMib(spawner)}`);
    } finally {
      await executor.stop();
    }
    assert.deepEqual(childrenOf(process.pid), []);
  });

  test('what a start through the guardian costs, beside a plain spawn', async (context) => {
    const executor = await startExecutor(8);
    try {
      const rounds = { executor: [] as number[], plain: [] as number[] };
      for (let round = 0; round < 3; round += 1) {
        rounds.executor.push(await inLanes(8, 100, throughExecutor(executor)));
        rounds.plain.push(await inLanes(8, 100, withoutExecutor));
      }
      const [executorRate, plainRate] = [Math.max(...rounds.executor), Math.max(...rounds.plain)];
      context.diagnostic(
        `runs/s: executor ${executorRate.toFixed(0)}, plain spawn ${plainRate.toFixed(0)}, ` +
          `ratio ${(executorRate / plainRate).toFixed(2)}`,
      );
    } finally {
      await executor.stop();
    }
  });
});

function childrenOf(pid: number): number[] {
  return listProcesses()
    .filter((info) => info.parentId === pid)
    .map((info) => info.pid);
}
