/**
 * What a deleted job leaves behind, with real workers: nothing but its tombstone, however late its last
 * run ends; and nothing that a job of the same name inherits, also when it was made anew by hand while
 * nobody watched.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeCursor } from '../../shared/protocol/cursor.ts';
import { tombstoneLifeMs } from '../../shared/protocol/sweep.ts';
import { reportFault } from '../support/fault-report.ts';
import { forSeconds } from '../support/fault-time.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

const hourMs = 3_600_000;

async function keysOf(mesh: TestMesh, name: string): Promise<string[]> {
  const all = await mesh.list('');
  return all
    .map(({ key }) => key.slice(mesh.keys.root.length))
    .filter((key) => key.split('/')[1] === name);
}

async function running(mesh: TestMesh, name: string): Promise<void> {
  await waitFor(() => readOracle(mesh.oracle).some(({ job }) => job === name), {
    timeoutMs: 20_000,
    describe: () => `a run of ${name}`,
  });
}

describe('a deleted job', { concurrency: false }, () => {
  it('leaves its tombstone and nothing else, although its run goes on for a while', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2']);
      const command = noteRun(mesh.oracle, 'sleep 3');
      await mesh.putJob({ name: 'gone', command, cronExpr: '* * * * * *' });
      await running(mesh, 'gone');
      await mesh.deleteKey(mesh.keys.job('gone'));
      const left = await waitFor(
        async () => {
          const rows = await mesh.rows();
          const isOver = rows.length > 0 && rows.every(({ outcome }) => outcome !== undefined);
          const keys = await keysOf(mesh, 'gone');
          return isOver && !keys.some((key) => /^(lock|done)\//.test(key)) ? keys : undefined;
        },
        { timeoutMs: 20_000, describe: () => 'the last run to be over' },
      );
      reportFault(t, 'a job deleted under its run', {}, `keys left: ${left.join(', ')}`);
      assert.deepEqual(left, ['cursor/gone']);
      assert.ok((await mesh.rows()).some(({ outcome }) => outcome === 'succeeded'));
    });
  });

  it('is forgotten when its tombstone is older than any trigger could be, and can come back', async (t) => {
    await withMesh({}, async (mesh) => {
      const tombstone = (name: string, ageMs: number): Promise<unknown> => {
        const tick = Date.now() - ageMs;
        return mesh.putKey(mesh.keys.cursor(name), encodeCursor({ tick, schedule: 'x' }));
      };
      await tombstone('old', tombstoneLifeMs + 2 * hourMs);
      await tombstone('young', tombstoneLifeMs - hourMs);
      await mesh.startWorkers(['w1', 'w2']);
      const beganAt = Date.now();
      await waitFor(async () => (await keysOf(mesh, 'old')).length === 0, {
        timeoutMs: 150_000,
        intervalMs: 500,
        describe: () => 'the old tombstone to be swept',
      });
      const note = `swept ${Date.now() - beganAt} ms after the start`;
      reportFault(t, 'an old tombstone', {}, note);
      assert.deepEqual(await keysOf(mesh, 'young'), ['cursor/young']);
      const bornMs = Date.now();
      await mesh.putJob({ name: 'old', command: noteRun(mesh.oracle), cronExpr: '* * * * * *' });
      await running(mesh, 'old');
      assert.ok(readOracle(mesh.oracle).every(({ tick }) => tick > bornMs - 1_300));
    });
  });

  it('made anew by hand while nobody watched, fires nothing from before its time', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1']);
      const job = { name: 'anew', command: noteRun(mesh.oracle), cronExpr: '* * * * * *' };
      await mesh.putJob({ ...job, misfire: 'all', misfireLimit: 100 });
      await running(mesh, 'anew');
      await mesh.workers.get('w1')?.stop();
      await forSeconds(3);
      await mesh.deleteKey(mesh.keys.job('anew'));
      await mesh.putJob({ ...job, misfire: 'all', misfireLimit: 100 });
      const bornMs = Date.now();
      const before = readOracle(mesh.oracle).length;
      mesh.startWorker('w1');
      await waitFor(() => readOracle(mesh.oracle).length >= before + 3, {
        timeoutMs: 30_000,
        describe: () => 'the new job to run',
      });
      // A catch-up of the former life would come within half a minute.
      await waitFor(async () => (await mesh.list('trigger/anew/')).length === 0, {
        timeoutMs: 60_000,
        describe: () => 'no catch-up to wait',
      });
      const lines = readOracle(mesh.oracle).slice(before);
      const early = lines.filter(({ tick }) => tick < bornMs - 1_300);
      const missed = (await mesh.rows()).filter(({ outcome }) => outcome === 'missed');
      const note = `runs from before its time ${early.length}, spans missed ${missed.length}`;
      reportFault(t, 'a job made anew by hand', { ran: lines.length }, note);
      assert.deepEqual(early, []);
      assert.ok(missed.length > 0, 'what the former life missed is a row');
    });
  });
});
