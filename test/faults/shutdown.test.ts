/**
 * Shutdown is clean. At SIGTERM a worker claims nothing more and says so, what runs may finish within
 * the grace and is ended after it, history goes out, and at the exit its entry in the registry is gone
 * at once, not with its lease. The others take every fire: none is lost, none is missing.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { audit, firstCommonTick, quiet } from '../support/audit.ts';
import { assertNoneMissing, reportAudit } from '../support/fault-report.ts';
import { sized } from '../support/fault-size.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

const workers = ['w1', 'w2', 'w3'];
const short = Array.from({ length: 10 }, (_, i) => `short-${i}`);
const graceSeconds = 4;
const flags = ['--drain-seconds', String(graceSeconds)];

interface Stopped {
  readonly exitMs: number;
  /** From the exit until the registration was gone. */
  readonly goneMs: number;
  /** Runs that it began later than half a second after the signal. */
  readonly lateStarts: number;
}

async function stop(mesh: TestMesh, id: string): Promise<Stopped> {
  const worker = mesh.workers.get(id);
  assert.ok(worker);
  const askedAt = Date.now();
  worker.signal('SIGTERM');
  // With nothing in hand it is gone before it could be seen to drain.
  await waitFor(async () => ((await mesh.registration(id))?.state ?? 'draining') === 'draining', {
    timeoutMs: 2_000,
    intervalMs: 10,
    describe: () => `${id} to say that it drains`,
  });
  await worker.exited();
  const exitedAt = Date.now();
  await waitFor(async () => (await mesh.registration(id)) === undefined, {
    timeoutMs: 10_000,
    intervalMs: 5,
    describe: () => `the entry of ${id} to be gone`,
  });
  const goneMs = Date.now() - exitedAt;
  const begunLate = (await mesh.rows()).filter(
    ({ worker: by, startedAt = 0 }) => by === id && startedAt > askedAt + 500,
  );
  return { exitMs: exitedAt - askedAt, goneMs, lateStarts: begunLate.length };
}

describe('shutdown', { concurrency: false }, () => {
  it(
    'by SIGTERM: nothing more is claimed, runs finish, the entry is gone at once',
    { timeout: 200_000 },
    async (t) => {
      await withMesh({}, async (mesh) => {
        await mesh.startWorkers(workers, { flags });
        for (const name of short) {
          await mesh.putJob({
            name,
            command: noteRun(mesh.oracle, 'sleep 1; echo whole'),
            cronExpr: '* * * * * *',
            concurrency: 'allow',
          });
        }
        await waitFor(
          () => new Set(readOracle(mesh.oracle).map(({ job }) => job)).size === short.length,
          { timeoutMs: 20_000, describe: () => 'every job to run' },
        );
        const from = firstCommonTick(readOracle(mesh.oracle));
        const stops: Stopped[] = [];
        for (let round = 0; round < sized(1, 5); round++) {
          for (const id of ['w1', 'w2']) {
            stops.push(await stop(mesh, id));
            await mesh.startWorkers([id], { flags });
          }
        }
        const to = Math.floor(Date.now() / 1_000) * 1_000;
        await waitFor(() => readOracle(mesh.oracle).some(({ tick }) => tick > to + 1_000), {
          timeoutMs: 10_000,
          describe: () => 'later ticks',
        });
        await quiet(mesh, short);
        const found = await audit(mesh, { jobs: short, from, to });
        const exitMs = Math.max(...stops.map((each) => each.exitMs));
        const goneMs = Math.max(...stops.map((each) => each.goneMs));
        const lateStarts = stops.reduce((sum, each) => sum + each.lateStarts, 0);
        const note = `${stops.length} stops, starts after the signal ${lateStarts}, exit after at most ${exitMs} ms, entry gone ${goneMs} ms after it`;
        reportAudit(t, 'workers stopped and started in turn', found, note);
        assertNoneMissing(found);
        assert.equal(found.lost, 0);
        assert.equal(lateStarts, 0);
        assert.ok(goneMs < 250, `the entry was gone ${goneMs} ms after the exit`);
        const rows = (await mesh.rows()).filter(({ kind }) => kind === 'run');
        assert.ok(
          rows.every(({ outcome }) => outcome === 'succeeded'),
          'what ran could finish within the grace',
        );
      });
    },
  );

  it(
    'ends what is still running after the grace, and accounts for it',
    { timeout: 100_000 },
    async (t) => {
      await withMesh({}, async (mesh) => {
        await mesh.startWorkers(['w1'], { flags });
        await mesh.putJob({
          name: 'long',
          command: noteRun(mesh.oracle, 'echo begun; sleep 300'),
          cronExpr: '* * * * * *',
          killGraceSeconds: 1,
        });
        await waitFor(() => readOracle(mesh.oracle).length > 0, {
          timeoutMs: 20_000,
          describe: () => 'the run',
        });
        const from = firstCommonTick(readOracle(mesh.oracle));
        const { exitMs, goneMs } = await stop(mesh, 'w1');
        await mesh.startWorkers(['w2'], { flags });
        await waitFor(() => readOracle(mesh.oracle).length > 1, {
          timeoutMs: 20_000,
          describe: () => 'the next run, elsewhere',
        });
        const to = Math.max(...readOracle(mesh.oracle).map(({ tick }) => tick));
        await mesh.putKey(mesh.keys.killer('long'), '');
        await quiet(mesh, ['long']);
        const found = await audit(mesh, { jobs: ['long'], from, to, exclusive: true });
        const first = (await mesh.rows()).find(({ kind }) => kind === 'run');
        const note = `${first?.outcome}: ${first?.reason}; exit after ${exitMs} ms with a grace of ${graceSeconds} s, entry gone ${goneMs} ms after it`;
        reportAudit(t, 'worker stopped under a long run', found, note);
        assert.equal(first?.outcome, 'killed');
        assert.match(first.reason ?? '', /the worker was stopped/);
        assert.ok(exitMs >= graceSeconds * 1_000 && exitMs < (graceSeconds + 5) * 1_000);
        assert.ok(goneMs < 250, `the entry was gone ${goneMs} ms after the exit`);
      });
    },
  );
});
