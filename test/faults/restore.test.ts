/**
 * etcd is restored from a backup, under everything that runs: by its own tools, under another cluster
 * id or the same, and from a copied data folder; with the workers alive, one killed in the middle of
 * the re-base, or all of them stopped meanwhile. What ran since the backup does not run again, nothing
 * is unaccounted for, what history says of a run stays, no-overlap jobs do not overlap, and everything
 * goes on.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { HistoryRow } from '../../shared/history/records.ts';
import { clusterSchema, decodeValue, encodeValue } from '../../shared/protocol/values.ts';
import { firstCommonTick, quiet } from '../support/audit.ts';
import { copyCold, putBack, restoreSnapshot, saveSnapshot } from '../support/etcd-backup.ts';
import type { EtcdMember } from '../support/etcd-server.ts';
import { reportFault } from '../support/fault-report.ts';
import { forSeconds } from '../support/fault-time.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteLife, noteRun, overlapMs, readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

const workers = ['w1', 'w2', 'w3'];
const steady = ['steady-1', 'steady-2', 'steady-3'];
const alone = ['alone-1', 'alone-2'];
const jobs = [...steady, ...alone];
/** Sessions of before must have ended; the test mesh has a TTL of 5 s. */
const resumedWithinMs = 15_000;
/** When they have to be started first. */
const startedWithinMs = 30_000;

interface Way {
  readonly name: string;
  backUp(member: EtcdMember, file: string): Promise<void>;
  restore(member: EtcdMember, file: string): Promise<void>;
  /** Around the restore. */
  readonly before?: (mesh: TestMesh) => Promise<void>;
  readonly after?: (mesh: TestMesh) => Promise<void>;
}

async function putJobs(mesh: TestMesh): Promise<void> {
  const cronExpr = '* * * * * *';
  for (const name of steady) {
    const command = noteRun(mesh.oracle, 'sleep 0.02');
    await mesh.putJob({ name, command, cronExpr, concurrency: 'allow' });
  }
  for (const name of alone) {
    await mesh.putJob({ name, command: noteLife(mesh.oracle, 30), cronExpr });
  }
  const ran = (): Set<string> => new Set(readOracle(mesh.oracle).map(({ job }) => job));
  await waitFor(() => ran().size === jobs.length, {
    timeoutMs: 30_000,
    describe: () => 'every job to run',
  });
}

/** A job that is triggered once, runs for so long, and never by schedule. */
async function startLong(mesh: TestMesh, name: string, seconds: number): Promise<void> {
  await mesh.putJob({
    name,
    command: `${noteRun(mesh.oracle, `sleep ${seconds}`, 'begun')}; ${noteRun(mesh.oracle, ':', 'ended')}`,
    cronExpr: '0 0 0 1 1 *',
    concurrency: 'allow',
  });
  await putTrigger(mesh, name, Date.now());
  await waitFor(() => readOracle(mesh.oracle).some((line) => line.job === name), {
    timeoutMs: 15_000,
    describe: () => `${name} to begin`,
  });
}

async function putTrigger(mesh: TestMesh, name: string, notBefore: number): Promise<void> {
  const { key } = { key: mesh.keys.job(name) };
  const created = (await mesh.etcd.range({ key })).kvs[0]?.createRevision ?? 0;
  const trigger = {
    v: 1,
    cause: 'manual',
    tick: notBefore,
    notBefore,
    expires: notBefore + 600_000,
    attempt: 1,
    jobCreate: created,
  };
  const put = { key: mesh.keys.trigger(name, `m${notBefore}`), value: encodeValue(trigger) };
  await mesh.etcd.txn({ compare: [], success: [{ put }], failure: [] });
}

async function suffer(t: TestContext, mesh: TestMesh, way: Way): Promise<void> {
  const member = mesh.etcdServer.member();
  const file = path.join(mesh.folder, 'backup');
  await mesh.startWorkers(workers);
  const { url } = await mesh.startMaster();
  await putJobs(mesh);
  const from = firstCommonTick(readOracle(mesh.oracle));
  await startLong(mesh, 'long-before', 20);
  await mesh.putJob({
    name: 'asked',
    command: noteRun(mesh.oracle),
    cronExpr: '0 0 0 1 1 *',
  });
  await putTrigger(mesh, 'asked', Date.now() + 3_000);
  await way.backUp(member, file);
  const backedUpAt = Date.now();
  await startLong(mesh, 'long-after', 15);
  await forSeconds(5);
  const stored = (await mesh.rows()).filter(({ outcome }) => outcome !== undefined);
  await way.before?.(mesh);
  await way.restore(member, file);
  const upAt = Date.now();
  await Promise.all([way.after?.(mesh), masterWaits(url)]);
  const startsAfter = (): number[] =>
    readOracle(mesh.oracle)
      .filter(({ atMs, job, what }) => atMs > upAt && what === 'run' && steady.includes(job))
      .map(({ atMs }) => atMs);
  await waitFor(() => startsAfter().length > 0, {
    timeoutMs: 60_000,
    describe: () => 'runs after the restore',
  });
  const resumedMs = Math.min(...startsAfter()) - upAt;
  await mesh.ready(workers);
  assert.ok((await fetch(`${url}/readyz`)).ok);
  const to = Math.floor(Date.now() / 1_000) * 1_000;
  await waitFor(
    () =>
      jobs.every((job) =>
        readOracle(mesh.oracle).some((line) => line.job === job && line.tick > to),
      ),
    { timeoutMs: 30_000, describe: () => 'every job to go on' },
  );
  const isAlive = way.before === undefined;
  const ended = (name: string): boolean =>
    readOracle(mesh.oracle).some(({ job, what }) => job === name && what === 'ended');
  if (isAlive) {
    await waitFor(() => ended('long-before') && ended('long-after'), {
      timeoutMs: 30_000,
      describe: () => 'the long runs to end',
    });
  }
  await quiet(mesh, [...jobs, 'long-before', 'long-after', 'asked']);
  const found = await judge(mesh, from, to);
  const record = decodeValue(clusterSchema, (await mesh.list('cluster'))[0]?.value ?? '');
  reportFault(t, way.name, found, `resumed after ${resumedMs} ms`);
  assert.equal(record?.generation, 2);
  assert.equal(record.rebase, undefined);
  const withinMs = isAlive ? resumedWithinMs : startedWithinMs;
  assert.ok(resumedMs <= withinMs, `resumed after ${resumedMs} ms`);
  await checkHistory(mesh, stored, backedUpAt, isAlive);
}

/** A master says what it waits for, and refuses what would count on the state as it is. */
async function masterWaits(url: string): Promise<void> {
  await waitFor(
    async () => {
      const readiness = await (await fetch(`${url}/readyz`)).text();
      return /"name":"restore","ok":false,"reason":"etcd was restored/.test(readiness);
    },
    { timeoutMs: 20_000, intervalMs: 50, describe: () => 'the master to tell of the restore' },
  );
  const answer = await fetch(`${url}/api/v1/jobs/asked/run`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  const { code, detail } = (await answer.json()) as { code: string; detail: string };
  assert.deepEqual([answer.status, code], [503, 'busy'], detail);
}

/** Each tick of the steady jobs ran once, or a row says why not; a restored span says neither. */
async function judge(
  mesh: TestMesh,
  from: number,
  to: number,
): Promise<{
  expected: number;
  ran: number;
  twice: number;
  unaccounted: number;
  overlapMs: number;
}> {
  const lines = readOracle(mesh.oracle);
  const rows = await mesh.rows();
  const twice: string[] = [];
  const unaccounted: string[] = [];
  const unknown: string[] = [];
  let expected = 0;
  let ran = 0;
  for (const job of steady) {
    const notRun = rows.filter((row) => row.job === job && row.kind === 'not-run');
    for (let tick = from; tick <= to; tick += 1_000) {
      expected++;
      const seen = lines.filter((line) => line.job === job && line.tick === tick);
      const accounts = notRun.filter(
        (row) =>
          tick > (row.fromTick ?? Infinity) &&
          tick <= row.tick &&
          row.excepted?.includes(tick) !== true,
      );
      if (seen.length > 1) twice.push(`${job}@${tick}`);
      // What was missed before the restore is in history, and in the restored span as well.
      const certain = accounts.filter(({ restored }) => restored !== true);
      if (certain.length > 1) twice.push(`${job}@${tick} is accounted for`);
      if (seen.length === 0 && accounts.length === 0) unaccounted.push(`${job}@${tick}`);
      if (seen.length > 0) ran++;
      if (seen.length > 0 && certain.length > 0) {
        unknown.push(`${job}@${tick} ran, and a row says that it did not`);
      }
      const row = rows.find(({ id }) => id === seen[0]?.runId);
      if (seen.length > 0 && row?.outcome !== 'succeeded') {
        unknown.push(`${job}@${tick} ran, and is ${row?.outcome ?? 'not'} in history`);
      }
    }
  }
  assert.deepEqual({ twice, unaccounted, unknown }, { twice: [], unaccounted: [], unknown: [] });
  const overlap = overlapMs(lines.filter(({ job }) => alone.includes(job)));
  assert.equal(overlap, 0, 'no-overlap jobs');
  return { expected, ran, twice: 0, unaccounted: 0, overlapMs: overlap };
}

async function checkHistory(
  mesh: TestMesh,
  stored: readonly HistoryRow[],
  backedUpAt: number,
  isAlive: boolean,
): Promise<void> {
  const rows = await mesh.rows();
  const byId = new Map(rows.map((row) => [row.id, row]));
  for (const row of stored) assert.deepEqual(byId.get(row.id), row, 'a stored outcome stands');
  const spans = rows.filter(({ kind, restored }) => kind === 'not-run' && restored === true);
  for (const job of steady) {
    const [span, ...more] = spans.filter((row) => row.job === job);
    assert.ok(span !== undefined && more.length === 0, `${job} has one span`);
    const when = /backup of about (\S+);/.exec(span.reason ?? '')?.[1];
    const offMs = Math.abs(Date.parse(when ?? '') - backedUpAt);
    assert.ok(offMs < 10_000, `${span.reason}, made ${new Date(backedUpAt).toISOString()}`);
    assert.equal(span.count, undefined, 'nobody knows how many of them ran');
  }
  for (const job of ['long-before', 'long-after']) {
    const runs = rows.filter((row) => row.job === job && row.kind === 'run');
    assert.equal(runs.length, 1);
    if (!isAlive) continue;
    assert.equal(runs[0]?.outcome, 'succeeded', `${job} went on and ended`);
    assert.equal(runs[0].lateResult, undefined);
  }
  const asked = readOracle(mesh.oracle).filter(({ job }) => job === 'asked');
  assert.equal(asked.length, 1, 'the trigger fired once');
  const refused = rows.filter((row) => row.job === 'asked' && row.kind === 'not-run');
  assert.deepEqual(
    refused.map(({ outcome, restored }) => [outcome, restored]),
    [['skipped', true]],
  );
}

const snapshot: Pick<Way, 'backUp'> = { backUp: saveSnapshot };

describe('etcd restored from a backup', { concurrency: false }, () => {
  const ways: readonly Way[] = [
    {
      ...snapshot,
      name: 'a snapshot, under another cluster id',
      restore: (member, file) => restoreSnapshot(member, file, 'another'),
    },
    {
      name: 'a copied data folder, put back; a worker killed in the middle',
      backUp: copyCold,
      restore: putBack,
      after: async (mesh) => {
        await waitFor(async () => (await mesh.list('cluster'))[0]?.value.includes('"rebase"'), {
          timeoutMs: 20_000,
          intervalMs: 5,
          describe: () => 'a re-base',
        });
        // One that has none of the long runs in hand.
        const long = (await mesh.rows()).filter(({ job }) => job.startsWith('long-'));
        const busy = new Set(long.map(({ worker }) => worker));
        const idle = workers.find((id) => !busy.has(id)) ?? 'w1';
        await mesh.workers.get(idle)?.kill();
        mesh.startWorker(idle);
      },
    },
    {
      ...snapshot,
      name: 'a snapshot, under the same cluster id, while every worker is stopped',
      restore: (member, file) => restoreSnapshot(member, file),
      before: async (mesh) => {
        await Promise.all([...mesh.workers.values()].map((worker) => worker.stop(60_000)));
      },
      after: async (mesh) => {
        await mesh.startWorkers(workers);
      },
    },
  ];
  for (const way of ways) {
    it(way.name, { timeout: 180_000 }, async (t) => {
      await withMesh({}, (mesh) => suffer(t, mesh, way));
    });
  }

  it('of all that died, and overtaken by other hands before they are back', async (t) => {
    await withMesh({}, async (mesh) => {
      const member = mesh.etcdServer.member();
      const file = path.join(mesh.folder, 'backup');
      await mesh.startWorkers(workers);
      for (const name of steady) {
        const policy = { misfire: 'all', misfireLimit: 100, concurrency: 'allow' } as const;
        const command = noteRun(mesh.oracle);
        await mesh.putJob({ name, command, cronExpr: '* * * * * *', ...policy });
      }
      const ran = (): number => readOracle(mesh.oracle).length;
      await waitFor(() => ran() > 10, { timeoutMs: 30_000, describe: () => 'runs' });
      await saveSnapshot(member, file);
      // Long enough for every worker to note on its disk how far etcd has come.
      await forSeconds(8);
      await Promise.all([...mesh.workers.values()].map((worker) => worker.kill()));
      const revision = await mesh.putKey('/elsewhere/a', 'x');
      const ranBefore = ran();
      await restoreSnapshot(member, file);
      // As far again as it had been, and further: the revision tells nothing any more.
      let now = 0;
      while (now <= revision + 10) now = await mesh.putKey('/elsewhere/b', 'y');
      await mesh.startWorkers(workers);
      await waitFor(() => ran() > ranBefore + 2 * steady.length, {
        timeoutMs: 60_000,
        describe: () => 'runs after the restore',
      });
      // Not until history is whole: of a run that died with its worker etcd knows nothing any more.
      await Promise.all(steady.map((name) => mesh.deleteKey(mesh.keys.job(name))));
      await waitFor(async () => (await mesh.fires()).length === 0, {
        timeoutMs: 30_000,
        describe: () => 'no open fire',
      });
      const fires = readOracle(mesh.oracle).map(({ job, tick }) => `${job}@${tick}`);
      const twice = fires.length - new Set(fires).size;
      const record = decodeValue(clusterSchema, (await mesh.list('cluster'))[0]?.value ?? '');
      const note = `${now - revision} revisions beyond what anybody remembers`;
      reportFault(t, 'a snapshot, overtaken by other hands', { ran: fires.length, twice }, note);
      assert.equal(twice, 0);
      assert.equal(record?.generation, 2, 'the restore was noticed');
    });
  });
});
