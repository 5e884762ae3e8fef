/**
 * The transactions that end a run, and what is left of a job, against a real etcd: what they leave
 * behind when the job was deleted or made anew meanwhile, alone and a hundred in one request.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../shared/clock.ts';
import type { Etcd, KeyValue } from '../../shared/etcd/port.ts';
import { completeRun } from '../../shared/protocol/complete.ts';
import { encodeCursor } from '../../shared/protocol/cursor.ts';
import { createKeys, type Keys } from '../../shared/protocol/keys.ts';
import { settleVanished } from '../../shared/protocol/settle.ts';
import { sweepTombstone } from '../../shared/protocol/sweep.ts';
import { encodeValue, type FireValue, type StateValue } from '../../shared/protocol/values.ts';
import { TxnBatcher } from '../../worker/mesh/txn-batcher.ts';
import { connectEtcd } from '../support/etcd-client.ts';
import { startEtcd, withPrefix, type TestEtcd } from '../support/etcd-server.ts';

const fireId = 't1000';

describe('the end of a run in etcd', () => {
  let server: TestEtcd;
  let etcd: Etcd;
  let keys: Keys;

  before(async () => {
    server = await startEtcd();
    etcd = connectEtcd(server.endpoints);
    keys = createKeys(withPrefix('settling'));
  });
  after(async () => {
    await etcd.close();
    await server.stop();
  });

  const read = async (key: string): Promise<KeyValue | undefined> =>
    (await etcd.range({ key })).kvs[0];
  const put = (key: string, value: string): Promise<unknown> =>
    etcd.txn({ compare: [], success: [{ put: { key, value } }], failure: [] });
  const remove = (key: string): Promise<unknown> =>
    etcd.txn({ compare: [], success: [{ delete: { key } }], failure: [] });

  /** A job with an open fire of its present life. */
  async function open(name: string): Promise<{ fire: FireValue; modRevision: number }> {
    await put(keys.job(name), '{}');
    const jobCreate = (await read(keys.job(name)))?.createRevision ?? 0;
    const fire: FireValue = {
      v: 1,
      runId: `run-${name}`,
      session: '77',
      worker: 'w1',
      jobCreate,
      cause: 'tick',
      tick: 1_000,
      attempt: 1,
      group: 'default',
    };
    await put(keys.fire(name, fireId), encodeValue(fire));
    return { fire, modRevision: (await read(keys.fire(name, fireId)))?.modRevision ?? 0 };
  }

  const ends = {
    completeRun: (name: string, { fire, modRevision }: Awaited<ReturnType<typeof open>>) =>
      completeRun({
        keys,
        name,
        fireId,
        runId: fire.runId,
        fireModRevision: modRevision,
        state: { jobCreate: fire.jobCreate, value: stateOf(fire) },
      }),
    settleVanished: (name: string, { fire, modRevision }: Awaited<ReturnType<typeof open>>) =>
      settleVanished({
        keys,
        name,
        fireId,
        fire,
        fireModRevision: modRevision,
        fence: modRevision,
        bySession: '78',
        reason: 'worker w1 vanished',
        nowMs: 2_000,
      }),
  };

  for (const [what, build] of Object.entries(ends)) {
    const endOf = async (name: string, opened: Awaited<ReturnType<typeof open>>) => {
      assert.equal((await etcd.txn(build(name, opened))).succeeded, true);
      assert.equal(await read(keys.fire(name, fireId)), undefined);
      return read(keys.state(name));
    };

    it(`${what}: puts the state of a job that lives`, async () => {
      const name = `${what}-lives`;
      const opened = await open(name);
      await put(keys.job(name), '{"edited":true}');
      assert.match((await endOf(name, opened))?.value.toString() ?? '', /"runId":"run-/);
    });

    it(`${what}: leaves none of a job that was deleted`, async () => {
      const name = `${what}-deleted`;
      const opened = await open(name);
      await remove(keys.job(name));
      assert.equal(await endOf(name, opened), undefined);
    });

    it(`${what}: leaves none to a job that was made anew`, async () => {
      const name = `${what}-anew`;
      const opened = await open(name);
      await remove(keys.job(name));
      await put(keys.job(name), '{}');
      assert.equal(await endOf(name, opened), undefined);
    });
  }

  it('sweeps a tombstone only as seen, of a job that is absent, with nothing of it left', async () => {
    const cursorRaw = encodeCursor({ tick: 1_000, schedule: 'x' });
    await put(keys.session('9'), '{}');
    const sweep = async (name: string, sessionId = '9'): Promise<boolean> => {
      const txn = sweepTombstone({ keys, name, cursorRaw, sessionId });
      const { succeeded } = await etcd.txn(txn);
      const isGone = (await read(keys.cursor(name))) === undefined;
      assert.equal(isGone, succeeded);
      return succeeded;
    };
    // Another name of which this one is the beginning does not count as this one.
    await put(keys.fire('swept-2', fireId), '{}');
    await put(keys.cursor('swept'), cursorRaw);
    await put(keys.state('swept'), '{}');
    assert.equal(await sweep('swept', '10'), false, 'without a session');
    const stands: readonly (readonly [string, string])[] = [
      ['a job', keys.job('swept')],
      ['an open fire', keys.fire('swept', fireId)],
      ['a trigger', keys.trigger('swept', 'm1')],
      ['a done record', keys.done('swept', 'lost-1')],
    ];
    for (const [what, key] of stands) {
      await put(key, '{}');
      assert.equal(await sweep('swept'), false, `with ${what}`);
      await remove(key);
    }
    await put(keys.cursor('swept'), encodeCursor({ tick: 2_000, schedule: 'x' }));
    assert.equal(await sweep('swept'), false, 'a younger tombstone');
    await put(keys.cursor('swept'), cursorRaw);
    assert.equal(await sweep('swept'), true);
    assert.equal(await read(keys.state('swept')), undefined);
  });

  it('takes a hundred of them in one request, each by its own guards', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `many-${i}`);
    const opened = await Promise.all(names.map(open));
    await remove(keys.job('many-7'));
    await put(keys.fire('many-8', fireId), 'somebody else’s');
    let requests = 0;
    const counting = {
      txn: (...args: Parameters<Etcd['txn']>) => {
        requests++;
        return etcd.txn(...args);
      },
    };
    const batcher = new TxnBatcher({
      etcd: counting,
      clock: systemClock,
      random: Math.random,
      signal: new AbortController().signal,
    });
    const submitted = await Promise.all(
      names.map((name, i) => {
        const each = opened[i];
        assert.ok(each);
        return batcher.submit(name, ends.completeRun(name, each));
      }),
    );
    assert.equal(requests, 1);
    const refused = names.filter((_, i) => submitted[i]?.result.succeeded !== true);
    assert.deepEqual(refused, ['many-8']);
    const states = await etcd.range({ key: keys.state('many-'), rangeEnd: keys.state('many.') });
    assert.equal(states.count, 98);
  });
});

function stateOf(fire: FireValue): StateValue {
  const { tick, runId, worker } = fire;
  return { v: 1, outcome: 'succeeded', tick, runId, worker, endedAt: tick };
}
