/**
 * A definition that is changed, paused, deleted or made anew stops firing its old form at once: no
 * run whose claim is younger than the change belongs to the old definition. A bad definition stops
 * nothing but itself.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

const name = 'subject';
const workers = ['w1', 'w2', 'w3'];

describe('definition discipline', { concurrency: false }, () => {
  it('never runs an old definition after an edit, pause, delete or re-creation', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(workers);
      /** From this revision on, only `what` may be claimed. */
      const changes: { revision: number; what: string }[] = [];
      const change = async (what: string, enabled = true): Promise<void> => {
        await mesh.putJob({
          name,
          command: noteRun(mesh.oracle, 'sleep 0.02', what),
          cronExpr: '* * * * * *',
          concurrency: 'allow',
          enabled,
        });
        changes.push({ revision: await jobRevision(mesh), what: enabled ? what : '' });
      };
      for (let round = 0; round < 4; round++) {
        await change(`edit-${round}`);
        await ran(mesh, `edit-${round}`);
        await change(`again-${round}`);
        await ran(mesh, `again-${round}`);
        await change(`paused-${round}`, false);
        await secondsPass(2);
        await mesh.deleteKey(mesh.keys.job(name));
        changes.push({
          revision: await mesh.etcd.ping().then(({ revision }) => revision),
          what: '',
        });
        await secondsPass(1);
      }
      const lines = readOracle(mesh.oracle);
      const stale = lines.filter(({ fence, what }) => {
        const standing = changes.findLast(({ revision }) => revision < fence);
        return standing !== undefined && standing.what !== what;
      });
      t.diagnostic(`changes ${changes.length}, runs ${lines.length}, stale runs ${stale.length}`);
      assert.deepEqual(stale, []);
      assert.ok(lines.length >= 8);
      const ticks = lines.map(({ tick }) => tick);
      assert.equal(new Set(ticks).size, ticks.length, 'no tick ran twice');
    });
  });

  it('sets a bad definition aside, runs the others, and takes it once it is mended', async () => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2']);
      await mesh.putJob('{"name":"broken","command":', 'broken');
      await mesh.putJob(
        '{"name":"unknown","command":"true","cronExpr":"* * * * * *","colour":1}',
        'unknown',
      );
      await mesh.putJob(Buffer.from([0xff, 0xfe, 0x00]).toString('latin1'), 'binary');
      await mesh.putJob({
        name: 'good',
        command: noteRun(mesh.oracle),
        cronExpr: '* * * * * *',
      });
      await waitFor(() => readOracle(mesh.oracle).filter(({ job }) => job === 'good').length >= 3, {
        timeoutMs: 15_000,
        describe: () => 'the good job to run beside bad ones',
      });
      await mesh.putJob({ name: 'broken', command: noteRun(mesh.oracle), cronExpr: '* * * * * *' });
      await waitFor(() => readOracle(mesh.oracle).some(({ job }) => job === 'broken'), {
        timeoutMs: 10_000,
        describe: () => 'the mended job to run',
      });
    });
  });
});

async function jobRevision(mesh: TestMesh): Promise<number> {
  const [kv] = (await mesh.etcd.range({ key: mesh.keys.job(name) })).kvs;
  assert.ok(kv !== undefined);
  return kv.modRevision;
}

async function ran(mesh: TestMesh, what: string): Promise<void> {
  await waitFor(() => readOracle(mesh.oracle).some((line) => line.what === what), {
    timeoutMs: 10_000,
    describe: () => `a run of ${what}`,
  });
}

async function secondsPass(seconds: number): Promise<void> {
  const until = Date.now() + seconds * 1_000;
  await waitFor(() => Date.now() >= until, { timeoutMs: 60_000, describe: () => 'time to pass' });
}
