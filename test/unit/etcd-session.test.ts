import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CronmeshError } from '../../shared/errors.ts';
import type { Txn, TxnResult } from '../../shared/etcd/port.ts';
import {
  createSession,
  type Session,
  type SessionChange,
  type SessionOptions,
} from '../../shared/etcd/session.ts';
import { testLogger } from '../support/etcd-client.ts';
import { ManualClock } from '../support/manual-clock.ts';

const ttlMs = 16_000;
const believedMs = 0.95 * ttlMs;

/** An etcd of one session, with the faults of a real one. */
class FakeEtcd {
  readonly puts: { readonly key: string; readonly value: string; readonly lease: string }[] = [];
  readonly beatsAtMs: number[] = [];
  readonly revoked: string[] = [];
  granted = 0;
  sessionIsThere = true;
  keepAliveTtl = ttlMs / 1000;
  keepAlive: 'answers' | 'fails' | 'hangs' = 'answers';
  txns: 'answer' | 'fail' | 'hang' | 'unknown' = 'answer';
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  async grantLease(ttlSeconds: number): Promise<{ id: string; ttlSeconds: number }> {
    if (this.txns === 'fail') throw new CronmeshError('etcd-unavailable', 'down');
    this.granted += 1;
    this.sessionIsThere = true;
    return { id: `lease${String(this.granted)}`, ttlSeconds };
  }

  async keepLeaseAlive(): Promise<{ ttlSeconds: number }> {
    this.beatsAtMs.push(this.#clock.monotonicMs());
    if (this.keepAlive === 'hangs') return never();
    if (this.keepAlive === 'fails') throw new CronmeshError('etcd-unavailable', 'down');
    return { ttlSeconds: this.keepAliveTtl };
  }

  async revokeLease(id: string): Promise<void> {
    this.revoked.push(id);
  }

  async txn(txn: Txn): Promise<TxnResult> {
    if (this.txns === 'hang') return never();
    if (this.txns === 'fail') throw new CronmeshError('etcd-unavailable', 'down');
    const guard = txn.compare[0];
    const isBeat = guard?.target === 'create' && guard.op === '>';
    const succeeded = !isBeat || this.sessionIsThere;
    if (succeeded) {
      for (const op of txn.success) {
        if (!('put' in op)) continue;
        const { key, value, lease } = op.put;
        this.puts.push({ key, value: value.toString(), lease: lease ?? '' });
      }
    }
    if (this.txns === 'unknown') {
      this.txns = 'answer';
      throw new CronmeshError('unknown-result', 'lost');
    }
    return { succeeded, revision: 1, results: [] };
  }
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => undefined);
}

interface Rig {
  readonly clock: ManualClock;
  readonly etcd: FakeEtcd;
  readonly session: Session;
  readonly changes: SessionChange[];
}

function rig(options: Partial<SessionOptions> = {}): Rig {
  const clock = new ManualClock();
  const etcd = new FakeEtcd(clock);
  const session = createSession({
    etcd,
    clock,
    random: () => 0.5,
    logger: testLogger(),
    ttlSeconds: ttlMs / 1000,
    sessionKey: (id) => `/session/${id}`,
    sessionValue: 'w1',
    beatKey: '/workers/w1',
    beatValue: (sequence, id) => `${String(sequence)} ${id}`,
    ...options,
  });
  const changes: SessionChange[] = [];
  session.onChange((change) => changes.push(change));
  return { clock, etcd, session, changes };
}

async function begun(): Promise<Rig> {
  const made = rig();
  await made.session.start();
  await made.clock.advance(0);
  return made;
}

describe('a session', () => {
  it('begins with its key and its registration on the lease', async () => {
    const { etcd, session, clock, changes } = await begun();
    assert.deepEqual(etcd.puts, [
      { key: '/session/lease1', value: 'w1', lease: 'lease1' },
      { key: '/workers/w1', value: '0 lease1', lease: 'lease1' },
    ]);
    assert.equal(session.id, 'lease1');
    assert.equal(session.deadlineMs, clock.monotonicMs() + believedMs);
    assert.ok(session.alive());
    assert.deepEqual(changes, [{ type: 'begun', id: 'lease1' }]);
  });

  it('begins although the answer to its first transaction was lost', async () => {
    const { etcd, session, clock } = rig();
    etcd.txns = 'unknown';
    await session.start();
    await clock.advance(500);
    assert.equal(session.id, 'lease1');
    assert.equal(etcd.granted, 1);
  });

  it('beats every quarter of the TTL; the deadline counts from the sending', async () => {
    const { etcd, session, clock, changes } = await begun();
    const startMs = clock.monotonicMs();
    await clock.advance(2.5 * (ttlMs / 4));
    assert.deepEqual(etcd.beatsAtMs, [startMs + ttlMs / 4, startMs + ttlMs / 2]);
    assert.equal(session.deadlineMs, startMs + ttlMs / 2 + believedMs);
    assert.deepEqual(
      etcd.puts.slice(2).map((put) => put.value),
      ['1 lease1', '2 lease1'],
    );
    assert.deepEqual(changes.at(-1), {
      type: 'renewed',
      id: 'lease1',
      deadlineMs: session.deadlineMs,
    });
  });

  for (const [what, breakIt] of [
    ['the keep-alive alone is answered', (etcd: FakeEtcd) => (etcd.txns = 'fail')],
    ['the keep-alive fails', (etcd: FakeEtcd) => (etcd.keepAlive = 'fails')],
    ['the keep-alive answers a TTL of 0', (etcd: FakeEtcd) => (etcd.keepAliveTtl = 0)],
    ['the keep-alive hangs', (etcd: FakeEtcd) => (etcd.keepAlive = 'hangs')],
    ['the transaction hangs', (etcd: FakeEtcd) => (etcd.txns = 'hang')],
  ] as const) {
    it(`is fenced at the deadline when ${what}`, async () => {
      const { etcd, session, clock, changes } = await begun();
      const { deadlineMs } = session;
      breakIt(etcd);
      await clock.advance(believedMs - 1);
      assert.equal(session.deadlineMs, deadlineMs, 'the deadline did not move');
      assert.ok(session.alive());
      assert.ok(etcd.beatsAtMs.length > 3, 'it kept trying');
      await clock.advance(1);
      assert.ok(!session.alive());
      assert.equal(session.id, undefined);
      assert.equal(session.deadlineMs, 0);
      const fenced = changes.find((change) => change.type === 'fenced');
      assert.equal(fenced?.id, 'lease1');
    });
  }

  it('survives failures that end before the deadline', async () => {
    const { etcd, session, clock, changes } = await begun();
    etcd.keepAlive = 'hangs';
    await clock.advance(12_000);
    etcd.keepAlive = 'answers';
    await clock.advance(3000);
    assert.equal(session.id, 'lease1');
    assert.ok(session.deadlineMs > clock.monotonicMs() + 12_000);
    assert.ok(!changes.some((change) => change.type === 'fenced'));
  });

  it('is fenced at once when its key is gone, and begins anew', async () => {
    const { etcd, session, clock, changes } = await begun();
    etcd.sessionIsThere = false;
    await clock.advance(ttlMs / 4);
    assert.equal(changes.at(-1)?.type, 'fenced');
    assert.equal(session.id, undefined);
    await clock.advance(500);
    assert.equal(session.id, 'lease2');
    assert.deepEqual(etcd.puts.at(-1), { key: '/workers/w1', value: '0 lease2', lease: 'lease2' });
  });

  it('does not believe in itself after a pause, whatever has not run yet', async () => {
    const { session, clock, changes } = await begun();
    clock.pause(believedMs + 1);
    assert.ok(!session.alive());
    await clock.advance(0);
    assert.equal(changes.at(-1)?.type === 'renewed', false);
    await clock.advance(1000);
    assert.equal(session.id, 'lease2');
  });

  it('is untouched by steps of the wall clock', async () => {
    const { session, clock } = await begun();
    clock.stepWall(3_600_000);
    await clock.advance(ttlMs * 2);
    clock.stepWall(-7_200_000);
    await clock.advance(ttlMs * 2);
    assert.equal(session.id, 'lease1');
  });

  it('sends a poked beat soon, one a second at most', async () => {
    const { etcd, session, clock } = await begun();
    const startMs = clock.monotonicMs();
    for (let i = 0; i < 20; i += 1) {
      session.poke();
      await clock.advance(100);
    }
    assert.deepEqual(etcd.beatsAtMs, [startMs + 1000, startMs + 2000]);
  });

  it('waits for an etcd that is not there, and stops while it does', async () => {
    const { etcd, session, clock, changes } = rig();
    etcd.txns = 'fail';
    await session.start();
    await clock.advance(5000);
    assert.equal(session.id, undefined);
    await session.stop();
    assert.deepEqual(changes, []);
    assert.deepEqual(etcd.revoked, []);
  });

  it('revokes its lease at stop, once, and tells nobody', async () => {
    const { etcd, session, clock, changes } = await begun();
    await Promise.all([session.stop(), session.stop()]);
    assert.deepEqual(etcd.revoked, ['lease1']);
    assert.ok(!session.alive());
    await clock.advance(ttlMs);
    assert.equal(etcd.granted, 1);
    assert.deepEqual(changes, [{ type: 'begun', id: 'lease1' }]);
  });

  it('goes on when a listener throws', async () => {
    const { session, clock, changes } = await begun();
    session.onChange(() => {
      throw new Error('mine');
    });
    await clock.advance(ttlMs);
    assert.ok(changes.length > 3);
    assert.ok(session.alive());
  });
});
