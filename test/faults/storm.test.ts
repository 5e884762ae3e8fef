/**
 * Five worker processes and 20 jobs a second of 20 ms: every (job, tick) runs once, whatever the
 * clocks say, and a worker killed in the middle takes nothing with it but the runs it had in hand.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { decodeValue, workerSchema } from '../../shared/protocol/values.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, readOracle, tallySeconds, type Tally } from '../support/oracle.ts';
import { findProgram } from '../support/programs.ts';
import { waitFor } from '../support/server-process.ts';

const workers = ['w1', 'w2', 'w3', 'w4', 'w5'];
const jobs = Array.from({ length: 20 }, (_, i) => `storm-${String(i).padStart(2, '0')}`);
const ticks = 60;

async function putJobs(target: TestMesh): Promise<void> {
  for (const name of jobs) {
    await target.putJob({
      name,
      command: noteRun(target.oracle),
      cronExpr: '* * * * * *',
      concurrency: 'allow',
    });
  }
}

/** Waits until every job has run a tick after `afterMs`; answers the first whole second then. */
async function allRunning(target: TestMesh): Promise<number> {
  await waitFor(
    () => new Set(readOracle(target.oracle).map(({ job }) => job)).size === jobs.length,
    { timeoutMs: 20_000, describe: () => 'every job to run once' },
  );
  return Math.ceil(Date.now() / 1_000) * 1_000 + 2_000;
}

/** Waits until a tick well after `toTick` has run everywhere, so that nothing before is under way. */
async function past(target: TestMesh, toTick: number, timeoutMs: number): Promise<void> {
  await waitFor(
    () => {
      const later = readOracle(target.oracle).filter(({ tick }) => tick > toTick + 3_000);
      return new Set(later.map(({ job }) => job)).size === jobs.length;
    },
    { timeoutMs, intervalMs: 250, describe: () => `ticks after ${toTick}` },
  );
}

function report(t: TestContext, what: string, tally: Tally): void {
  t.diagnostic(
    `${what}: expected ${tally.expected}, ran ${tally.ran}, twice ${tally.twice.length}, missing ${tally.missing.length}`,
  );
}

/** How far the workers' wall clocks are apart, by their own words in their registrations. */
async function clockSpreadMs(target: TestMesh): Promise<number> {
  const offsets = (await target.list('workers/')).map(({ value }) => {
    const beat = decodeValue(workerSchema, value);
    assert.ok(beat?.clockOffsetMs !== undefined);
    return beat.clockOffsetMs;
  });
  return Math.max(...offsets) - Math.min(...offsets);
}

async function storm(t: TestContext, target: TestMesh, what: string): Promise<void> {
  await putJobs(target);
  const from = await allRunning(target);
  const to = from + (ticks - 1) * 1_000;
  await past(target, to, (ticks + 30) * 1_000);
  const tally = tallySeconds(readOracle(target.oracle), jobs, from, to);
  report(t, what, tally);
  assert.deepEqual(tally.twice, []);
  assert.deepEqual(tally.missing, []);
  assert.equal(tally.expected, ticks * jobs.length);
}

describe('storm of short jobs', { concurrency: false }, () => {
  it('runs every tick once on five workers', { timeout: 150_000 }, async (t) => {
    await withMesh({}, async (target) => {
      await target.startWorkers(workers);
      await storm(t, target, 'five workers');
    });
  });

  it('runs every tick once with clocks up to 900 ms apart', { timeout: 150_000 }, async (t) => {
    await withMesh({}, async (target) => {
      const library = findProgram('faketime');
      for (const [index, id] of workers.entries()) {
        const offset = ['-0.9', '-0.4', '+0', '+0.4', '+0.9'][index] ?? '+0';
        target.startWorker(id, { faketime: { library, offset } });
      }
      await target.ready(workers);
      const spreadMs = await clockSpreadMs(target);
      t.diagnostic(`the workers' clocks are ${spreadMs} ms apart`);
      assert.ok(spreadMs > 1_500, 'the preloaded clock library must have taken effect');
      await storm(t, target, 'skewed clocks');
    });
  });

  it(
    'loses only what a killed worker had in hand, and records it',
    { timeout: 150_000 },
    async (t) => {
      await withMesh({}, async (target) => {
        await target.startWorkers(workers);
        await putJobs(target);
        const from = await allRunning(target);
        const to = from + 19_000;
        await waitFor(() => Date.now() > from + 5_000, {
          timeoutMs: 20_000,
          describe: () => 'time',
        });
        await target.workers.get('w3')?.kill();
        await past(target, to, 60_000);
        const tally = tallySeconds(readOracle(target.oracle), jobs, from, to);
        report(t, 'one of five killed', tally);
        assert.deepEqual(tally.twice, []);
        // What is missing must be accounted for as lost by the killed worker.
        const lost = await waitFor(
          async () => {
            const rows = await target.rows();
            const keys = new Set(
              rows
                .filter(({ outcome, worker }) => outcome === 'lost' && worker === 'w3')
                .map(({ job, tick }) => `${job}@${tick}`),
            );
            return tally.missing.every((key) => keys.has(key)) ? keys : undefined;
          },
          {
            timeoutMs: 30_000,
            intervalMs: 500,
            describe: () => `lost rows for ${tally.missing.join(', ')}`,
          },
        );
        t.diagnostic(`recorded as lost: ${lost.size}`);
      });
    },
  );
});
