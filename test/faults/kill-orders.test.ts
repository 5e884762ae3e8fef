/**
 * Every kill order is answered, and seen by the one who gave it: in the order's own key, and so at
 * the API; for runs that end by it, had ended, never were, or are on a worker that is frozen, and for
 * orders that were put by hand.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { z } from 'zod';
import { orderAnswerShape } from '../../master/api/order-answer-routes.ts';
import type { JobInput } from '../../shared/job/definition.ts';
import {
  decodeValue,
  fireSchema,
  orderSchema,
  type FireValue,
  type OrderAnswer,
} from '../../shared/protocol/values.ts';
import { reportFault } from '../support/fault-report.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

const ttlMs = 5_000;

/** Puts an order as `etcdctl put` would, without a lease. */
async function byHand(mesh: TestMesh, name: string, runId?: string): Promise<number> {
  return mesh.putKey(mesh.keys.killer(name, runId), 'stop it');
}

/** The last answer in the order's key. */
async function answered(
  mesh: TestMesh,
  name: string,
  runId?: string,
  timeoutMs = 15_000,
): Promise<{ readonly answer: OrderAnswer; readonly lease: string }> {
  const key = mesh.keys.killer(name, runId);
  let seen = '';
  return waitFor(
    async () => {
      const [kv] = (await mesh.etcd.range({ key })).kvs;
      seen = kv?.value.toString() ?? 'nothing';
      const answer = kv && decodeValue(orderSchema, kv.value)?.answer;
      const isLast = answer !== undefined && answer.state !== 'killing';
      return isLast ? { answer, lease: kv?.lease ?? '' } : undefined;
    },
    { timeoutMs, intervalMs: 50, describe: () => `an answer in ${key}; there is ${seen}` },
  );
}

async function openRuns(mesh: TestMesh, name: string, count: number): Promise<FireValue[]> {
  return waitFor(
    async () => {
      const fires = await mesh.list(`lock/${name}/`);
      const values = fires.flatMap(({ value }) => decodeValue(fireSchema, value) ?? []);
      const begun = new Set(readOracle(mesh.oracle).map(({ runId }) => runId));
      const running = values.filter(({ runId }) => begun.has(runId));
      return running.length >= count ? running : undefined;
    },
    { timeoutMs: 20_000, describe: () => `${count} open runs of ${name}` },
  );
}

/** Runs once, about a second from now. */
function soon(mesh: TestMesh, name: string, body: string): JobInput {
  const at = new Date(Date.now() + 1_500);
  const cronExpr = `${at.getUTCSeconds()} ${at.getUTCMinutes()} ${at.getUTCHours()} * * *`;
  return { name, command: noteRun(mesh.oracle, body), cronExpr, killGraceSeconds: 1 };
}

function tell(t: TestContext, name: string, { state, reason, runs }: OrderAnswer): void {
  const outcomes = runs.map(({ outcome }) => outcome ?? 'unknown').join(', ');
  reportFault(t, name, {}, `${state}${reason === undefined ? '' : `: ${reason}`} [${outcomes}]`);
}

describe('kill orders are answered', { concurrency: false }, () => {
  it('at the API: waiting or killing, then done, with the outcome of each run', async (t) => {
    await withMesh({}, async (mesh) => {
      // Neither could take all of them.
      await mesh.startWorkers(['w1', 'w2'], { slots: 2 });
      const { url } = await mesh.startMaster();
      await mesh.putJob({
        name: 'many',
        command: noteRun(mesh.oracle, 'sleep 60'),
        cronExpr: '* * * * * *',
        concurrency: 'allow',
        maxConcurrent: 4,
        killGraceSeconds: 1,
      });
      const runs = await openRuns(mesh, 'many', 4);
      const post = async (path: string): Promise<unknown> => {
        const reply = await fetch(`${url}/api/v1/${path}`, { method: 'POST' });
        assert.equal(reply.status, 202, await reply.clone().text());
        return reply.json();
      };
      const get = async (path: string): Promise<z.output<typeof orderAnswerShape>> =>
        orderAnswerShape.parse(await (await fetch(`${url}/api/v1/${path}`)).json());
      const last = async (path: string): Promise<z.output<typeof orderAnswerShape>> =>
        waitFor(
          async () => {
            const answer = await get(path);
            return answer.state === 'done' || answer.state === 'nothing' ? answer : undefined;
          },
          { timeoutMs: 15_000, describe: () => `the answer at ${path}` },
        );
      const [one] = runs;
      assert.ok(one);
      await post(`runs/${one.runId}/kill`);
      const named = await last(`runs/${one.runId}/kill`);
      assert.deepEqual(named.runs, [{ runId: one.runId, worker: one.worker, outcome: 'killed' }]);
      await mesh.putJob({ name: 'many', command: 'true', cronExpr: '* * * * * *', enabled: false });
      const left = await openRuns(mesh, 'many', 1);
      const given = (await post('jobs/many/kill')) as { orderId: string };
      const all = await last('jobs/many/kill');
      assert.equal(all.orderId, given.orderId);
      assert.ok(left.every(({ runId }) => all.runs.some((run) => run.runId === runId)));
      assert.ok(all.runs.every(({ outcome }) => outcome === 'killed'));
      assert.equal(new Set(all.runs.map(({ worker }) => worker)).size, 2, 'both workers answered');
      reportFault(t, 'orders at the API', {}, `${all.runs.length} runs of 2 workers, ${all.state}`);
      await post('jobs/many/kill');
      assert.equal((await last('jobs/many/kill')).reason, 'no run of the job is open');
      assert.equal((await fetch(`${url}/api/v1/runs/never/kill`)).status, 404);
    });
  });

  it('by hand: nothing to kill, for a job at rest, a run that ended or never was, no job at all', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2']);
      await mesh.putJob(soon(mesh, 'short', 'true'));
      const ended = await waitFor(
        async () => (await mesh.rows()).find(({ outcome }) => outcome === 'succeeded'),
        { timeoutMs: 20_000, describe: () => 'the run to be over' },
      );
      const cases: readonly (readonly [string, string | undefined, string])[] = [
        ['short', undefined, 'no run of the job is open'],
        ['short', ended.id, 'the run had ended already'],
        ['short', 'never-was', 'no open run has this id'],
        ['no-such-job', undefined, 'no run of the job is open'],
      ];
      for (const [name, runId, reason] of cases) {
        const revision = await byHand(mesh, name, runId);
        const { answer, lease } = await answered(mesh, name, runId);
        assert.equal(answer.state, 'nothing');
        assert.equal(answer.reason, reason);
        assert.equal(answer.order, revision);
        assert.notEqual(lease, '0', 'it goes by itself');
        tell(t, `order by hand for ${runId ?? `all of ${name}`}`, answer);
      }
      const { answer } = await answered(mesh, 'short', ended.id);
      assert.deepEqual(
        answer.runs.map(({ outcome }) => outcome),
        ['succeeded'],
      );
    });
  });

  it('by hand, of a run whose job is deleted meanwhile', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2']);
      await mesh.putJob(soon(mesh, 'doomed', 'sleep 60'));
      const [run] = await openRuns(mesh, 'doomed', 1);
      assert.ok(run);
      await mesh.deleteKey(mesh.keys.job('doomed'));
      await byHand(mesh, 'doomed', run.runId);
      const { answer } = await answered(mesh, 'doomed', run.runId);
      tell(t, 'order for a run of a deleted job', answer);
      assert.equal(answer.state, 'done');
      assert.deepEqual(answer.runs, [{ runId: run.runId, worker: run.worker, outcome: 'killed' }]);
    });
  });

  it('spares a run that was claimed between an order and its answer', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2']);
      await mesh.putJob({
        name: 'beside',
        command: noteRun(mesh.oracle, 'trap "" TERM; while :; do sleep 0.2; done'),
        cronExpr: '*/2 * * * * *',
        concurrency: 'allow',
        maxConcurrent: 2,
        killGraceSeconds: 3,
      });
      const [former] = await openRuns(mesh, 'beside', 1);
      assert.ok(former);
      const revision = await byHand(mesh, 'beside');
      const both = await openRuns(mesh, 'beside', 2);
      const later = both.find(({ runId }) => runId !== former.runId);
      assert.ok(later);
      const { answer } = await answered(mesh, 'beside');
      const until = Date.now() + 5_000;
      await waitFor(() => Date.now() > until, { timeoutMs: 9_000, describe: () => 'the grace' });
      const open = (await openRuns(mesh, 'beside', 1)).map(({ runId }) => runId);
      tell(t, 'order between two runs', answer);
      assert.equal(answer.order, revision);
      assert.deepEqual(
        answer.runs.map(({ runId }) => runId),
        [former.runId],
      );
      assert.ok(open.includes(later.runId), 'the later run lives');
    });
  });

  it('on a frozen worker: not before its run is settled, then as lost', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2']);
      await mesh.putJob(soon(mesh, 'stuck', 'sleep 60'));
      const [run] = await openRuns(mesh, 'stuck', 1);
      assert.ok(run);
      mesh.workers.get(run.worker)?.freeze();
      const givenAt = Date.now();
      await byHand(mesh, 'stuck', run.runId);
      const { answer } = await answered(mesh, 'stuck', run.runId, 2 * ttlMs + 15_000);
      tell(t, `order for a run on a frozen worker, after ${Date.now() - givenAt} ms`, answer);
      assert.equal(answer.state, 'done');
      assert.notEqual(answer.worker, run.worker);
      assert.deepEqual(answer.runs, [{ runId: run.runId, worker: run.worker, outcome: 'lost' }]);
      mesh.workers.get(run.worker)?.thaw();
    });
  });
});
