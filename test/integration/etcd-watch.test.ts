/**
 * A mirror against what breaks watches: compaction, connections cut in the middle of a catch-up,
 * a restored etcd, a consumer that throws. Nothing may be lost or told twice.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../shared/clock.ts';
import { Continuity } from '../../shared/etcd/continuity.ts';
import { Endpoints } from '../../shared/etcd/endpoints.ts';
import { GrpcEndpoint } from '../../shared/etcd/grpc-endpoint.ts';
import { Caller } from '../../shared/etcd/kv.ts';
import { ListWatchMirror } from '../../shared/etcd/mirror.ts';
import type { Etcd, Mirror, Op } from '../../shared/etcd/port.ts';
import { connectEtcd, testLogger } from '../support/etcd-client.ts';
import { startEtcd, withPrefix, type TestEtcd } from '../support/etcd-server.ts';
import { MirrorRecorder } from '../support/mirror-recorder.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

let server: TestEtcd;
let writer: Etcd;

async function put(key: string, value: string, etcd: Etcd = writer): Promise<number> {
  const { revision } = await etcd.txn({
    compare: [],
    success: [{ put: { key, value } }],
    failure: [],
  });
  return revision;
}

async function apply(ops: readonly Op[], etcd: Etcd = writer): Promise<void> {
  await etcd.txn({ compare: [], success: ops, failure: [] });
}

/** A mirror that reaches etcd through a proxy. */
async function withProxiedMirror(
  label: string,
  target: TestEtcd,
  body: (rig: {
    readonly prefix: string;
    readonly proxy: TcpProxy;
    readonly mirror: Mirror;
    readonly recorder: MirrorRecorder;
  }) => Promise<void>,
): Promise<void> {
  const prefix = `${withPrefix(label)}/`;
  const proxy = await startTcpProxy(target.member().clientPort);
  const etcd = connectEtcd([proxy.endpoint]);
  const recorder = new MirrorRecorder();
  const mirror = etcd.mirror(prefix, recorder);
  try {
    await body({ prefix, proxy, mirror, recorder });
  } finally {
    await mirror.stop();
    await etcd.close();
    await proxy.close();
  }
}

describe('a mirror', { concurrency: true }, () => {
  before(async () => {
    server = await startEtcd();
    writer = connectEtcd(server.endpoints);
  });

  after(async () => {
    await writer.close();
    await server.stop();
  });

  it('lists, then follows puts and deletes', async () => {
    await withProxiedMirror('follow', server, async ({ prefix, mirror, recorder }) => {
      await put(`${prefix}a`, '1');
      await put(`${prefix}b`, '1');
      await mirror.start();
      await mirror.ready();
      assert.deepEqual([...recorder.state.keys()], [`${prefix}a`, `${prefix}b`]);
      await put(`${prefix}a`, '2');
      await apply([
        { delete: { key: `${prefix}b` } },
        { put: { key: `${prefix}c`, value: '1' } },
        { put: { key: `${prefix}d`, value: '1' } },
      ]);
      await recorder.until('all', () => recorder.received.length === 4);
      assert.equal(recorder.batchRevisions.at(-1), recorder.revision);
      assert.deepEqual(
        [...recorder.state],
        [
          [`${prefix}a`, '2'],
          [`${prefix}c`, '1'],
          [`${prefix}d`, '1'],
        ],
      );
      await recorder.until('connected', () => recorder.isConnected);
    });
  });

  it('lists an empty prefix', async () => {
    await withProxiedMirror('empty', server, async ({ prefix, mirror, recorder }) => {
      await mirror.start();
      await mirror.ready();
      await put(`${prefix}a`, '1');
      await recorder.until('the event', () => recorder.state.size === 1);
    });
  });

  it('5,000 events during cuts of a catch-up: none lost, none twice', async () => {
    await withProxiedMirror('catch-up', server, async ({ prefix, proxy, mirror, recorder }) => {
      const total = 5000;
      await mirror.start();
      await mirror.ready();
      await recorder.until('connected', () => recorder.isConnected);
      proxy.hang();
      proxy.cut();
      // 1 KB each: one answer would exceed etcd's fragment size, so fragments are cut as well.
      const value = 'x'.repeat(1024);
      const writes = Array.from({ length: total }, (_, i) => `${prefix}${String(i)}`);
      for (let at = 0; at < total; at += 100) {
        await Promise.all(writes.slice(at, at + 100).map((key) => put(key, value)));
      }
      for (const bytes of [300_000, 700_000, 1_500_000]) {
        const cut = proxy.cutAfterReplies(bytes);
        proxy.resume();
        await cut;
      }
      await recorder.until('everything', () => recorder.state.size === total);
      const told = recorder.received.map((event) => (event.type === 'put' ? event.kv.key : ''));
      assert.equal(told.length, total, 'none twice');
      assert.equal(new Set(told).size, total, 'none lost');
      assert.equal(recorder.listings, 1, 'caught up, not listed again');
      assert.deepEqual(
        recorder.batchRevisions,
        recorder.batchRevisions.toSorted((a, b) => a - b),
      );
    });
  });

  it('compaction passes the watch: listed again, nothing missed', async () => {
    const own = await startEtcd();
    const etcd = connectEtcd(own.endpoints);
    try {
      await withProxiedMirror('compacted', own, async ({ prefix, proxy, mirror, recorder }) => {
        await put(`${prefix}stays`, '1', etcd);
        await put(`${prefix}goes`, '1', etcd);
        await mirror.start();
        await mirror.ready();
        await recorder.until('connected', () => recorder.isConnected);
        proxy.hang();
        proxy.cut();
        await put(`${prefix}new`, '1', etcd);
        await apply([{ delete: { key: `${prefix}goes` } }], etcd);
        const revision = await put(`${prefix}stays`, '2', etcd);
        await compact(own.endpoint, revision);
        proxy.resume();
        await recorder.until('listed again', () => recorder.listings === 2);
        assert.deepEqual(
          recorder.state,
          new Map([
            [`${prefix}new`, '1'],
            [`${prefix}stays`, '2'],
          ]),
        );
        await put(`${prefix}later`, '1', etcd);
        await recorder.until('watching on', () => recorder.state.has(`${prefix}later`));
        await recorder.until('connected', () => recorder.isConnected);
      });
    } finally {
      await etcd.close();
      await own.stop();
    }
  });

  it('is stopped by its consumer in the middle of a listing', async () => {
    const prefix = `${withPrefix('stopped')}/`;
    await put(`${prefix}a`, '1');
    let stopping: Promise<void> | undefined;
    const mirror = writer.mirror(prefix, {
      reset: () => undefined,
      items: () => undefined,
      synced: () => {
        stopping = mirror.stop();
      },
      events: () => assert.fail('told of events after the end'),
    });
    await mirror.start();
    await mirror.ready();
    await stopping;
    await put(`${prefix}b`, '1');
  });

  it('a consumer that throws is told everything again', async () => {
    const prefix = `${withPrefix('throws')}/`;
    const recorder = new MirrorRecorder();
    let thrown = false;
    const mirror = writer.mirror(prefix, {
      reset: () => recorder.reset(),
      items: (kvs) => recorder.items(kvs),
      synced: (revision) => recorder.synced(revision),
      events: (events, revision) => {
        if (!thrown) {
          thrown = true;
          throw new Error('a fault of the consumer');
        }
        recorder.events(events, revision);
      },
    });
    try {
      await mirror.start();
      await mirror.ready();
      await put(`${prefix}a`, '1');
      await recorder.until('the lost event', () => recorder.state.has(`${prefix}a`));
      assert.equal(recorder.listings, 2);
    } finally {
      await mirror.stop();
    }
  });

  it('lists again as a backstop, without a doubt and without dropping the state', async () => {
    const prefix = `${withPrefix('backstop')}/`;
    await put(`${prefix}a`, '1');
    const recorder = new MirrorRecorder();
    const endpoints = new Endpoints(
      [new GrpcEndpoint({ endpoint: server.endpoint })],
      systemClock,
      Math.random,
    );
    const continuity = new Continuity();
    const parts = { endpoints, continuity, clock: systemClock, random: Math.random };
    const mirror = new ListWatchMirror({
      ...parts,
      prefix,
      consumer: recorder,
      caller: new Caller(parts),
      logger: testLogger(),
      backstopMs: 200,
    });
    try {
      await mirror.start();
      await recorder.until('three listings', () => recorder.listings >= 3);
      assert.equal(recorder.state.size, 1);
      assert.deepEqual(recorder.doubtedAtMs, []);
    } finally {
      await mirror.stop();
      endpoints.close();
    }
  });

  it('etcd restored from the past: listed again, what is gone is gone', async () => {
    const restored = await startEtcd();
    const etcd = connectEtcd(restored.endpoints);
    const recorder = new MirrorRecorder();
    const mirror = etcd.mirror('/', recorder);
    try {
      for (const key of ['/a', '/b', '/c']) {
        await etcd.txn({ compare: [], success: [{ put: { key, value: '1' } }], failure: [] });
      }
      await mirror.start();
      await mirror.ready();
      await recorder.until('connected', () => recorder.isConnected);
      // The same cluster id and an empty store: what restoring an old snapshot looks like.
      await restored.member().wipe();
      await recorder.until('listed again', () => recorder.listings === 2);
      assert.equal(recorder.state.size, 0);
      await etcd.txn({ compare: [], success: [{ put: { key: '/d', value: '1' } }], failure: [] });
      await recorder.until('watching on', () => recorder.state.has('/d'));
    } finally {
      await mirror.stop();
      await etcd.close();
      await restored.stop();
    }
  });
});

/** Compaction is an operator's act: not part of our port, so it goes over etcd's JSON gateway. */
async function compact(endpoint: string, revision: number): Promise<void> {
  const response = await fetch(`${endpoint}/v3/kv/compaction`, {
    method: 'POST',
    body: JSON.stringify({ revision: String(revision), physical: true }),
  });
  assert.equal(response.status, 200, await response.text());
}
