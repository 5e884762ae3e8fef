/**
 * Keys of the mesh's own that somebody wrote or removed by hand: nothing waits for them for ever or in
 * silence, and other jobs are not touched by it.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { jobDetailShape, jobListShape, overviewShape } from '../../master/api/shapes.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

const patience = { timeoutMs: 25_000, intervalMs: 200 };

async function ran(mesh: TestMesh, job: string, afterMs = 0): Promise<void> {
  await waitFor(
    () => readOracle(mesh.oracle).some((line) => line.job === job && line.atMs > afterMs),
    { ...patience, describe: () => `a run of ${job}` },
  );
}

describe('keys by hand', { concurrency: false }, () => {
  it('are accounted for or shown, and have a way out', async () => {
    await withMesh({}, async (mesh) => {
      const { keys } = mesh;
      await mesh.startWorkers(['w1', 'w2']);
      const { url } = await mesh.startMaster();
      const get = async (path: string): Promise<unknown> =>
        (await fetch(`${url}/api/v1${path}`)).json();
      const command = noteRun(mesh.oracle, ':');
      const cronExpr = '*/2 * * * * *';
      await mesh.putKey(keys.fire('locked', 'junk'), 'junk');
      await mesh.putKey(keys.fire('queued', 'junk'), '{"v":1}');
      await mesh.putKey(keys.slot('slotted', 0), 'nobody');
      await mesh.putKey(keys.trigger('locked', 'junk'), 'junk');
      await mesh.putKey(keys.trigger('good', 'newer'), '{"v":2}');
      await mesh.putKey(keys.done('good', 'junk'), '[]');
      await mesh.putKey(keys.cursor('ahead'), '0004000000000000 */2 * * * * * * UTC');
      await mesh.putJob({ name: 'locked', command, cronExpr });
      await mesh.putJob({ name: 'queued', command, cronExpr, concurrency: 'queue' });
      await mesh.putJob({
        name: 'slotted',
        command,
        cronExpr,
        concurrency: 'allow',
        maxConcurrent: 2,
      });
      await mesh.putJob({ name: 'ahead', command, cronExpr });
      await mesh.putJob({ name: 'good', command, cronExpr });

      await ran(mesh, 'good');
      await ran(mesh, 'slotted');
      const reasons = await waitFor(
        async () => {
          const rows = (await mesh.rows()).filter(({ outcome }) => outcome === 'skipped');
          const texts = rows.map(({ job, reason }) => `${job}: ${reason ?? ''}`);
          const wanted = ['lock/locked/junk', 'lock/queued/junk', 'trigger/locked/junk'];
          return wanted.every((key) => texts.some((text) => text.includes(key)))
            ? texts
            : undefined;
        },
        { ...patience, describe: () => 'a reason for everything that did not run' },
      );
      assert.ok(
        reasons.some((text) => /locked: a run may be open: .* is not JSON/.test(text)),
        reasons.join('\n'),
      );
      assert.deepEqual(await mesh.list('trigger/locked/'), []);
      assert.equal((await mesh.list('trigger/good/')).length, 1, 'a newer one is left alone');

      const { notes } = overviewShape.parse(await get('/overview'));
      for (const key of ['lock/locked/junk', 'lock/queued/junk', 'done/good/junk']) {
        assert.ok(
          notes.some((note) => note.includes(key)),
          `${key} in ${notes.join('\n')}`,
        );
      }
      const list = jobListShape.parse(await get('/jobs?status=attention'));
      assert.deepEqual(
        list.items.map(({ name }) => name),
        ['ahead', 'good', 'locked', 'queued'],
      );
      const ahead = jobDetailShape.parse(await get('/jobs/ahead'));
      assert.match(ahead.attention.join(), /nothing fires before 2096-10-02/);
      assert.ok(ahead.nextTicks.every((tick) => tick > 4_000_000_000_000));

      // The way out that the reasons name.
      const cleared = Date.now();
      await mesh.deleteKey(keys.fire('locked', 'junk'));
      await mesh.deleteKey(keys.fire('queued', 'junk'));
      await mesh.deleteKey(keys.cursor('ahead'));
      for (const job of ['locked', 'queued', 'ahead', 'good']) await ran(mesh, job, cleared);
      await waitFor(async () => (await mesh.list('slot/')).length === 0, {
        ...patience,
        describe: () => 'the slot without a fire to be freed',
      });
    });
  });
});
