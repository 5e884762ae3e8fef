/** When tombstones are swept: by age, by rank, a bounded number at a time, and nothing is scanned. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Txn, TxnResult } from '../../shared/etcd/port.ts';
import { jobSchema } from '../../shared/job/definition.ts';
import { createLogger } from '../../shared/log.ts';
import { MeshView } from '../../shared/mesh/view.ts';
import { encodeCursor } from '../../shared/protocol/cursor.ts';
import { createKeys } from '../../shared/protocol/keys.ts';
import { nextAttempt } from '../../shared/protocol/retry.ts';
import { tombstoneLifeMs } from '../../shared/protocol/sweep.ts';
import { Tombstones } from '../../worker/mesh/tombstones.ts';
import { TxnBatcher } from '../../worker/mesh/txn-batcher.ts';
import { ManualClock } from '../support/manual-clock.ts';

const keys = createKeys('/cron');
const hourMs = 3_600_000;

function rig(
  options: {
    delayMs?: number;
    deletedAt?: (i: number) => number;
    count?: number;
    lifeMs?: number;
  } = {},
) {
  const clock = new ManualClock();
  const { delayMs = 0, deletedAt = () => clock.wallMs(), count = 1, lifeMs } = options;
  const swept: string[] = [];
  let sent = 0;
  const etcd = {
    txn: async (txn: Txn): Promise<TxnResult> => {
      const apply = (each: Txn): TxnResult => {
        for (const op of each.success) {
          if (!('delete' in op) || !op.delete.key.startsWith('/cron/cursor/')) continue;
          swept.push(op.delete.key);
          view.events([{ type: 'delete', key: op.delete.key, modRevision: 9 }], 9);
        }
        const results = each.success.map((op) =>
          'txn' in op
            ? { kind: 'txn' as const, result: apply(op.txn) }
            : { kind: 'delete' as const, deleted: 1 },
        );
        return { succeeded: true, revision: 9, results };
      };
      sent++;
      return apply(txn);
    },
  };
  const view = new MeshView(keys);
  view.reset();
  view.items(
    Array.from({ length: count }, (_, i) => ({
      key: keys.cursor(`gone-${i}`),
      value: Buffer.from(encodeCursor({ tick: deletedAt(i), schedule: 'x' })),
      createRevision: 2,
      modRevision: 2,
      version: 1,
      lease: '0',
    })),
  );
  view.synced(5);
  view.connected(true);
  let looks = 0;
  const { signal } = new AbortController();
  const tombstones = new Tombstones({
    keys,
    view,
    clock,
    logger: createLogger('test', 'silent'),
    batcher: new TxnBatcher({ etcd, clock, random: () => 0, signal }),
    lifeMs,
    sessionId: () => '7',
    canDecide: () => {
      looks++;
      return true;
    },
    delayMs: () => delayMs,
  });
  tombstones.start();
  return { clock, view, swept, tombstones, looks: () => looks, sent: () => sent };
}

describe('Tombstones', () => {
  it('live longer than any trigger that the mesh puts', () => {
    const job = jobSchema.parse({
      name: 'a',
      command: 'true',
      cronExpr: '* * * * *',
      retries: { max: 20, backoffSeconds: 3_600, maxBackoffSeconds: 86_400 },
    });
    const fire = {
      v: 1 as const,
      runId: 'r',
      session: '1',
      worker: 'w',
      jobCreate: 1,
      cause: 'tick' as const,
      tick: 0,
      attempt: 20,
      group: 'default',
    };
    const expires = nextAttempt(job, fire, 'failed', 0, () => 1)?.trigger.expires ?? Infinity;
    assert.ok(expires < tombstoneLifeMs, `${expires / hourMs} h`);
  });

  it('go when they are old enough, not before, and after them nothing is looked at', async () => {
    const { clock, swept } = rig();
    await clock.advance(tombstoneLifeMs - 1_000);
    assert.deepEqual(swept, []);
    await clock.advance(hourMs + 120_000);
    assert.deepEqual(swept, ['/cron/cursor/gone-0']);
    await clock.advance(2 * hourMs);
    assert.equal(swept.length, 1);
  });

  it('stay while a job of the name is there, and while a trigger waits', async () => {
    const { clock, swept, view } = rig();
    const kv = { createRevision: 8, modRevision: 8, version: 1, lease: '0' };
    const value = Buffer.from('{"name":"gone-0","command":"true","cronExpr":"* * * * *"}');
    view.events([{ type: 'put', kv: { ...kv, key: keys.job('gone-0'), value } }], 8);
    await clock.advance(tombstoneLifeMs + 2 * hourMs);
    assert.deepEqual(swept, []);
    view.events([{ type: 'delete', key: keys.job('gone-0'), modRevision: 10 }], 10);
    await clock.advance(180_000);
    assert.deepEqual(swept, ['/cron/cursor/gone-0']);
  });

  it('are left to the worker whose rank comes first, for a look for each rank', async () => {
    const first = rig();
    const last = rig({ delayMs: 800 });
    for (const { clock } of [first, last]) await clock.advance(tombstoneLifeMs - 60_000);
    const sweptAfter = async ({ clock, swept }: ReturnType<typeof rig>): Promise<number> => {
      const from = clock.wallMs();
      while (swept.length === 0 && clock.wallMs() < from + 3 * hourMs) await clock.advance(10_000);
      return clock.wallMs() - from;
    };
    const laterMs = (await sweptAfter(last)) - (await sweptAfter(first));
    assert.ok(laterMs >= 4 * 60_000 - 60_000 && laterMs <= 5 * 60_000 + 60_000, `${laterMs} ms`);
  });

  it('of 20,000 deletions go a hundred a second at most, in batches', async () => {
    const { clock, swept, looks, sent } = rig({ count: 20_000, lifeMs: 12 * hourMs });
    await clock.advance(hourMs);
    assert.ok(looks() <= 62, 'one look a minute while nothing is due');
    await clock.advance(11 * hourMs);
    const counts: number[] = [];
    for (let minute = 0; minute < 15; minute++) {
      const had = swept.length;
      await clock.advance(60_000);
      counts.push(swept.length - had);
    }
    assert.equal(new Set(swept).size, 20_000);
    assert.equal(swept.length, 20_000);
    assert.ok(Math.max(...counts) <= 6_100, `at most ${Math.max(...counts)} a minute`);
    assert.ok(sent() <= 400, `in ${sent()} requests`);
  });
});
