/**
 * Clocks that are wrong by up to a minute, or step by an hour while the mesh runs. Within the bound of
 * a second a worker goes on and nothing runs twice; beyond it, it claims nothing and says why, the
 * others go on, and it comes back by itself. Nothing runs early, nothing storms.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { WorkerValue } from '../../shared/protocol/values.ts';
import { audit, quiet, type Audit } from '../support/audit.ts';
import { assertNoneMissing, reportAudit } from '../support/fault-report.ts';
import { sized } from '../support/fault-size.ts';
import { forSeconds, lateness, untilWall } from '../support/fault-time.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, readOracle } from '../support/oracle.ts';
import { findProgram } from '../support/programs.ts';
import { waitFor } from '../support/server-process.ts';

const jobs = Array.from({ length: 20 }, (_, i) => `clock-${i}`);
/** Seconds that the clocks of the workers are off. */
const skews = new Map([
  ['late-60', -60],
  ['late-5', -5],
  ['late-0.9', -0.9],
  ['late-0.4', -0.4],
  ['right', 0],
  ['early-0.4', 0.4],
  ['early-0.9', 0.9],
  ['early-60', 60],
]);
const beyond = [...skews].filter(([, seconds]) => Math.abs(seconds) > 1).map(([id]) => id);
const within = [...skews.keys()].filter((id) => !beyond.includes(id));

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
    timeoutMs: 30_000,
    describe: () => 'every job to run',
  });
  return Math.ceil(Date.now() / 1_000) * 1_000 + 1_000;
}

async function auditSince(mesh: TestMesh, from: number): Promise<Audit> {
  const to = Math.floor(Date.now() / 1_000) * 1_000;
  await waitFor(() => readOracle(mesh.oracle).some(({ tick }) => tick > to + 3_000), {
    timeoutMs: 20_000,
    describe: () => 'later ticks',
  });
  await quiet(mesh, jobs);
  const early = readOracle(mesh.oracle).filter(({ tick, atMs }) => tick > atMs + 1_000);
  assert.deepEqual(early, [], 'no tick ran before its time by more than the bound');
  return audit(mesh, { jobs, from, to });
}

async function untilState(
  mesh: TestMesh,
  id: string,
  state: WorkerValue['state'],
): Promise<WorkerValue> {
  return waitFor(
    async () => {
      const value = await mesh.registration(id);
      return value?.state === state ? value : undefined;
    },
    { timeoutMs: 30_000, intervalMs: 100, describe: () => `${id} to be ${state}` },
  );
}

describe('wrong clocks', { concurrency: false }, () => {
  it('up to a minute off: nothing twice, and who is beyond the bound says so', async (t) => {
    await withMesh({}, async (mesh) => {
      const library = findProgram('faketime');
      for (const [id, seconds] of skews) {
        mesh.startWorker(id, {
          faketime: { library, offset: `${seconds < 0 ? '' : '+'}${seconds}` },
        });
      }
      await mesh.ready(within);
      for (const id of beyond) {
        const { reasons, clockOffsetMs = 0 } = await untilState(mesh, id, 'blocked');
        assert.match(reasons.join(), /clock is off by -?\d+ ms/);
        const wrongMs = Math.abs(clockOffsetMs - (skews.get(id) ?? 0) * 1_000);
        assert.ok(wrongMs <= 600, `${id} says ${clockOffsetMs} ms`);
      }
      const from = await putJobs(mesh);
      await untilWall(from + sized(15, 180) * 1_000);
      const found = await auditSince(mesh, from);
      const claimers = new Set((await mesh.rows()).map(({ worker = '' }) => worker));
      const busy = within.filter((id) => claimers.has(id));
      const { p50 } = lateness(readOracle(mesh.oracle));
      const note = `${busy.length} of ${within.length} workers within 1 s ran them, ${beyond.length} beyond claimed nothing, lateness p50 ${p50} ms`;
      reportAudit(t, 'clocks up to a minute apart', found, note);
      assertNoneMissing(found);
      assert.ok(
        beyond.every((id) => !claimers.has(id)),
        'none beyond the bound claims',
      );
      assert.ok(claimers.has('early-0.9') || claimers.has('early-0.4'), 'the skew was real');
    });
  });

  it('stepped by an hour, either way: it stops claiming, and comes back by itself', async (t) => {
    await withMesh({}, async (mesh) => {
      const library = findProgram('faketime');
      const file = path.join(mesh.folder, 'faketime');
      writeFileSync(file, '+0\n');
      mesh.startWorker('stepper', { faketime: { library, offset: '+0', file } });
      await mesh.startWorkers(['w1', 'w2']);
      await untilState(mesh, 'stepper', 'ready');
      const from = await putJobs(mesh);
      for (let round = 0; round < sized(1, 4); round++) {
        for (const offset of ['+3600', '-3600']) {
          writeFileSync(file, `${offset}\n`);
          const { reasons } = await untilState(mesh, 'stepper', 'blocked');
          assert.match(reasons.join(), /clock/);
          await forSeconds(sized(2, 10));
          writeFileSync(file, '+0\n');
          await untilState(mesh, 'stepper', 'ready');
        }
      }
      const found = await auditSince(mesh, from);
      const starts = new Map<number, number>();
      for (const { atMs } of readOracle(mesh.oracle)) {
        const second = Math.floor(atMs / 1_000);
        starts.set(second, (starts.get(second) ?? 0) + 1);
      }
      const peak = Math.max(...starts.values());
      reportAudit(t, 'clock stepped by an hour', found, `peak ${peak} starts in a second`);
      assertNoneMissing(found);
      assert.ok(peak <= 3 * jobs.length, `${peak} starts in a second of ${jobs.length} jobs`);
    });
  });
});
