/**
 * 100,000 keys of 300 bytes: listed in pages, and the event loop stays free while they come.
 * Rows too large for one reply shrink the pages instead of failing.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Etcd, Op } from '../../shared/etcd/port.ts';
import { connectEtcd } from '../support/etcd-client.ts';
import { startEtcd, type TestEtcd } from '../support/etcd-server.ts';
import { watchLoop } from '../support/loop-block.ts';
import { MirrorRecorder } from '../support/mirror-recorder.ts';

const total = 100_000;

let server: TestEtcd;
let etcd: Etcd;

async function fill(prefix: string, count: number, value: Buffer, perTxn: number): Promise<void> {
  const txns = Array.from({ length: Math.ceil(count / perTxn) }, (_, t) =>
    Array.from({ length: Math.min(perTxn, count - t * perTxn) }, (__, i): Op => ({
      put: { key: `${prefix}${String(t * perTxn + i).padStart(7, '0')}`, value },
    })),
  );
  for (let at = 0; at < txns.length; at += 8) {
    await Promise.all(
      txns
        .slice(at, at + 8)
        .map((success) => etcd.txn({ compare: [], success, failure: [] }, { timeoutMs: 20_000 })),
    );
  }
}

describe('a big prefix', () => {
  before(async () => {
    server = await startEtcd();
    etcd = connectEtcd(server.endpoints);
  });

  after(async () => {
    await etcd.close();
    await server.stop();
  });

  it('100,000 keys of 300 bytes are listed whole, the event loop never blocked', async (t) => {
    await fill('/big/', total, Buffer.alloc(300, 'x'), 100);
    const blocksMs: number[] = [];
    // What we ourselves block shows every time; a collection of garbage now and then.
    for (let round = 0; round < 3; round += 1) {
      const recorder = new MirrorRecorder();
      const mirror = etcd.mirror('/big/', recorder);
      const startMs = performance.now();
      const blocked = watchLoop();
      try {
        await mirror.start();
        await mirror.ready();
      } finally {
        blocksMs.push(blocked());
        await mirror.stop();
      }
      const tookMs = performance.now() - startMs;
      t.diagnostic(`${tookMs.toFixed(0)} ms, longest block ${blocksMs.at(-1)?.toFixed(0)} ms`);
      assert.equal(recorder.state.size, total);
      assert.equal(recorder.listings, 1);
      assert.ok(Math.max(...recorder.pages) <= 5000);
    }
    const blockMs = Math.min(...blocksMs);
    assert.ok(blockMs < 50, `the loop was blocked for ${String(blockMs)} ms`);
  });

  it('a page that does not fit is asked for in smaller ones', async () => {
    // 50 rows of 1 MB: the first page would be larger than we receive.
    await fill('/wide/', 50, Buffer.alloc(1_000_000, 'x'), 1);
    const recorder = new MirrorRecorder();
    const mirror = etcd.mirror('/wide/', recorder);
    try {
      await mirror.start();
      await mirror.ready();
      assert.equal(recorder.state.size, 50);
    } finally {
      await mirror.stop();
    }
  });
});
