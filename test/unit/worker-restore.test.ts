/** What tells a worker of a restore, what a re-base puts, and that nothing passes a closed gate. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '../../shared/clock.ts';
import { isCronmeshError } from '../../shared/errors.ts';
import type { Txn, TxnResult } from '../../shared/etcd/port.ts';
import { createKeys } from '../../shared/protocol/keys.ts';
import { rebaseCursor, underCluster } from '../../shared/protocol/rebase.ts';
import type { ClusterValue } from '../../shared/protocol/values.ts';
import { isRestored } from '../../worker/mesh/known-record.ts';
import { TxnBatcher } from '../../worker/mesh/txn-batcher.ts';

const keys = createKeys('/cron');
const record: ClusterValue = { v: 1, mesh: 'm', clusterId: 'c1', generation: 2, id: 'b' };
const known = { mesh: 'm', generation: 2, id: 'b', isSettled: true };
const rebase = { toTick: 1, at: 1, by: 'w' };

describe('a record of the cluster', () => {
  const cases: readonly (readonly [string, boolean, Parameters<typeof isRestored>])[] = [
    ['as it was known', false, [record, known, undefined, 'c1']],
    ['that nothing is known of', false, [record, undefined, undefined, 'c1']],
    ['of another cluster id', true, [record, undefined, undefined, 'c2']],
    ['that answers went back under', true, [record, known, { id: 'b' }, 'c1']],
    ['that answers went back under before it was known', true, [record, undefined, {}, 'c1']],
    ['that others put since answers went back', false, [record, known, { id: 'a' }, 'c1']],
    ['older than the known one', true, [{ ...record, generation: 1 }, known, undefined, 'c1']],
    ['of another mesh', false, [{ ...record, mesh: 'n', generation: 1 }, known, undefined, 'c1']],
    ['under a re-base that was over', true, [{ ...record, rebase }, known, undefined, 'c1']],
    [
      'under the re-base of another generation',
      false,
      [{ ...record, generation: 3, id: 'c', rebase }, known, undefined, 'c1'],
    ],
  ];
  for (const [what, expected, args] of cases) {
    it(`${what}: ${expected ? 'restored' : 'not restored'}`, () => {
      assert.equal(isRestored(...args), expected);
    });
  }
});

describe('a re-based cursor', () => {
  const move = (cursorRaw: string, toTick: number): Txn =>
    rebaseCursor({
      keys,
      name: 'job',
      clusterRaw: 'record',
      reason: 'etcd was restored',
      nowMs: toTick,
      session: '',
      group: 'default',
      jobCreateRevision: 7,
      cursorRaw,
      toTick,
    });
  const cursorAt = (tick: number, schedule: string): string =>
    `${String(tick).padStart(16, '0')} ${schedule}`;
  const doneOf = ({ success }: Txn): Record<string, unknown> | undefined => {
    const op = success[1];
    return op !== undefined && 'put' in op
      ? (JSON.parse(op.put.value.toString()) as Record<string, unknown>)
      : undefined;
  };

  it('goes to the tick under its own schedule, with one uncounted span', () => {
    const txn = move(cursorAt(10_000, '@every 3s'), 20_500);
    assert.deepEqual(txn.success[0], {
      put: { key: '/cron/cursor/job', value: cursorAt(20_500, '@every 3s') },
    });
    const done = doneOf(txn);
    assert.deepEqual(
      [
        done?.['outcome'],
        done?.['restored'],
        done?.['fromTick'],
        done?.['toTick'],
        done?.['count'],
      ],
      ['missed', true, 10_000, 18_000, undefined],
    );
  });

  it('puts no row where no tick was due', () => {
    assert.equal(doneOf(move(cursorAt(10_000, '@every 1h'), 20_500)), undefined);
  });

  it('puts a row for what it cannot read: it may have had ticks', () => {
    assert.equal(doneOf(move(cursorAt(10_000, 'of a newer version'), 20_500))?.['toTick'], 20_500);
  });
});

describe('a gate', () => {
  class Gate {
    raw: string | undefined = 'one';
    refusals = 0;
    under = (raw: string, txns: readonly Txn[]): Txn => underCluster(keys, raw, txns);
    refused = (): void => {
      this.refusals++;
      this.raw = undefined;
    };
  }
  const put: Txn = {
    compare: [],
    success: [{ put: { key: '/k', value: 'v' } }],
    failure: [],
  };
  const answer = (succeeded: boolean): TxnResult => ({
    succeeded,
    revision: 5,
    results: succeeded
      ? [{ kind: 'txn', result: { succeeded: true, revision: 5, results: [] } }]
      : [],
  });
  const start = (txn: (sent: Txn) => Promise<TxnResult>): { batcher: TxnBatcher; gate: Gate } => {
    const gate = new Gate();
    const { signal } = new AbortController();
    const common = { clock: systemClock, random: Math.random, signal };
    return { batcher: new TxnBatcher({ ...common, etcd: { txn }, gate }), gate };
  };

  it('binds each request to the record that it was decided under', async () => {
    const sent: Txn[] = [];
    const { batcher } = start(async (txn) => {
      sent.push(txn);
      return answer(true);
    });
    assert.equal((await batcher.submit('a', put)).result.succeeded, true);
    assert.deepEqual(sent, [underCluster(keys, 'one', [put])]);
  });

  it('tells of a record that is another one, and lets nothing through then', async () => {
    let sent = 0;
    const { batcher, gate } = start(async () => {
      sent++;
      return answer(false);
    });
    const unavailable = (error: unknown): boolean => isCronmeshError(error, 'etcd-unavailable');
    await assert.rejects(batcher.submit('a', put), unavailable);
    await assert.rejects(batcher.submit('b', put), unavailable);
    assert.deepEqual([sent, gate.refusals], [1, 1]);
  });
});
