/**
 * etcd killed and frozen under a mirror and a session: noticed in time, back within a second of
 * etcd's return, and the session kept as long as its TTL allows.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '../../shared/clock.ts';
import type { Etcd } from '../../shared/etcd/port.ts';
import { createSession, type Session, type SessionChange } from '../../shared/etcd/session.ts';
import { connectEtcd, testLogger } from '../support/etcd-client.ts';
import { startEtcd, withPrefix, type TestEtcd } from '../support/etcd-server.ts';
import { MirrorRecorder } from '../support/mirror-recorder.ts';
import { waitFor } from '../support/server-process.ts';

interface Rig {
  readonly server: TestEtcd;
  readonly etcd: Etcd;
  readonly session: Session;
  readonly changes: SessionChange[];
  readonly recorder: MirrorRecorder;
  readonly prefix: string;
}

/** A mirror of the prefix, and a session whose keys lie under it. */
async function withRig(ttlSeconds: number, body: (rig: Rig) => Promise<void>): Promise<void> {
  const server = await startEtcd();
  const etcd = connectEtcd(server.endpoints);
  const prefix = withPrefix('outage');
  const recorder = new MirrorRecorder();
  const mirror = etcd.mirror(`${prefix}/`, recorder);
  const changes: SessionChange[] = [];
  const session = createSession({
    etcd,
    clock: systemClock,
    random: Math.random,
    logger: testLogger(),
    ttlSeconds,
    sessionKey: (id) => `${prefix}/session/${id}`,
    sessionValue: 'w1',
    beatKey: `${prefix}/workers/w1`,
    beatValue: (sequence, id) => `${String(sequence)} ${id}`,
  });
  session.onChange((change) => changes.push(change));
  try {
    await mirror.start();
    await session.start();
    await recorder.until('registered', () => recorder.state.size === 2 && recorder.isConnected);
    await body({ server, etcd, session, changes, recorder, prefix });
  } catch (error) {
    server.keep();
    process.stderr.write(`kept ${server.folder}\n`);
    throw error;
  } finally {
    server.member().thaw();
    await session.stop();
    await mirror.stop();
    await etcd.close();
    await server.stop();
  }
}

function pass(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}

async function survivesBeingKilled(t: TestContext, downMs: number, ttlSeconds = 16): Promise<void> {
  await withRig(ttlSeconds, async ({ server, etcd, session, changes, recorder, prefix }) => {
    const before = session.id;
    const member = server.member();
    await member.kill();
    await recorder.until('doubt', () => !recorder.isConnected, 1000);
    await pass(downMs);
    changes.length = 0;
    member.launch();
    await member.healthy();
    const healthyMs = performance.now();
    session.poke();
    await recorder.until('connected', () => recorder.isConnected);
    await waitFor(() => changes.some((change) => change.type === 'renewed'), {
      timeoutMs: 15_000,
      describe: () => `renewed; ${JSON.stringify(changes)}`,
      intervalMs: 5,
    });
    const backAfterMs = performance.now() - healthyMs;
    t.diagnostic(`back ${backAfterMs.toFixed(0)} ms after etcd`);
    assert.ok(backAfterMs < 1500, `back ${String(backAfterMs)} ms after etcd`);
    assert.equal(session.id, before);
    assert.deepEqual(
      changes.filter((change) => change.type !== 'renewed'),
      [],
    );
    await etcd.txn({
      compare: [],
      success: [{ put: { key: `${prefix}/after`, value: '1' } }],
      failure: [],
    });
    await recorder.until('the event', () => recorder.state.has(`${prefix}/after`));
    assert.equal(recorder.listings, 1, 'the watch went on where it stopped');
  });
}

describe('an outage of etcd', { concurrency: true }, () => {
  it('killed for 3 s: back within a second, the session survives', (t) =>
    survivesBeingKilled(t, 3000));

  it('killed for 8 s: back within a second, the session survives', (t) =>
    survivesBeingKilled(t, 8000));

  // The longest that the longest lease bears, when the last beat was sent right before.
  it('killed for 15 s with a lease of 20 s: the same', (t) => survivesBeingKilled(t, 15_000, 20));

  it('frozen: the mirror doubts within 4 s, the session is fenced before it expires', async (t) => {
    await withRig(6, async ({ server, etcd, session, changes, recorder, prefix }) => {
      const lost = session.id ?? '';
      server.member().freeze();
      const frozenMs = systemClock.monotonicMs();
      await recorder.until('doubt', () => !recorder.isConnected);
      const noticedAfterMs = systemClock.monotonicMs() - frozenMs;
      t.diagnostic(`noticed after ${noticedAfterMs.toFixed(0)} ms`);
      assert.ok(noticedAfterMs < 4000, `noticed after ${String(noticedAfterMs)} ms`);

      await waitFor(() => changes.find((change) => change.type === 'fenced'), {
        timeoutMs: 15_000,
        describe: () => `fenced; ${JSON.stringify(changes)}`,
        intervalMs: 5,
      });
      const fencedAfterMs = systemClock.monotonicMs() - frozenMs;
      assert.ok(fencedAfterMs < 6000, `fenced ${String(fencedAfterMs)} ms after the last beat`);
      assert.ok(!session.alive());
      assert.equal(session.id, undefined);

      server.member().thaw();
      await waitFor(() => session.alive(), { timeoutMs: 15_000, describe: () => 'a new session' });
      assert.notEqual(session.id, lost);
      await recorder.until('connected', () => recorder.isConnected);
      const registered = await etcd.range({ key: `${prefix}/workers/w1` });
      assert.equal(registered.kvs[0]?.lease, session.id);
    });
  });

  it('revokes at stop, so that all on the session vanishes at once', async () => {
    await withRig(15, async ({ session, recorder }) => {
      await session.stop();
      assert.ok(!session.alive());
      await recorder.until('empty', () => recorder.state.size === 0, 1000);
    });
  });

  it('fences at once when the session was revoked by mistake, and begins another', async () => {
    await withRig(15, async ({ etcd, session, changes }) => {
      const lost = session.id ?? '';
      await etcd.revokeLease(lost);
      session.poke();
      await waitFor(() => session.id !== lost && session.alive(), {
        timeoutMs: 10_000,
        describe: () => JSON.stringify(changes),
      });
      const fenced = changes.findIndex((change) => change.type === 'fenced' && change.id === lost);
      assert.ok(fenced > 0);
      assert.ok(changes.slice(fenced).some((change) => change.type === 'begun'));
    });
  });
});
