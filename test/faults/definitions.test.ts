/**
 * A definition that is changed, paused, deleted or made anew stops firing its old form at once, while
 * watches are cut, hang, lose answers and fall behind a compaction: no run whose claim is younger than
 * the change belongs to the old definition. A bad definition stops nothing but itself.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { reportFault } from '../support/fault-report.ts';
import { sized } from '../support/fault-size.ts';
import { forSeconds } from '../support/fault-time.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

const subjects = Array.from({ length: 5 }, (_, i) => `subject-${i}`);
const workers = ['w1', 'w2', 'w3'];
/** These reach etcd through a proxy; the third one always sees it well. */
const disturbed = ['w1', 'w2'];

interface Change {
  readonly job: string;
  /** A claim of a younger revision must be of `what`. */
  readonly revision: number;
  /** What the runs note; '' when nothing may run. */
  readonly what: string;
}

/** Changes all subjects, and remembers what may run since when. */
class Editor {
  readonly changes: Change[] = [];
  readonly #mesh: TestMesh;

  constructor(mesh: TestMesh) {
    this.#mesh = mesh;
  }

  async put(what: string, enabled = true): Promise<void> {
    for (const name of subjects) {
      const revision = await this.#mesh.putJob({
        name,
        command: noteRun(this.#mesh.oracle, 'sleep 0.02', what),
        cronExpr: '* * * * * *',
        concurrency: 'allow',
        enabled,
      });
      this.changes.push({ job: name, revision, what: enabled ? what : '' });
    }
  }

  async delete(): Promise<void> {
    for (const job of subjects) {
      const revision = await this.#mesh.deleteKey(this.#mesh.keys.job(job));
      this.changes.push({ job, revision, what: '' });
    }
  }
}

/** What happens to the watches while definitions change. */
const disturbances: readonly ((mesh: TestMesh, proxy: TcpProxy) => void | Promise<void>)[] = [
  (_, proxy) => proxy.cut(),
  // Claims of the old definition wait in the proxy and reach etcd after the change.
  (_, proxy) => proxy.hang(),
  async (mesh, proxy) => {
    proxy.hang();
    await compact(mesh);
  },
  (_, proxy) => proxy.swallowReplies(),
];

/** Watches that are behind find their past gone, and must read everything again. */
async function compact(mesh: TestMesh): Promise<void> {
  await mesh.putKey(`${mesh.keys.root}x-unrelated`, '1');
  const { revision } = await mesh.etcd.ping();
  await mesh.etcdServer.member().compact(revision);
}

async function heal(mesh: TestMesh, proxy: TcpProxy, how: number): Promise<void> {
  await compact(mesh);
  // Every other time what was held back is delivered, late; else the connections are gone.
  if (how % 2 === 0) proxy.cut();
  proxy.resume();
  if (how % 2 === 1) await forSeconds(0.5);
  proxy.cut();
}

describe('definition discipline', { concurrency: false }, () => {
  it(
    'never runs an old definition, whatever becomes of the watches',
    { timeout: 400_000 },
    async (t) => {
      await withMesh({}, async (mesh) => {
        const proxy = await startTcpProxy(mesh.etcdServer.member().clientPort);
        try {
          for (const id of disturbed) mesh.startWorker(id, { endpoints: [proxy.endpoint] });
          await mesh.startWorkers(['w3']);
          await mesh.ready(workers);
          const editor = new Editor(mesh);
          await editor.put('first');
          await ran(mesh, 'first');
          const rounds = sized(4, 24);
          for (let round = 0; round < rounds; round++) {
            const disturb = disturbances[round % disturbances.length];
            await disturb?.(mesh, proxy);
            await editor.put(`edit-${round}`);
            await forSeconds(1.2);
            if (round % 3 === 1) await editor.put(`paused-${round}`, false);
            if (round % 3 === 2) await editor.delete();
            await forSeconds(1.2);
            if (round % 3 === 2) await editor.put(`anew-${round}`);
            await heal(mesh, proxy, round);
            await forSeconds(1);
            await editor.put(`again-${round}`);
            await ran(mesh, `again-${round}`);
            await mesh.ready(workers);
          }
          const lines = readOracle(mesh.oracle);
          const stale = lines.filter(({ job, fence, what }) => {
            const standing = editor.changes.findLast(
              (change) => change.job === job && change.revision < fence,
            );
            return standing?.what !== what;
          });
          const ticks = lines.map(({ job, tick }) => `${job}@${tick}`);
          const twice = ticks.length - new Set(ticks).size;
          const resumed = disturbed.map((id) => mesh.workers.get(id)?.output ?? '').join('');
          const relisted = (resumed.match(/compact/g) ?? []).length;
          const note = `${editor.changes.length} changes, stale runs ${stale.length}, watches that met a compaction ${relisted}`;
          reportFault(
            t,
            'definitions changed under cut watches',
            { ran: lines.length, twice },
            note,
          );
          assert.deepEqual(stale, []);
          assert.equal(twice, 0, 'no tick ran twice');
          assert.ok(relisted > 0, 'a watch was behind a compaction');
          const ids = new Set((await mesh.rows()).map(({ worker }) => worker));
          assert.ok(
            disturbed.some((id) => ids.has(id)),
            'the disturbed workers took part',
          );
        } finally {
          await proxy.close();
        }
      });
    },
  );

  it('sets a bad definition aside, runs the others, and takes it once it is mended', async (t) => {
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
      const lines = readOracle(mesh.oracle);
      const ticks = lines.map(({ job, tick }) => `${job}@${tick}`);
      const twice = ticks.length - new Set(ticks).size;
      reportFault(t, 'bad definitions beside good ones', { ran: lines.length, twice }, '');
      assert.equal(twice, 0);
    });
  });
});

async function ran(mesh: TestMesh, what: string): Promise<void> {
  await waitFor(
    () => {
      const jobs = readOracle(mesh.oracle).filter((line) => line.what === what);
      return new Set(jobs.map(({ job }) => job)).size === subjects.length;
    },
    { timeoutMs: 20_000, describe: () => `every job to run ${what}` },
  );
}
