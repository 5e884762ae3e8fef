import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '../../shared/clock.ts';
import { CronmeshError } from '../../shared/errors.ts';
import type { Txn, TxnResult } from '../../shared/etcd/port.ts';
import { TxnBatcher } from '../../worker/mesh/txn-batcher.ts';
import { ManualClock } from '../support/manual-clock.ts';

function put(key: string): Txn {
  return { compare: [], success: [{ put: { key, value: '1' } }], failure: [] };
}

function answer(txn: Txn, revision: number): TxnResult {
  return {
    succeeded: true,
    revision,
    results: txn.success.map((op) =>
      'txn' in op ? { kind: 'txn', result: answer(op.txn, 0) } : { kind: 'put' },
    ),
  };
}

function batcherOver(
  call: (txn: Txn, count: number) => Promise<TxnResult>,
  maxOperations?: number,
): {
  batcher: TxnBatcher;
  sent: Txn[];
} {
  const sent: Txn[] = [];
  const batcher = new TxnBatcher({
    etcd: {
      txn: (txn) => {
        sent.push(txn);
        return call(txn, sent.length);
      },
    },
    clock: systemClock,
    random: () => 0,
    signal: new AbortController().signal,
    ...(maxOperations === undefined ? {} : { maxOperations }),
  });
  return { batcher, sent };
}

describe('TxnBatcher', () => {
  it('sends a lone transaction as it is', async () => {
    const { batcher, sent } = batcherOver(async (txn) => answer(txn, 3));
    const { result, resent } = await batcher.submit('a', put('a'));
    assert.deepEqual(sent, [put('a')]);
    assert.equal(result.revision, 3);
    assert.equal(resent, false);
  });

  it('nests what is due together, as far as the server takes it, never two of one job', async () => {
    const { batcher, sent } = batcherOver(async (txn) => answer(txn, 9));
    const names = Array.from({ length: 150 }, (_, i) => `job-${i}`);
    const results = await Promise.all(
      [...names, 'job-0'].map((name) => batcher.submit(name, put(name))),
    );
    assert.ok(results.every(({ result }) => result.succeeded && result.revision === 9));
    assert.deepEqual(
      sent.map((txn) => txn.success.length),
      [127, 24],
    );
  });

  it('counts the operations of the deepest one against the limit, and lets no large one starve', async () => {
    const { batcher, sent } = batcherOver(async (txn) => answer(txn, 9), 20);
    const wide = (key: string, count: number): Txn => ({
      compare: [],
      success: Array.from({ length: count }, (_, i) => ({
        put: { key: `${key}${i}`, value: '1' },
      })),
      failure: [],
    });
    const sizes = [1, 1, 1, 18, 1, 5, 1, 40];
    await Promise.all(sizes.map((size, i) => batcher.submit(`j${i}`, wide(`k${i}-`, size))));
    const nested = sent.map((txn) =>
      txn.success.map((op) => ('txn' in op ? op.txn.success.length : 'alone')),
    );
    assert.deepEqual(nested.slice(0, 2), [
      [1, 1, 1, 1, 5, 1],
      ['alone', ...Array.from({ length: 17 }, () => 'alone')],
    ]);
    assert.equal(sent[2]?.success.length, 40, 'what is over the limit by itself goes by itself');
  });

  it('learns that the server takes less, and asks for less from then on', async () => {
    const serverLimit = 32;
    const { batcher, sent } = batcherOver(async (txn) => {
      if (txn.success.length + 1 > serverLimit) throw new CronmeshError('etcd-txn-too-large', 'no');
      return answer(txn, 9);
    });
    const all = (round: string): Promise<unknown> =>
      Promise.all(
        Array.from({ length: 200 }, (_, i) => batcher.submit(`${round}${i}`, put(`${round}${i}`))),
      );
    await all('a');
    sent.length = 0;
    await all('b');
    assert.ok(sent.every((txn) => txn.success.length < serverLimit));
    assert.ok(sent.length <= 16, `${sent.length} requests for 200`);
  });

  it('splits a batch that is refused as a whole, and refuses only the culprit', async () => {
    const { batcher } = batcherOver(async (txn) => {
      if (JSON.stringify(txn).includes('bad')) throw new CronmeshError('etcd-rejected', 'no');
      return answer(txn, 1);
    });
    const settled = await Promise.allSettled(
      ['a', 'b', 'bad', 'c', 'd'].map((name) => batcher.submit(name, put(name))),
    );
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
    );
  });

  it('settles an unknown result by sending the same again, and says so', async () => {
    const { batcher, sent } = batcherOver(async (txn, count) => {
      if (count === 1) throw new CronmeshError('unknown-result', 'lost');
      if (count === 2) throw new CronmeshError('etcd-unavailable', 'down');
      return answer(txn, 4);
    });
    const { resent } = await batcher.submit('a', put('a'));
    assert.equal(resent, true);
    assert.equal(sent.length, 3);
  });

  it('reports a transaction that never left', async () => {
    const { batcher, sent } = batcherOver(async () => {
      throw new CronmeshError('etcd-unavailable', 'down');
    });
    await assert.rejects(batcher.submit('a', put('a')), { code: 'etcd-unavailable' });
    assert.equal(sent.length, 1);
  });

  it('comes to an end with a server that is slower than its own patience', async () => {
    const clock = new ManualClock();
    const patienceMs = 3_000;
    const costMs = 100;
    let freeAtMs = 0;
    let worked = 0;
    const batcher = new TxnBatcher({
      etcd: {
        // One after another, also what nobody waits for any more.
        txn: (txn) => {
          const count = 'txn' in (txn.success[0] ?? {}) ? txn.success.length : 1;
          worked += count;
          const nowMs = clock.monotonicMs();
          freeAtMs = Math.max(freeAtMs, nowMs) + count * costMs;
          const tookMs = freeAtMs - nowMs;
          return new Promise((resolve, reject) => {
            if (tookMs <= patienceMs) clock.after(tookMs, () => resolve(answer(txn, 1)));
            else clock.after(patienceMs, () => reject(new CronmeshError('unknown-result', 'late')));
          });
        },
      },
      clock,
      random: () => 0.5,
      signal: new AbortController().signal,
    });
    const count = 600;
    let settled = 0;
    for (let i = 0; i < count; i++) {
      void batcher.submit(`j${i}`, put(`k${i}`)).then(() => settled++);
    }
    for (let i = 0; i < 3_000 && settled < count; i++) await clock.advance(100);
    assert.equal(settled, count);
    assert.ok(worked < count * 4, `${worked} sent for ${count}`);
  });
});
