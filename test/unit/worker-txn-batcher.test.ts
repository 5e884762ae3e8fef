import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '../../shared/clock.ts';
import { CronmeshError } from '../../shared/errors.ts';
import type { Txn, TxnResult } from '../../shared/etcd/port.ts';
import { TxnBatcher } from '../../worker/mesh/txn-batcher.ts';

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

function batcherOver(call: (txn: Txn, count: number) => Promise<TxnResult>): {
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

  it('nests what is due together, at most 100, never two of one job', async () => {
    const { batcher, sent } = batcherOver(async (txn) => answer(txn, 9));
    const names = Array.from({ length: 150 }, (_, i) => `job-${i}`);
    const results = await Promise.all(
      [...names, 'job-0'].map((name) => batcher.submit(name, put(name))),
    );
    assert.ok(results.every(({ result }) => result.succeeded && result.revision === 9));
    assert.deepEqual(
      sent.map((txn) => txn.success.length),
      [100, 51],
    );
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
});
