/**
 * Transactions whose reply is lost, made out of a real etcd: sent and then reported as unknown, or
 * not sent at all and reported the same. Whoever asked is told the truth, and nothing is done twice.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { JobEditor } from '../../master/jobs/job-editor.ts';
import { RunRequests } from '../../master/jobs/run-requests.ts';
import { Refusal } from '../../master/http/reply.ts';
import { systemClock } from '../../shared/clock.ts';
import { CronmeshError, isCronmeshError } from '../../shared/errors.ts';
import type { Etcd, Txn } from '../../shared/etcd/port.ts';
import { parseJob } from '../../shared/job/parse-job.ts';
import { MasterRig } from './master-support.ts';

type Loss = 'reply' | 'request';

describe('lost replies', () => {
  let rig: MasterRig;
  /** What happens to the next transactions that write. */
  const losses: Loss[] = [];
  let beforeWrite: (() => Promise<unknown>) | undefined;

  before(async () => {
    rig = await MasterRig.start();
  });
  after(() => rig.stop());

  const writes = ({ success }: Txn) => success.some((op) => 'put' in op || 'delete' in op);

  function lossy(): Etcd {
    return {
      ...rig.etcd,
      txn: async (txn, options) => {
        if (writes(txn)) {
          await beforeWrite?.();
          const loss = losses.shift();
          if (loss !== undefined) {
            if (loss === 'reply') await rig.etcd.txn(txn, options);
            throw new CronmeshError('unknown-result', `the ${loss} was lost`);
          }
        }
        return rig.etcd.txn(txn, options);
      },
    };
  }

  const editor = () => new JobEditor(lossy(), rig.keys, systemClock);
  const job = (name: string, command = 'true') => parseJob({ name, command, cronExpr: '@daily' });
  const absent = { kind: 'absent' } as const;
  const at = (...revisions: number[]) =>
    ({ kind: 'revisions', revisions: new Set(revisions) }) as const;

  for (const loss of ['reply', 'request'] as const) {
    test(`edits whose ${loss} is lost are made once, and reported as made`, async () => {
      const name = `edited-${loss}`;
      losses.push(loss);
      const created = await editor().put(job(name), absent);
      assert.equal(created.result, 'created');
      losses.push(loss);
      const replaced = await editor().put(job(name, 'false'), at(created.revision));
      assert.equal(replaced.result, 'replaced');
      const stored = await rig.read(rig.keys.job(name));
      assert.deepEqual([stored?.modRevision, stored?.version], [replaced.revision, 2]);
      losses.push(loss);
      const paused = await editor().setEnabled(name, false, { kind: 'present' });
      assert.equal((await rig.read(rig.keys.job(name)))?.modRevision, paused.revision);
      losses.push(loss);
      await editor().delete(name, at(paused.revision));
      assert.equal(await rig.read(rig.keys.job(name)), undefined);
      assert.equal(losses.length, 0);
    });

    test(`a request to run whose ${loss} is lost puts one trigger, and one order kills`, async () => {
      const name = `run-${loss}`;
      await editor().put(job(name), absent);
      const etcd = lossy();
      const requests = new RunRequests(etcd, rig.keys, editor(), systemClock, Math.random);
      losses.push(loss, loss);
      const { triggerId } = await requests.run(name, 'test', undefined);
      const triggers = [...(await rig.list('trigger/')).keys()].filter((key) =>
        key.startsWith(name),
      );
      assert.deepEqual(triggers, [`${name}/${triggerId}`]);
      losses.push(loss);
      const revision = await requests.killAll(name, 'test', undefined);
      assert.equal((await rig.read(rig.keys.killer(name)))?.modRevision, revision);
    });
  }

  test('an edit in doubt that another one overtook is refused as stale', async () => {
    const created = await editor().put(job('overtaken'), absent);
    losses.push('request');
    let isFirst = true;
    beforeWrite = async () => {
      if (!isFirst) return;
      isFirst = false;
      await rig.put(rig.keys.job('overtaken'), {
        name: 'overtaken',
        command: 'other',
        cronExpr: '@daily',
      });
    };
    await assert.rejects(editor().put(job('overtaken', 'mine'), at(created.revision)), (error) => {
      assert.ok(error instanceof Refusal);
      return isCronmeshError(error.problem, 'precondition-failed');
    });
    beforeWrite = undefined;
    assert.match((await rig.readText(rig.keys.job('overtaken'))) ?? '', /other/);
  });

  test('a lease that etcd does not know any more is replaced', async () => {
    const name = 'leased';
    await editor().put(job(name), absent);
    const granted: string[] = [];
    const etcd: Etcd = {
      ...rig.etcd,
      grantLease: async (ttl, options) => {
        const lease = await rig.etcd.grantLease(ttl, options);
        granted.push(lease.id);
        return lease;
      },
    };
    const requests = new RunRequests(etcd, rig.keys, editor(), systemClock, Math.random);
    await requests.run(name, 'test', 'one');
    await requests.run(name, 'test', 'two');
    assert.equal(granted.length, 1, 'one lease for many marks');
    await rig.etcd.revokeLease(granted[0] ?? '');
    await requests.run(name, 'test', 'three');
    assert.equal(granted.length, 2);
    const triggers = [...(await rig.list('trigger/')).keys()].filter((key) => key.startsWith(name));
    assert.equal(triggers.length, 3);
  });

  test('etcd that never answers a reply: the edit is reported as unknown, not as failed', async () => {
    await editor().put(job('doubtful'), absent);
    let isCut = false;
    const etcd: Etcd = {
      ...rig.etcd,
      txn: async (txn, options) => {
        if (isCut) throw new CronmeshError('etcd-unavailable', 'gone');
        if (!writes(txn)) return rig.etcd.txn(txn, options);
        isCut = true;
        throw new CronmeshError('unknown-result', 'lost');
      },
    };
    const cut = new JobEditor(etcd, rig.keys, systemClock);
    await assert.rejects(cut.put(job('doubtful', 'x'), { kind: 'present' }), (error) =>
      isCronmeshError(error, 'unknown-result'),
    );
  });
});
