/**
 * A worker that vanishes, and one that comes back. SIGKILL in the middle of runs: they are `lost`
 * within lease time + 5 s, once, their process trees are gone, and no line that reached the spool is
 * missing. One that was frozen or cut off past its lease finds its runs settled: it adds what it knows
 * without changing the verdict, and what must not overlap was killed.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import Database from 'libsql';
import type { HistoryRow } from '../../shared/history/records.ts';
import type { FireValue } from '../../shared/protocol/values.ts';
import { reportFault } from '../support/fault-report.ts';
import { sized } from '../support/fault-size.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteLife, noteRun, overlapMs, readOracle } from '../support/oracle.ts';
import { TokenFolder } from '../support/process-tokens.ts';
import { waitFor } from '../support/server-process.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const ttlMs = 5_000;
/** The shell and four children. */
const treeSize = 5;

async function rowOf(mesh: TestMesh, runId: string): Promise<HistoryRow | undefined> {
  return (await mesh.store()).getRun(runId);
}

async function lostRow(mesh: TestMesh, runId: string): Promise<HistoryRow> {
  return waitFor(
    async () => {
      const row = await rowOf(mesh, runId);
      return row?.outcome === 'lost' ? row : undefined;
    },
    { timeoutMs: 3 * ttlMs, intervalMs: 50, describe: () => `run ${runId} to be lost` },
  );
}

async function outputOf(mesh: TestMesh, runId: string): Promise<string> {
  const chunks = await (await mesh.store()).readOutput(runId, 0, 10_000_000);
  return Buffer.concat(chunks.map(({ data }) => data)).toString();
}

async function linesOf(mesh: TestMesh, runId: string): Promise<number> {
  return (await outputOf(mesh, runId)).split('\n').length - 1;
}

/** The fire of each job, once all of them are open and begun; a tick is due once in a long time. */
async function openFires(mesh: TestMesh, jobs: readonly string[]): Promise<Map<string, FireValue>> {
  return waitFor(
    async () => {
      const fires = await mesh.fires();
      const begun = new Map(readOracle(mesh.oracle).map(({ runId, job }) => [runId, job]));
      const found = new Map<string, FireValue>();
      for (const fire of fires) {
        const job = begun.get(fire.runId);
        if (job !== undefined) found.set(job, fire);
      }
      return jobs.every((job) => found.has(job)) ? found : undefined;
    },
    { timeoutMs: 20_000, intervalMs: 20, describe: () => `${jobs.join(', ')} to run` },
  );
}

/** Fires once, a few seconds from now, and then no more while the test lasts. */
function onceSoon(): string {
  const soon = new Date(Date.now() + 3_000);
  return `${soon.getUTCSeconds()} ${soon.getUTCMinutes()} ${soon.getUTCHours()} * * *`;
}

/** The highest line number that the worker's spool holds of a run; -1 for none. */
function highestSpooled(folder: string, runId: string): number {
  const spool = path.join(folder, 'spool');
  let highest = -1;
  for (const file of readdirSync(spool, { recursive: true, encoding: 'utf8' })) {
    let text: string;
    try {
      text = readFileSync(path.join(spool, file), 'latin1');
    } catch {
      continue;
    }
    for (const match of text.matchAll(new RegExp(`line (\\d+) of ${runId}\\n`, 'g'))) {
      highest = Math.max(highest, Number(match[1]));
    }
  }
  return highest;
}

describe('a worker that vanishes', { concurrency: false }, () => {
  it('killed in the middle of runs', { timeout: 300_000 }, async (t) => {
    const totals = { runs: 0, lines: 0, onlySpooled: 0, settledMs: 0, treeMs: 0 };
    for (let round = 0; round < sized(1, 5); round++) await killOnce(totals);
    const note = `${totals.runs} runs lost once each, settled after at most ${totals.settledMs} ms, trees gone after at most ${totals.treeMs} ms, ${totals.lines} lines kept, ${totals.onlySpooled} of them from the spool of the dead`;
    reportFault(t, 'worker killed in the middle of runs', { lost: totals.runs }, note);
    assert.ok(totals.onlySpooled > 0, 'there were lines that only the spool had');
  });

  for (const how of ['frozen', 'cut off'] as const) {
    it(`${how} past its lease, and back`, { timeout: 150_000 }, (t) => comeBack(t, how));
  }
});

interface Totals {
  runs: number;
  lines: number;
  onlySpooled: number;
  settledMs: number;
  treeMs: number;
}

async function killOnce(totals: Totals): Promise<void> {
  const folder = new TokenFolder();
  try {
    await withMesh({}, async (mesh) => {
      const jobs = ['talks-1', 'talks-2', 'talks-3'];
      await mesh.startWorkers(['w1', 'w2']);
      const { nap } = folder;
      // Of each tree, one child stays, and three leave its process group and their parents.
      const tree = `${nap} 60 & setsid ${nap} 60 & (setsid ${nap} 60 &); (setsid sh -c '(${nap} 60 &); exit' &)`;
      const talk = `i=0; while :; do echo "line $i of $CRON_RUN_ID"; i=$((i+1)); sleep 0.01; done`;
      const cronExpr = onceSoon();
      for (const name of jobs) {
        const command = `trap '' TERM; ${tree}; ${noteRun(mesh.oracle, talk)}`;
        await mesh.putJob({ name, command, cronExpr, concurrency: 'allow' });
      }
      const fires = await openFires(mesh, jobs);
      const victim = fires.get('talks-1')?.worker ?? '';
      const taken = [...fires.values()].filter(({ worker }) => worker === victim);
      await waitFor(
        async () =>
          folder.find(' 60').length >= jobs.length * treeSize &&
          (await outputOf(mesh, taken[0]?.runId ?? '')).includes('line 20 '),
        { timeoutMs: 20_000, describe: () => 'trees to be up and lines in history' },
      );
      // While somebody else holds the store, what is said stays in the spool.
      const holder = new Database(mesh.history.replace('sqlite:', ''));
      // A worker may be writing in this moment.
      holder.exec('PRAGMA busy_timeout = 5000');
      holder.exec('BEGIN IMMEDIATE');
      const data = path.join(mesh.folder, victim);
      const before = await linesOf(mesh, taken[0]?.runId ?? '');
      await waitFor(() => highestSpooled(data, taken[0]?.runId ?? '') > before + 10, {
        timeoutMs: 10_000,
        describe: () => 'lines in the spool alone',
      });
      const killedAt = Date.now();
      await mesh.workers.get(victim)?.kill();
      holder.exec('ROLLBACK');
      holder.close();
      const theirs = (jobs.length - taken.length) * treeSize;
      await waitFor(() => folder.find(' 60').length <= theirs, {
        timeoutMs: 5_000,
        intervalMs: 10,
        describe: () => `${folder.find(' 60').length} processes to be ${theirs}`,
      });
      totals.treeMs = Math.max(totals.treeMs, Date.now() - killedAt);
      assert.ok(totals.treeMs < 1_500, `trees gone after ${totals.treeMs} ms`);
      for (const { runId } of taken) {
        const row = await lostRow(mesh, runId);
        assert.equal(row.outputCut, true, 'its output is marked as cut');
        const settledMs = (row.endedAt ?? Infinity) - killedAt;
        assert.ok(settledMs <= ttlMs + 5_000, `settled after ${settledMs} ms`);
        totals.settledMs = Math.max(totals.settledMs, settledMs);
        totals.runs++;
        const stored = await linesOf(mesh, runId);
        const spooled = highestSpooled(data, runId) + 1;
        const settlements = [...mesh.workers.values()].flatMap(({ output }) =>
          output
            .split('\n')
            .filter((line) => line.includes(runId) && line.includes('settled as lost')),
        );
        assert.equal(settlements.length, 1, 'one survivor settled it, once');
        totals.onlySpooled += Math.max(0, spooled - stored);
        // Its next life brings what lay in its spool.
        if (mesh.workers.get(victim)?.running !== true) await mesh.startWorkers([victim]);
        await waitFor(async () => (await linesOf(mesh, runId)) >= spooled, {
          timeoutMs: 20_000,
          describe: () => `${spooled} lines of ${runId} in history`,
        });
        const lines = (await outputOf(mesh, runId)).split('\n').slice(0, -1);
        const expected = lines.map((_, index) => `line ${index} of ${runId}`);
        assert.deepEqual(lines, expected, 'no line is missing and none is there twice');
        totals.lines += lines.length;
        assert.equal((await rowOf(mesh, runId))?.outcome, 'lost', 'the verdict stands');
      }
      // What still talks would talk on until it is killed.
      for (const worker of mesh.workers.values()) await worker.kill();
    });
  } finally {
    folder.stop();
  }
}

/**
 * Three runs on one worker: one that may overlap, one that may not, one that is retried when lost. All
 * would go on beyond the lease.
 */
async function comeBack(t: TestContext, how: 'frozen' | 'cut off'): Promise<void> {
  await withMesh({}, async (mesh) => {
    const proxy = await startTcpProxy(mesh.etcdServer.member().clientPort);
    try {
      // The other worker comes later: all runs are to be in one hand.
      mesh.startWorker('gone', { endpoints: [proxy.endpoint] });
      await mesh.ready(['gone']);
      const cronExpr = onceSoon();
      const command = `echo begun; ${noteLife(mesh.oracle, 160)}; echo ended`;
      await mesh.putJob({ name: 'overlaps', command, cronExpr, concurrency: 'allow' });
      await mesh.putJob({ name: 'alone', command, cronExpr });
      await mesh.putJob({
        name: 'retried',
        command,
        cronExpr,
        concurrency: 'allow',
        retries: { max: 1, on: ['lost'], backoffSeconds: 0 },
      });
      const fires = await openFires(mesh, ['overlaps', 'alone', 'retried']);
      await mesh.startWorkers(['stays']);
      const worker = mesh.workers.get('gone');
      assert.ok(worker);
      const goneAt = Date.now();
      if (how === 'frozen') worker.freeze();
      else proxy.hang();
      const id = (job: string): string => fires.get(job)?.runId ?? '';
      for (const job of fires.keys()) {
        const settledMs = ((await lostRow(mesh, id(job))).endedAt ?? Infinity) - goneAt;
        assert.ok(settledMs <= ttlMs + 5_000, `${job} settled after ${settledMs} ms`);
      }
      if (how === 'frozen') worker.thaw();
      else proxy.resume();
      await mesh.ready(['gone']);
      const late = await waitFor(
        async () => {
          const rows = await Promise.all([...fires.keys()].map((job) => rowOf(mesh, id(job))));
          return rows.every((row) => row?.lateResult !== undefined) ? rows : undefined;
        },
        { timeoutMs: 30_000, intervalMs: 200, describe: () => 'late results' },
      );
      const told = late.map((row) => `${row?.job} ${row?.lateResult?.outcome}`).toSorted();
      const lastSignMs = (job: string): number =>
        Math.max(
          ...readOracle(mesh.oracle)
            .filter(({ runId }) => runId === id(job))
            .map(({ atMs }) => atMs),
        ) - goneAt;
      const overlap = overlapMs(readOracle(mesh.oracle).filter(({ job }) => job !== 'overlaps'));
      const note = `late results: ${told.join(', ')}; last sign of the no-overlap run ${lastSignMs('alone')} ms after`;
      reportFault(
        t,
        `worker ${how} past its lease, and back`,
        { lost: 3, overlapMs: overlap },
        note,
      );
      assert.ok(
        late.every((row) => row?.outcome === 'lost'),
        'the verdict stands',
      );
      assert.deepEqual(told, ['alone lost', 'overlaps succeeded', 'retried lost']);
      assert.equal(await outputOf(mesh, id('overlaps')), 'begun\nended\n');
      for (const job of ['alone', 'retried']) {
        const { lateResult } = late.find((row) => row?.job === job) ?? {};
        assert.match(lateResult?.reason ?? '', /session deadline has passed/);
        assert.ok(lastSignMs(job) < ttlMs, `${job} lived ${lastSignMs(job)} ms`);
      }
      assert.equal(overlap, 0);
      // The second attempt need not end for this.
      await mesh.workers.get('stays')?.kill();
    } finally {
      await proxy.close();
    }
  });
}
