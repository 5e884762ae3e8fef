/**
 * Clocks that are wrong by minutes, or step by an hour while the mesh runs: such a worker claims
 * nothing and says why, the others go on, and it comes back by itself. Nothing runs twice, nothing is
 * missed, nothing storms.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { decodeValue, workerSchema, type WorkerValue } from '../../shared/protocol/values.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, readOracle, tallySeconds } from '../support/oracle.ts';
import { findProgram } from '../support/programs.ts';
import { waitFor } from '../support/server-process.ts';

const jobs = Array.from({ length: 20 }, (_, i) => `clock-${i}`);

async function putJobs(mesh: TestMesh): Promise<number> {
  for (const name of jobs) {
    await mesh.putJob({
      name,
      command: noteRun(mesh.oracle, 'sleep 0.03'),
      cronExpr: '* * * * * *',
      concurrency: 'allow',
    });
  }
  await waitFor(() => new Set(readOracle(mesh.oracle).map(({ job }) => job)).size === jobs.length, {
    timeoutMs: 20_000,
    describe: () => 'every job to run',
  });
  return Math.ceil(Date.now() / 1_000) * 1_000 + 1_000;
}

async function assertEveryTickOnce(t: TestContext, mesh: TestMesh, from: number): Promise<void> {
  const to = Math.floor(Date.now() / 1_000) * 1_000;
  await waitFor(() => readOracle(mesh.oracle).some(({ tick }) => tick > to + 3_000), {
    timeoutMs: 20_000,
    describe: () => 'later ticks',
  });
  const lines = readOracle(mesh.oracle);
  const tally = tallySeconds(lines, jobs, from, to);
  const future = lines.filter(({ tick, atMs }) => tick > atMs + 1_000);
  t.diagnostic(
    `expected ${tally.expected}, ran ${tally.ran}, twice ${tally.twice.length}, missing ${tally.missing.length}, early ${future.length}`,
  );
  assert.deepEqual(tally.twice, []);
  assert.deepEqual(tally.missing, []);
  assert.deepEqual(future, [], 'no tick of another hour was run');
}

async function beat(mesh: TestMesh, id: string): Promise<WorkerValue | undefined> {
  const found = (await mesh.list('workers/')).find(({ key }) => key === mesh.keys.worker(id));
  return found && decodeValue(workerSchema, found.value);
}

async function untilState(
  mesh: TestMesh,
  id: string,
  state: WorkerValue['state'],
): Promise<WorkerValue> {
  return waitFor(
    async () => {
      const value = await beat(mesh, id);
      return value?.state === state ? value : undefined;
    },
    { timeoutMs: 20_000, intervalMs: 100, describe: () => `${id} to be ${state}` },
  );
}

describe('wrong clocks', { concurrency: false }, () => {
  it('keeps workers out whose clocks are a minute off, and runs everything once', async (t) => {
    await withMesh({}, async (mesh) => {
      const library = findProgram('faketime');
      mesh.startWorker('late', { faketime: { library, offset: '-60' } });
      mesh.startWorker('early', { faketime: { library, offset: '+60' } });
      await mesh.startWorkers(['w1', 'w2']);
      for (const id of ['late', 'early']) {
        const { reasons } = await untilState(mesh, id, 'blocked');
        assert.match(reasons.join(), /clock is off by -?(59|60)\d{3} ms/);
      }
      const from = await putJobs(mesh);
      await waitFor(() => Date.now() > from + 20_000, {
        timeoutMs: 40_000,
        describe: () => 'time',
      });
      await assertEveryTickOnce(t, mesh, from);
      const workers = new Set((await mesh.rows()).map(({ worker }) => worker));
      assert.ok(!workers.has('late') && !workers.has('early'));
    });
  });

  it('stops a worker whose clock steps by an hour, either way, and lets it back in', async (t) => {
    await withMesh({}, async (mesh) => {
      const library = findProgram('faketime');
      const file = path.join(mesh.folder, 'faketime');
      writeFileSync(file, '+0\n');
      mesh.startWorker('stepper', { faketime: { library, offset: '+0', file } });
      await mesh.startWorkers(['w1', 'w2']);
      await untilState(mesh, 'stepper', 'ready');
      const from = await putJobs(mesh);
      for (const offset of ['+3600', '-3600']) {
        writeFileSync(file, `${offset}\n`);
        const { reasons } = await untilState(mesh, 'stepper', 'blocked');
        assert.match(reasons.join(), /clock/);
        writeFileSync(file, '+0\n');
        await untilState(mesh, 'stepper', 'ready');
      }
      await assertEveryTickOnce(t, mesh, from);
    });
  });
});
