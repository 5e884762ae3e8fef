/**
 * Three members behind proxies of which some hang: calls go to another endpoint, the session
 * survives one hanging endpoint and is fenced here before the server expires it when all hang.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '../../shared/clock.ts';
import type { Etcd } from '../../shared/etcd/port.ts';
import { createSession, type Session, type SessionChange } from '../../shared/etcd/session.ts';
import { connectEtcd, testLogger } from '../support/etcd-client.ts';
import { startEtcd, withPrefix, type TestEtcd } from '../support/etcd-server.ts';
import { MirrorRecorder } from '../support/mirror-recorder.ts';
import { waitFor } from '../support/server-process.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

const ttlSeconds = 6;

interface Rig {
  readonly server: TestEtcd;
  readonly proxies: readonly TcpProxy[];
  /** Through the proxies; the first is preferred. */
  readonly etcd: Etcd;
  /** Straight to all members. */
  readonly direct: Etcd;
  readonly session: Session;
  readonly changes: { readonly atMs: number; readonly change: SessionChange }[];
  readonly prefix: string;
}

async function withRig(proxyCount: number, body: (rig: Rig) => Promise<void>): Promise<void> {
  const server = await startEtcd({ members: 3 });
  const proxies = await Promise.all(
    server.members.slice(0, proxyCount).map((member) => startTcpProxy(member.clientPort)),
  );
  const etcd = connectEtcd(
    proxies.map((proxy) => proxy.endpoint),
    { random: () => 0 },
  );
  const direct = connectEtcd(server.endpoints);
  const prefix = withPrefix('endpoints');
  const session = createSession({
    etcd,
    clock: systemClock,
    random: Math.random,
    logger: testLogger(),
    ttlSeconds,
    sessionKey: (id) => `${prefix}/session/${id}`,
    sessionValue: 'w1',
    beatKey: `${prefix}/workers/w1`,
    beatValue: (sequence) => String(sequence),
  });
  const changes: Rig['changes'] = [];
  session.onChange((change) => changes.push({ atMs: performance.now(), change }));
  try {
    await session.start();
    await waitFor(() => session.alive(), { timeoutMs: 10_000, describe: () => 'a session' });
    await body({ server, proxies, etcd, direct, session, changes, prefix });
  } finally {
    for (const proxy of proxies) {
      proxy.cut();
      proxy.resume();
    }
    await session.stop();
    await etcd.close();
    await direct.close();
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await server.stop();
  }
}

describe('endpoints that hang', { concurrency: true }, () => {
  it('one of two hangs: the session survives by going to the other', async () => {
    await withRig(2, async ({ proxies, session, changes }) => {
      const { id } = session;
      await waitFor(() => changes.some(({ change }) => change.type === 'renewed'), {
        timeoutMs: 5000,
        describe: () => 'a beat',
      });
      const hungMs = performance.now();
      proxies[0]?.hang();
      const renewals = (): number =>
        changes.filter(({ atMs, change }) => atMs > hungMs && change.type === 'renewed').length;
      // Well past what the server would have waited for the endpoint that hangs.
      await waitFor(() => renewals() >= 4 && performance.now() > hungMs + ttlSeconds * 1300, {
        timeoutMs: 20_000,
        describe: () => JSON.stringify(changes),
      });
      assert.equal(session.id, id);
      assert.ok(!changes.some(({ change }) => change.type === 'fenced'));
    });
  });

  it('all hang: fenced here before the server expires the session; then begun anew', async () => {
    await withRig(2, async ({ proxies, direct, session, changes, prefix }) => {
      const lost = session.id ?? '';
      const observer = new MirrorRecorder();
      const mirror = direct.mirror(`${prefix}/session/`, observer);
      await mirror.start();
      await observer.until('the session key', () => observer.state.size === 1);
      for (const proxy of proxies) proxy.hang();
      const key = `${prefix}/session/${lost}`;
      await observer.until('expiry', () => !observer.state.has(key), 20_000);
      const expiredMs = performance.now();
      await mirror.stop();
      const fenced = changes.find(({ change }) => change.type === 'fenced');
      assert.ok(fenced !== undefined, 'fenced before the server expired it');
      assert.ok(fenced.atMs < expiredMs);
      assert.ok(!session.alive());
      for (const proxy of proxies) proxy.resume();
      await waitFor(() => session.alive(), { timeoutMs: 10_000, describe: () => 'a new session' });
      assert.notEqual(session.id, lost);
    });
  });

  it('a read goes elsewhere when its endpoint hangs', async () => {
    await withRig(3, async ({ proxies, etcd, direct, prefix }) => {
      const key = `${prefix}/a`;
      await direct.txn({ compare: [], success: [{ put: { key, value: '1' } }], failure: [] });
      await etcd.range({ key });
      proxies[0]?.hang();
      const { kvs } = await etcd.range({ key }, { timeoutMs: 300 });
      assert.equal(kvs[0]?.value.toString(), '1');
      // Remembered: the next call does not ask the one that hangs at all.
      const startMs = performance.now();
      await etcd.range({ key }, { timeoutMs: 300 });
      assert.ok(performance.now() - startMs < 300);
    });
  });

  it('a transaction that was never sent goes elsewhere', async () => {
    await withRig(2, async ({ server, etcd, prefix }) => {
      await server.member(0).kill();
      // If it led, nobody takes a write until the others have chosen: not what is shown here.
      await server.leader();
      for (let i = 0; i < 20; i += 1) {
        const key = `${prefix}/k${String(i)}`;
        await etcd
          .txn({ compare: [], success: [{ put: { key, value: '1' } }], failure: [] })
          // The connection may have broken under the first one: only the result is unknown then.
          .catch((error: unknown) => assert.equal(codeOf(error), 'unknown-result'));
      }
      const { count } = await etcd.range({
        key: `${prefix}/k`,
        rangeEnd: `${prefix}/l`,
        countOnly: true,
      });
      assert.ok(count >= 19);
    });
  });

  it('a mirror goes on when its member is frozen, and misses nothing', async () => {
    await withRig(3, async ({ server, direct, prefix }) => {
      const watcher = connectEtcd(server.endpoints, { random: () => 0 });
      const recorder = new MirrorRecorder();
      const mirror = watcher.mirror(`${prefix}/m/`, recorder);
      try {
        await mirror.start();
        await recorder.until('connected', () => recorder.isConnected);
        await freezeWatched(server, recorder);
        await recorder.until('connected', () => recorder.isConnected, 6000);
        for (let i = 0; i < 10; i += 1) {
          const key = `${prefix}/m/${String(i)}`;
          await putSurely(direct, key);
        }
        await recorder.until('all', () => recorder.state.size === 10);
        assert.equal(recorder.listings, 1);
      } finally {
        for (const member of server.members) member.thaw();
        await mirror.stop();
        await watcher.close();
      }
    });
  });
});

/** Freezes the member that the mirror watches, which shows by the doubt, within 4 s of the freeze. */
async function freezeWatched(server: TestEtcd, recorder: MirrorRecorder): Promise<void> {
  for (const member of server.members) {
    const frozenMs = performance.now();
    member.freeze();
    const isDoubted = await recorder
      .until('doubt', () => !recorder.isConnected, 6000)
      .then(
        () => true,
        () => false,
      );
    if (isDoubted) {
      assert.ok(performance.now() - frozenMs < 4000);
      return;
    }
    member.thaw();
  }
  throw new Error('no member that was frozen was missed');
}

async function putSurely(etcd: Etcd, key: string): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    try {
      await etcd.txn({ compare: [], success: [{ put: { key, value: '1' } }], failure: [] });
      return;
    } catch (error) {
      assert.ok(['unknown-result', 'etcd-unavailable'].includes(codeOf(error)));
    }
  }
  throw new Error(`${key} was not put`);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
