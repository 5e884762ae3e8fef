/**
 * Reads, transactions and leases against a real etcd: nesting and its limits, what a caller is
 * told when a call is refused, never sent, or its answer is lost.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CronmeshError, isCronmeshError, type ErrorCode } from '../../shared/errors.ts';
import { prefixEnd, type Etcd, type Op, type Txn, type TxnResult } from '../../shared/etcd/port.ts';
import { connectEtcd } from '../support/etcd-client.ts';
import { startEtcd, withPrefix, type TestEtcd } from '../support/etcd-server.ts';
import { freePort } from '../support/server-process.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

let server: TestEtcd;
let etcd: Etcd;

function put(key: string, value = '1'): Op {
  return { put: { key, value } };
}

function always(success: readonly Op[]): Txn {
  return { compare: [], success, failure: [] };
}

/** What a caller does about an unknown result: send the same again until there is an answer. */
async function settle(client: Etcd, txn: Txn): Promise<TxnResult> {
  for (;;) {
    try {
      return await client.txn(txn);
    } catch (error) {
      if (!isCronmeshError(error, 'unknown-result')) throw error;
    }
  }
}

async function codeOf(call: Promise<unknown>): Promise<ErrorCode | 'none'> {
  try {
    await call;
    return 'none';
  } catch (error) {
    if (error instanceof CronmeshError) return error.code;
    throw error;
  }
}

describe('etcd reads, transactions and leases', { concurrency: true }, () => {
  before(async () => {
    server = await startEtcd();
    etcd = connectEtcd(server.endpoints);
  });

  after(async () => {
    await etcd.close();
    await server.stop();
  });

  it('answers a ping with revision, cluster and version', async () => {
    const answer = await etcd.ping();
    assert.ok(answer.revision >= 1);
    assert.match(answer.clusterId, /^\d+$/);
    assert.match(answer.version, /^\d+\.\d+\.\d+/);
  });

  it('reads keys with all that is known of them', async () => {
    const prefix = withPrefix('read');
    const { id } = await etcd.grantLease(60);
    const value = Buffer.from([0, 255, 10, 200]);
    const first = await etcd.txn(always([{ put: { key: `${prefix}/a`, value, lease: id } }]));
    const second = await etcd.txn(always([{ put: { key: `${prefix}/a`, value, lease: id } }]));
    const answer = await etcd.range({ key: `${prefix}/a` });
    assert.deepEqual(answer.kvs, [
      {
        key: `${prefix}/a`,
        value,
        createRevision: first.revision,
        modRevision: second.revision,
        version: 2,
        lease: id,
      },
    ]);
    assert.equal(answer.count, 1);
    const old = await etcd.range({ key: `${prefix}/a`, revision: first.revision });
    assert.equal(old.kvs[0]?.modRevision, first.revision);
    await etcd.revokeLease(id);
    await etcd.revokeLease(id);
    assert.equal((await etcd.range({ key: `${prefix}/a` })).count, 0);
    assert.deepEqual(await etcd.keepLeaseAlive(id), { ttlSeconds: 0 });
  });

  it('reads ranges with a limit, keys only and counts', async () => {
    const prefix = `${withPrefix('range')}/`;
    await etcd.txn(always(['a', 'b', 'c'].map((name) => put(prefix + name))));
    const range = { key: prefix, rangeEnd: prefixEnd(prefix) };
    const some = await etcd.range({ ...range, limit: 2, keysOnly: true });
    assert.deepEqual(
      some.kvs.map((kv) => [kv.key, kv.value.length]),
      [
        [`${prefix}a`, 0],
        [`${prefix}b`, 0],
      ],
    );
    assert.ok(some.more);
    assert.equal(some.count, 3);
    assert.deepEqual((await etcd.range({ ...range, countOnly: true })).kvs, []);
  });

  it('guards by every target, over single keys and ranges', async () => {
    const prefix = `${withPrefix('guard')}/`;
    const key = `${prefix}a`;
    const { revision } = await etcd.txn(always([put(key, 'v')]));
    const holds = async (compare: Txn['compare'][number]): Promise<boolean> =>
      (await etcd.txn({ compare: [compare], success: [], failure: [] })).succeeded;
    assert.ok(await holds({ key, target: 'mod', op: '=', value: revision }));
    assert.ok(!(await holds({ key, target: 'mod', op: '=', value: revision + 1 })));
    assert.ok(await holds({ key, target: 'create', op: '>', value: 0 }));
    assert.ok(await holds({ key: `${prefix}none`, target: 'create', op: '=', value: 0 }));
    assert.ok(await holds({ key, target: 'version', op: '!=', value: 2 }));
    assert.ok(await holds({ key, target: 'value', op: '=', value: 'v' }));
    assert.ok(await holds({ key, target: 'value', op: '<', value: 'w' }));
    assert.ok(await holds({ key, target: 'lease', op: '=', value: '0' }));
    const rangeEnd = prefixEnd(prefix);
    assert.ok(!(await holds({ key: prefix, rangeEnd, target: 'create', op: '=', value: 0 })));
    const empty = `${prefix}none/`;
    assert.ok(
      await holds({
        key: empty,
        rangeEnd: prefixEnd(empty),
        target: 'create',
        op: '=',
        value: 0,
      }),
    );
  });

  it('nests transactions; each answers for itself, all at one revision', async () => {
    const prefix = withPrefix('nest');
    const claim = (name: string): Txn => ({
      compare: [{ key: `${prefix}/${name}`, target: 'create', op: '=', value: 0 }],
      success: [put(`${prefix}/${name}`, 'mine'), { delete: { key: `${prefix}/x${name}` } }],
      failure: [{ get: { key: `${prefix}/${name}` } }],
    });
    await etcd.txn(always([put(`${prefix}/b`, 'theirs'), put(`${prefix}/xa`)]));
    const answer = await etcd.txn(always([{ txn: claim('a') }, { txn: claim('b') }]));
    const [a, b] = answer.results.map((result) =>
      result.kind === 'txn' ? result.result : undefined,
    );
    assert.ok(a?.succeeded === true && b?.succeeded === false);
    assert.deepEqual(a.results, [{ kind: 'put' }, { kind: 'delete', deleted: 1 }]);
    const read = b.results[0];
    assert.ok(read?.kind === 'get');
    assert.equal(read.kvs[0]?.value.toString(), 'theirs');
    assert.equal(a.revision, answer.revision);
    const now = await etcd.range({ key: `${prefix}/a` });
    assert.equal(now.kvs[0]?.modRevision, answer.revision);
  });

  it('takes 100 nested transactions of 8 operations; more than etcd allows is refused', async () => {
    const prefix = withPrefix('batch');
    const nested = (count: number, operations: number): Txn =>
      always(
        Array.from({ length: count }, (_, i) => ({
          txn: always(
            Array.from({ length: operations }, (__, j) =>
              put(`${prefix}/${String(count)}/${String(i)}/${String(j)}`),
            ),
          ),
        })),
      );
    const answer = await etcd.txn(nested(100, 8));
    assert.equal(answer.results.length, 100);
    assert.equal(await codeOf(etcd.txn(nested(129, 1))), 'etcd-txn-too-large');
  });

  it('refuses as a whole what etcd refuses: a key put twice, a dead lease', async () => {
    const key = `${withPrefix('refused')}/a`;
    assert.equal(await codeOf(etcd.txn(always([put(key), put(key)]))), 'etcd-rejected');
    const onDeadLease: Op = { put: { key: `${key}2`, value: '1', lease: '4711' } };
    assert.equal(await codeOf(etcd.txn(always([put(key), onDeadLease]))), 'etcd-rejected');
    assert.equal((await etcd.range({ key })).count, 0);
  });

  it('names a compacted revision as such', async () => {
    const own = await startEtcd();
    const client = connectEtcd(own.endpoints);
    try {
      const { revision } = await client.txn(always([put('/a')]));
      await client.txn(always([put('/a', '2')]));
      const body = JSON.stringify({ revision: String(revision + 1), physical: true });
      const answer = await fetch(`${own.endpoint}/v3/kv/compaction`, { method: 'POST', body });
      assert.equal(answer.status, 200);
      assert.equal(await codeOf(client.range({ key: '/a', revision })), 'etcd-compacted');
    } finally {
      await client.close();
      await own.stop();
    }
  });

  it('says unavailable when nobody is there: nothing was sent', async () => {
    const nobody = connectEtcd([`127.0.0.1:${String(await freePort())}`]);
    try {
      const limits = { timeoutMs: 300 };
      assert.equal(await codeOf(nobody.ping(limits)), 'etcd-unavailable');
      assert.equal(await codeOf(nobody.txn(always([put('/a')]), limits)), 'etcd-unavailable');
      assert.equal(await codeOf(nobody.keepLeaseAlive('1', limits)), 'etcd-unavailable');
    } finally {
      await nobody.close();
    }
  });

  it('says unavailable at once after close()', async () => {
    const closed = connectEtcd(server.endpoints);
    await closed.ping();
    await closed.close();
    assert.equal(await codeOf(closed.range({ key: '/a' })), 'etcd-unavailable');
    assert.equal(await codeOf(closed.txn(always([put('/a')]))), 'etcd-unavailable');
    await closed.close();
  });

  it('a wait ends when its signal says so', async () => {
    const nobody = connectEtcd([`127.0.0.1:${String(await freePort())}`]);
    try {
      const reason = new Error('enough');
      await assert.rejects(
        nobody.range({ key: '/a' }, { signal: AbortSignal.abort(reason) }),
        reason,
      );
      const later = new AbortController();
      const waiting = assert.rejects(nobody.range({ key: '/a' }, { signal: later.signal }), reason);
      setTimeout(() => later.abort(reason), 50);
      await waiting;
    } finally {
      await nobody.close();
    }
  });

  it('a read waits for an etcd that comes back', async () => {
    const own = await startEtcd();
    const client = connectEtcd(own.endpoints);
    try {
      await client.txn(always([put('/a')]));
      await own.member().kill();
      const reading = client.range({ key: '/a' });
      own.member().launch();
      assert.equal((await reading).count, 1);
    } finally {
      await client.close();
      await own.stop();
    }
  });
});

describe('a lost answer', { concurrency: true }, () => {
  it('to a committed transaction: unknown, and settled by sending the same again', async () => {
    const own = await startEtcd();
    const proxy = await startTcpProxy(own.member().clientPort);
    const client = connectEtcd([proxy.endpoint]);
    const direct = connectEtcd(own.endpoints);
    try {
      for (let round = 0; round < 5; round += 1) {
        const key = `/claim/${String(round)}`;
        const token = `run-${String(round)}`;
        const claim: Txn = {
          compare: [{ key, target: 'create', op: '=', value: 0 }],
          success: [put(key, token)],
          failure: [{ get: { key } }],
        };
        await client.ping();
        proxy.swallowReplies();
        assert.equal(await codeOf(client.txn(claim, { timeoutMs: 300 })), 'unknown-result');
        assert.equal((await direct.range({ key })).kvs[0]?.value.toString(), token);
        proxy.cut();
        proxy.resume();
        const again = await settle(client, claim);
        assert.equal(again.succeeded, false);
        const read = again.results[0];
        assert.ok(read?.kind === 'get');
        assert.equal(read.kvs[0]?.value.toString(), token, 'won by the first one');
        assert.equal(read.kvs[0]?.version, 1, 'applied once');
      }
    } finally {
      await client.close();
      await direct.close();
      await proxy.close();
      await own.stop();
    }
  });

  it('because its caller gave up waiting: unknown as well', async () => {
    const own = await startEtcd();
    const proxy = await startTcpProxy(own.member().clientPort);
    const client = connectEtcd([proxy.endpoint]);
    try {
      await client.ping();
      proxy.swallowReplies();
      const patience = new AbortController();
      const waiting = codeOf(client.txn(always([put('/a')]), { signal: patience.signal }));
      setTimeout(() => patience.abort(), 100);
      assert.equal(await waiting, 'unknown-result');
    } finally {
      await client.close();
      await proxy.close();
      await own.stop();
    }
  });

  it('because the connection broke: unknown as well', async () => {
    const own = await startEtcd();
    const proxy = await startTcpProxy(own.member().clientPort);
    const client = connectEtcd([proxy.endpoint]);
    try {
      await client.ping();
      proxy.swallowReplies();
      const waiting = codeOf(client.txn(always([put('/a')])));
      setTimeout(() => proxy.cut(), 100);
      assert.equal(await waiting, 'unknown-result');
    } finally {
      await client.close();
      await proxy.close();
      await own.stop();
    }
  });
});
