/**
 * Workers that are cut off by the network, without a word to any connection: from etcd both ways, or
 * one way only, so that requests arrive whose answers never come. Rejoined after three lease times.
 * No-overlap jobs never overlap, a cut worker starts nothing once its lease could be over, and every
 * tick is accounted for. Needs root for network namespaces; without, it is counted as skipped.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { audit, firstCommonTick, quiet, type Audit } from '../support/audit.ts';
import { reportAudit } from '../support/fault-report.ts';
import { sized } from '../support/fault-size.ts';
import { untilWall } from '../support/fault-time.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import {
  createNetworkNamespace,
  type Direction,
  type NetworkNamespace,
} from '../support/network-namespace.ts';
import { noteLife, noteRun, readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

const ttlMs = 5_000;
const steady = Array.from({ length: 5 }, (_, i) => `steady-${i}`);
const alone = Array.from({ length: 8 }, (_, i) => `alone-${i}`);
const jobs = [...steady, ...alone];
const both: readonly Direction[] = ['requests', 'replies'];

interface Cut {
  readonly title: string;
  /** Which ways are cut, for `cut-1` and, when there is one, `cut-2`. */
  readonly ways: readonly (readonly Direction[])[];
}

const cuts: readonly Cut[] = sized(
  [{ title: 'one worker both ways, one without replies', ways: [both, ['replies']] }],
  [
    { title: 'one worker both ways', ways: [both] },
    { title: 'one worker without replies', ways: [['replies']] },
    { title: 'one worker without requests', ways: [['requests']] },
    { title: 'one worker both ways, one without replies', ways: [both, ['replies']] },
  ],
);

async function putJobs(mesh: TestMesh): Promise<void> {
  const cronExpr = '* * * * * *';
  for (const name of steady) {
    const command = noteRun(mesh.oracle, 'sleep 0.02');
    await mesh.putJob({ name, command, cronExpr, concurrency: 'allow' });
  }
  for (const name of alone) {
    // About 7 s each: what a cut worker has in hand would outlive its lease.
    await mesh.putJob({ name, command: noteLife(mesh.oracle, 120), cronExpr });
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
    { timeoutMs: 40_000, intervalMs: 100, describe: () => `every job to run after ${tick}` },
  );
}

/** Resolves once each of the workers has a no-overlap run in hand, with the ids of those runs. */
async function holding(mesh: TestMesh, workers: readonly string[]): Promise<string[]> {
  return waitFor(
    async () => {
      const begun = new Set(readOracle(mesh.oracle).map(({ runId }) => runId));
      const fires = (await mesh.fires()).filter(({ runId }) => begun.has(runId));
      const held = fires.filter(
        ({ worker, group }) => group === 'default' && workers.includes(worker),
      );
      return new Set(held.map(({ worker }) => worker)).size === workers.length
        ? held.map(({ runId }) => runId)
        : undefined;
    },
    { timeoutMs: 40_000, intervalMs: 10, describe: () => `${workers.join(', ')} to hold runs` },
  );
}

interface Result {
  readonly steady: Audit;
  readonly alone: Audit;
  /** Signs of life of runs that the cut workers held, after their leases could be over. */
  readonly outlived: number;
  readonly note: string;
}

async function suffer(
  mesh: TestMesh,
  namespaces: readonly NetworkNamespace[],
  { ways }: Cut,
): Promise<Result> {
  const { port } = new URL(mesh.etcdServer.endpoint);
  const cutOff = namespaces.map((namespace, index) => {
    const id = `cut-${index + 1}`;
    mesh.startWorker(id, {
      within: namespace.within,
      endpoints: [`http://${namespace.hostAddress}:${port}`],
    });
    return id;
  });
  await mesh.startWorkers(['well']);
  await mesh.ready(cutOff);
  await putJobs(mesh);
  const from = firstCommonTick(readOracle(mesh.oracle));
  await holding(mesh, cutOff);
  for (const [index, namespace] of namespaces.entries()) await namespace.cut(ways[index] ?? both);
  const cutAt = Date.now();
  const held = await mesh.fires();
  const heldByCut = new Set(
    held.filter(({ worker }) => cutOff.includes(worker)).map(({ runId }) => runId),
  );
  await untilWall(cutAt + 3 * ttlMs);
  for (const [index, namespace] of namespaces.entries()) await namespace.join(ways[index] ?? both);
  const joinedAt = Date.now();
  await mesh.ready(cutOff);
  const backMs = Date.now() - joinedAt;
  const to = Math.floor(Date.now() / 1_000) * 1_000;
  await everyJobAfter(mesh, to);
  for (const name of alone) await mesh.putKey(mesh.keys.killer(name), '');
  await quiet(mesh, jobs);
  const outlived = readOracle(mesh.oracle).filter(
    ({ runId, atMs }) => heldByCut.has(runId) && atMs > cutAt + ttlMs + 1_000,
  ).length;
  return {
    steady: await audit(mesh, { jobs: steady, from, to }),
    alone: await audit(mesh, { jobs: alone, from, to, exclusive: true }),
    outlived,
    note: `${heldByCut.size} runs in hand when cut, back ${backMs} ms after the join`,
  };
}

async function namespaceOrSkip(t: TestContext): Promise<NetworkNamespace | undefined> {
  try {
    return await createNetworkNamespace();
  } catch (error) {
    t.skip(`SKIPPED: ${String(error)}`);
    return undefined;
  }
}

describe('a network that drops everything', { concurrency: false }, () => {
  for (const cut of cuts) {
    it(`${cut.title}, rejoined after three lease times`, { timeout: 200_000 }, async (t) => {
      const namespaces: NetworkNamespace[] = [];
      try {
        for (const _ of cut.ways) {
          const namespace = await namespaceOrSkip(t);
          if (namespace === undefined) return;
          namespaces.push(namespace);
        }
        const clientHosts = namespaces.map(({ hostAddress }) => hostAddress);
        await withMesh({ clientHosts }, async (mesh) => {
          const found = await suffer(mesh, namespaces, cut);
          reportAudit(t, `cut off: ${cut.title}`, found.steady, found.note);
          reportAudit(t, `cut off: ${cut.title}: no-overlap jobs`, found.alone);
          assert.equal(found.outlived, 0, 'no run outlives the lease of a worker that is cut off');
        });
      } finally {
        for (const namespace of namespaces) await namespace.stop();
      }
    });
  }
});
