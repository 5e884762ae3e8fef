/**
 * The promise that an end reaches the whole tree, on whole workers: a kill order in etcd against
 * processes that left their group, and a worker that comes back to what its former self left.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { theGuardian } from '../support/executor-rig.ts';
import { reportFault } from '../support/fault-report.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { TokenFolder } from '../support/process-tokens.ts';
import { waitFor } from '../support/server-process.ts';

const graceSeconds = 1;

async function withFolder(
  body: (mesh: TestMesh, folder: TokenFolder) => Promise<void>,
): Promise<void> {
  const folder = new TokenFolder();
  try {
    await withMesh({}, (mesh) => body(mesh, folder));
  } finally {
    folder.stop();
  }
}

/** A command with children outside its group that ignore TERM, or hand themselves on for ever. */
function stubborn(folder: TokenFolder): string {
  const { nap } = folder;
  const relay = folder.script('relay', `trap '' TERM; [ -e $STOP ] && exit; setsid "$0" & exit`);
  return `trap '' TERM
    setsid ${nap} 60 &
    (setsid sh -c 'trap "" TERM; ${nap} 60; ${nap} 60' &)
    (setsid sh -c '(${nap} 60 &); exit' &)
    ${relay}
    ${nap} 60; ${nap} 60`;
}

async function untilUp(mesh: TestMesh, folder: TokenFolder): Promise<void> {
  await waitFor(() => folder.find('nap 60').length >= 5, {
    timeoutMs: 20_000,
    describe: () =>
      `the tree to be up; ${[...mesh.workers.values()].map((w) => w.output.slice(-800)).join('\n')}`,
  });
}

async function isRegistered(mesh: TestMesh, pid: number): Promise<boolean> {
  const values = (await mesh.list('workers/')).map(({ value }) => value.toString());
  return values.some((text) => text.includes(`"pid":${String(pid)},`));
}

describe('whole process trees', { concurrency: false }, () => {
  it('are gone within the grace and a second after a kill order', async (context) => {
    await withFolder(async (mesh, folder) => {
      await mesh.startWorkers(['w1']);
      await mesh.putJob({
        name: 'stubborn',
        command: stubborn(folder),
        cronExpr: '* * * * * *',
        killGraceSeconds: graceSeconds,
      });
      await untilUp(mesh, folder);
      // The kill frees the slot, and no later run may come into the picture.
      await mesh.putJob({
        name: 'stubborn',
        command: 'true',
        cronExpr: '0 0 1 1 *',
        killGraceSeconds: graceSeconds,
      });
      const put = { put: { key: mesh.keys.killer('stubborn'), value: '' } };
      const orderedMs = performance.now();
      await mesh.etcd.txn({ compare: [], success: [put], failure: [] });
      await waitFor(() => folder.find().length === 0, {
        timeoutMs: 10_000,
        intervalMs: 10,
        describe: () => `${String(folder.find().length)} processes to be gone`,
      });
      const tookMs = performance.now() - orderedMs;
      const note = `gone ${(tookMs - graceSeconds * 1_000).toFixed(0)} ms after the grace`;
      reportFault(context, 'kill of a tree that left its group', {}, note);
      assert.ok(tookMs < (graceSeconds + 1) * 1_000, `${tookMs.toFixed(0)} ms`);
      await waitFor(async () => (await mesh.rows()).some(({ outcome }) => outcome === 'killed'), {
        timeoutMs: 10_000,
        describe: () => 'the killed run in history',
      });
    });
  });

  it('left by a worker that was killed with its guardian are ended by its next life', async (context) => {
    await withFolder(async (mesh, folder) => {
      await mesh.startWorkers(['w1']);
      await mesh.putJob({
        name: 'daemon',
        command: `[ -e ${folder.file('one')} ] || { touch ${folder.file('one')}; setsid ${folder.nap} 77 > /dev/null 2>&1 & }`,
        cronExpr: '* * * * * *',
      });
      await waitFor(
        async () =>
          folder.find(' 77').length === 1 &&
          (await mesh.rows()).some(
            ({ job, outcome }) => job === 'daemon' && outcome === 'succeeded',
          ),
        { timeoutMs: 20_000, describe: () => 'a daemon of an ended run' },
      );
      await mesh.deleteKey(mesh.keys.job('daemon'));
      await mesh.putJob({ name: 'stubborn', command: stubborn(folder), cronExpr: '* * * * * *' });
      await untilUp(mesh, folder);
      const worker = mesh.workers.get('w1');
      assert.ok(worker);
      await mesh.deleteKey(mesh.keys.job('stubborn'));
      const guardian = theGuardian(worker.pid);
      process.kill(guardian, 'SIGSTOP');
      await worker.kill();
      process.kill(guardian, 'SIGKILL');
      // The group goes with the spawner.
      assert.ok(folder.find('nap 60').length >= 2, 'what left the group outlives both');

      const startedMs = performance.now();
      const next = mesh.startWorker('w1');
      await waitFor(() => folder.find(' 60').length + folder.find('relay').length === 0, {
        timeoutMs: 20_000,
        intervalMs: 10,
        describe: () => `the trees to be gone; ${next.output.slice(-2_000)}`,
      });
      assert.equal(await isRegistered(mesh, next.pid), false);
      const note = `gone ${(performance.now() - startedMs).toFixed(0)} ms after the restart, before it was in service`;
      reportFault(context, 'trees of a former life', { lost: 1 }, note);
      await waitFor(() => isRegistered(mesh, next.pid), {
        timeoutMs: 30_000,
        describe: () => `the next life to be in service; ${next.output.slice(-2_000)}`,
      });
      assert.equal(folder.find(' 77').length, 1);
      const line = next.output.split('\n').find((text) => text.includes('the former life left'));
      assert.match(line ?? '', /"runId":"\w+","job":"stubborn"/);
      assert.equal(next.output.includes('"job":"daemon"'), false);
      await waitFor(async () => (await mesh.rows()).some(({ outcome }) => outcome === 'lost'), {
        timeoutMs: 30_000,
        describe: () => 'the run to be settled as lost',
      });
    });
  });
});
