/**
 * etcd may die: killed for fifteen seconds under load, or its quorum gone. Nothing starts without it,
 * the console says so, everything resumes by itself within 5 s, nothing runs twice, and every tick
 * that fell into the gap is accounted for.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { audit, firstCommonTick, quiet } from '../support/audit.ts';
import { reportAudit } from '../support/fault-report.ts';
import { sized } from '../support/fault-size.ts';
import { untilWall } from '../support/fault-time.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteLife, noteRun, readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

const workers = ['w1', 'w2', 'w3'];
const steady = ['steady-1', 'steady-2', 'steady-3', 'steady-4', 'steady-5'];
const alone = ['alone-1', 'alone-2'];
const jobs = [...steady, ...alone];
/** What was claimed in the last moment may still begin. */
const startsLaterMs = 1_500;
const resumedWithinMs = 5_000;

async function putJobs(mesh: TestMesh): Promise<void> {
  const cronExpr = '* * * * * *';
  for (const name of steady) {
    const command = noteRun(mesh.oracle, 'sleep 0.02');
    await mesh.putJob({ name, command, cronExpr, concurrency: 'allow' });
  }
  for (const name of alone) {
    await mesh.putJob({ name, command: noteLife(mesh.oracle, 30), cronExpr });
  }
  await everyJobAfter(mesh, 0);
}

/** Resolves once every job has run a tick later than `tick`. */
async function everyJobAfter(mesh: TestMesh, tick: number): Promise<void> {
  await waitFor(
    () => {
      const later = readOracle(mesh.oracle).filter((line) => line.tick > tick);
      return new Set(later.map(({ job }) => job)).size === jobs.length;
    },
    { timeoutMs: 30_000, describe: () => `every job to run after ${tick}` },
  );
}

/** When runs began that began after `atMs`. */
function startsAfter(mesh: TestMesh, atMs: number): number[] {
  const starts = new Map<string, number>();
  for (const line of readOracle(mesh.oracle)) {
    if (!starts.has(line.runId)) starts.set(line.runId, line.atMs);
  }
  return [...starts.values()].filter((start) => start > atMs);
}

interface Outage {
  readonly name: string;
  readonly seconds: number;
  begin(): Promise<void>;
  end(): Promise<void>;
}

async function suffer(t: TestContext, mesh: TestMesh, outage: Outage): Promise<void> {
  await mesh.startWorkers(workers);
  const { url } = await mesh.startMaster();
  await putJobs(mesh);
  const from = firstCommonTick(readOracle(mesh.oracle));
  await outage.begin();
  const downAt = Date.now();
  await waitFor(async () => (await readiness(url)).status === 503, {
    timeoutMs: 10_000,
    describe: () => 'the master to say that it is not ready',
  });
  const toldMs = Date.now() - downAt;
  const { text } = await readiness(url);
  assert.match(text, /"name":"etcd","ok":false,"reason":"[^"]+"/);
  await waitFor(async () => (await overviewNotes(url)).includes('has not heard etcd since'), {
    timeoutMs: 10_000,
    describe: () => 'the overview to say that what it shows is old',
  });
  await untilWall(downAt + outage.seconds * 1_000);
  const startsWhileDown = startsAfter(mesh, downAt + startsLaterMs);
  await outage.end();
  const upAt = Date.now();
  await waitFor(() => startsAfter(mesh, upAt).length > 0, {
    timeoutMs: 30_000,
    describe: () => 'runs after etcd is back',
  });
  const resumedMs = Math.min(...startsAfter(mesh, upAt)) - upAt;
  await mesh.ready(workers);
  await waitFor(async () => (await readiness(url)).status === 200, {
    timeoutMs: 10_000,
    describe: () => 'the master to be ready again',
  });
  const to = Math.floor(Date.now() / 1_000) * 1_000;
  await everyJobAfter(mesh, to);
  await quiet(mesh, jobs);
  const found = await audit(mesh, { jobs: steady, from, to });
  const exclusive = await audit(mesh, { jobs: alone, from, to, exclusive: true });
  const note = `starts while down ${startsWhileDown.length}, told after ${toldMs} ms, resumed after ${resumedMs} ms`;
  reportAudit(t, outage.name, found, note);
  reportAudit(t, `${outage.name}: no-overlap jobs`, exclusive);
  assert.deepEqual(startsWhileDown, [], 'no start without etcd');
  assert.ok(resumedMs <= resumedWithinMs, `resumed after ${resumedMs} ms`);
  assert.ok(found.missed > 0, 'what fell into the gap was missed');
}

async function readiness(url: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${url}/readyz`);
  return { status: answer.status, text: JSON.stringify(await answer.json()) };
}

async function overviewNotes(url: string): Promise<string> {
  return (await fetch(`${url}/api/v1/overview`)).text();
}

describe('etcd away', { concurrency: false }, () => {
  it('killed for fifteen seconds', { timeout: 150_000 }, async (t) => {
    await withMesh({}, async (mesh) => {
      await suffer(t, mesh, {
        name: 'etcd killed for 15 s',
        seconds: 15,
        begin: () => mesh.etcdServer.kill(),
        end: () => mesh.etcdServer.start(),
      });
    });
  });

  it('without its quorum: two of three members gone', { timeout: 300_000 }, async (t) => {
    await withMesh({ members: 3 }, async (mesh) => {
      const leader = await mesh.etcdServer.leader();
      // The leader, which does not notice at once, stays; it must not be believed.
      const gone = [0, 1, 2].filter((index) => index !== leader);
      const seconds = sized(12, 60);
      await suffer(t, mesh, {
        name: `etcd without quorum for ${seconds} s`,
        seconds,
        begin: async () => {
          await Promise.all(gone.map((index) => mesh.etcdServer.member(index).kill()));
        },
        end: () => mesh.etcdServer.start(),
      });
    });
  });
});
