/**
 * What every etcd behind our port must do, asked of a real server and of the simulated one in the same
 * words: transactions and their guards, nesting, refusals, ranges and revisions, leases, and what a
 * mirror tells. Whatever the mesh relies on belongs here.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CronmeshError, type ErrorCode } from '../../shared/errors.ts';
import {
  prefixEnd,
  type Compare,
  type Etcd,
  type Op,
  type Txn,
  type TxnResult,
} from '../../shared/etcd/port.ts';
import { MirrorRecorder } from './mirror-recorder.ts';

export interface EtcdUnderTest {
  readonly etcd: Etcd;
  /** Runs time on until `check` holds. */
  until(what: string, check: () => boolean | Promise<boolean>): Promise<void>;
  compact(revision: number): Promise<void>;
  stop(): Promise<void>;
}

const put = (key: string, value = '1'): Op => ({ put: { key, value } });
const always = (success: readonly Op[]): Txn => ({ compare: [], success, failure: [] });
const absent = (key: string): Compare => ({ key, target: 'create', op: '=', value: 0 });
const present = (key: string): Compare => ({ key, target: 'create', op: '>', value: 0 });

async function codeOf(call: Promise<unknown>): Promise<ErrorCode | 'none'> {
  try {
    await call;
    return 'none';
  } catch (error) {
    if (error instanceof CronmeshError) return error.code;
    throw error;
  }
}

/** Whether each nested transaction succeeded. */
function verdicts({ results }: TxnResult): boolean[] {
  return results.map((result) => result.kind === 'txn' && result.result.succeeded);
}

export function etcdContract(name: string, start: () => Promise<EtcdUnderTest>): void {
  describe(`etcd contract: ${name}`, () => {
    let rig: EtcdUnderTest;
    let etcd: Etcd;
    let count = 0;
    const newPrefix = (): string => `/contract-${String((count += 1))}/`;
    const holds = async (...compare: Compare[]): Promise<boolean> =>
      (await etcd.txn({ compare, success: [], failure: [] })).succeeded;

    before(async () => {
      rig = await start();
      ({ etcd } = rig);
    });
    after(() => rig.stop());

    it('counts revisions: one a transaction that writes, none for one that does not', async () => {
      const p = newPrefix();
      const first = await etcd.txn(always([put(`${p}a`), put(`${p}b`)]));
      const read = await etcd.txn(always([{ get: { key: `${p}a` } }]));
      assert.equal(read.revision, first.revision);
      const nothing = await etcd.txn(always([{ delete: { key: `${p}none` } }]));
      assert.equal(nothing.revision, first.revision);
      const again = await etcd.txn(always([put(`${p}a`, '2')]));
      assert.equal(again.revision, first.revision + 1);
      const { kvs, revision } = await etcd.range({ key: p, rangeEnd: prefixEnd(p) });
      assert.equal(revision, again.revision);
      assert.deepEqual(
        kvs.map((kv) => [
          kv.key,
          kv.value.toString(),
          kv.createRevision,
          kv.modRevision,
          kv.version,
        ]),
        [
          [`${p}a`, '2', first.revision, again.revision, 2],
          [`${p}b`, '1', first.revision, first.revision, 1],
        ],
      );
    });

    it('a key that was deleted begins again', async () => {
      const key = `${newPrefix()}a`;
      await etcd.txn(always([put(key)]));
      const gone = await etcd.txn(always([{ delete: { key } }]));
      assert.deepEqual(gone.results, [{ kind: 'delete', deleted: 1 }]);
      const anew = await etcd.txn(always([put(key)]));
      const { kvs } = await etcd.range({ key });
      assert.equal(kvs[0]?.createRevision, anew.revision);
      assert.equal(kvs[0]?.version, 1);
    });

    it('guards hold for an absent key as if all its numbers were 0; a value guard never does', async () => {
      const key = `${newPrefix()}none`;
      assert.ok(await holds(absent(key)));
      assert.ok(!(await holds(present(key))));
      assert.ok(await holds({ key, target: 'mod', op: '=', value: 0 }));
      assert.ok(await holds({ key, target: 'version', op: '<', value: 1 }));
      assert.ok(await holds({ key, target: 'lease', op: '=', value: '0' }));
      assert.ok(!(await holds({ key, target: 'value', op: '=', value: '' })));
      assert.ok(!(await holds({ key, target: 'value', op: '!=', value: 'x' })));
    });

    it('guards hold only together', async () => {
      const p = newPrefix();
      await etcd.txn(always([put(`${p}a`, 'v')]));
      assert.ok(await holds(present(`${p}a`), absent(`${p}b`)));
      assert.ok(!(await holds(present(`${p}a`), present(`${p}b`))));
    });

    it('values compare as bytes', async () => {
      const key = `${newPrefix()}a`;
      await etcd.txn(always([put(key, '0000000000001000 x')]));
      const value = '0000000000000999 x';
      assert.ok(await holds({ key, target: 'value', op: '>', value }));
      assert.ok(!(await holds({ key, target: 'value', op: '=', value })));
      await etcd.txn(always([{ put: { key, value: Buffer.from([0xff]) } }]));
      assert.ok(await holds({ key, target: 'value', op: '>', value: Buffer.from([0x7f, 0xff]) }));
    });

    it('a range guard holds when it holds for every key; an empty range is like one absent key', async () => {
      const p = newPrefix();
      const rangeEnd = prefixEnd(p);
      const create = (op: '=' | '>'): Compare => ({
        key: p,
        rangeEnd,
        target: 'create',
        op,
        value: 0,
      });
      assert.ok(await holds(create('=')));
      assert.ok(!(await holds(create('>'))));
      const { revision } = await etcd.txn(always([put(`${p}a`)]));
      assert.ok(!(await holds(create('='))));
      assert.ok(await holds(create('>')));
      await etcd.txn(always([put(`${p}b`)]));
      const range = { key: p, rangeEnd } as const;
      assert.ok(!(await holds({ ...range, target: 'mod', op: '=', value: revision })));
      assert.ok(await holds({ ...range, target: 'mod', op: '>', value: revision - 1 }));
    });

    it('a range guard of one prefix does not see another that it begins', async () => {
      const p = newPrefix();
      await etcd.txn(always([put(`${p}lock/job-10/t1`)]));
      const key = `${p}lock/job-1/`;
      assert.ok(
        await holds({ key, rangeEnd: prefixEnd(key), target: 'create', op: '=', value: 0 }),
      );
    });

    it('does what the branch says that was taken, and reads its own writes', async () => {
      const key = `${newPrefix()}a`;
      const txn: Txn = {
        compare: [absent(key)],
        success: [put(key, 'new'), { get: { key } }],
        failure: [{ get: { key } }],
      };
      for (const succeeded of [true, false]) {
        const result = await etcd.txn(txn);
        assert.equal(result.succeeded, succeeded);
        const read = result.results.at(-1);
        assert.ok(read?.kind === 'get');
        assert.equal(read.kvs[0]?.value.toString(), 'new');
      }
    });

    it('nested: every guard, however deep, sees the state before the request', async () => {
      const p = newPrefix();
      const claim = (put2: string): Op => ({
        txn: { compare: [absent(`${p}lock`)], success: [put(`${p}${put2}`)], failure: [] },
      });
      // The first puts what the second says must not be there.
      const answer = await etcd.txn(always([claim('lock'), claim('other')]));
      assert.deepEqual(verdicts(answer), [true, true]);
      const outerFirst = await etcd.txn(
        always([
          put(`${p}x`),
          { txn: { compare: [absent(`${p}x`)], success: [put(`${p}y`)], failure: [] } },
        ]),
      );
      assert.equal(outerFirst.results[1]?.kind, 'txn');
      assert.deepEqual(verdicts({ ...outerFirst, results: outerFirst.results.slice(1) }), [true]);
      assert.ok(await holds(present(`${p}y`)));
      const deeper = await etcd.txn(
        always([
          { delete: { key: `${p}x` } },
          { txn: always([{ txn: { compare: [present(`${p}x`)], success: [], failure: [] } }]) },
        ]),
      );
      const [, middle] = deeper.results;
      assert.ok(middle?.kind === 'txn');
      assert.deepEqual(verdicts(middle.result), [true]);
    });

    it('nested: all is of one revision, and each answers for itself', async () => {
      const p = newPrefix();
      const former = await etcd.txn(always([put(`${p}taken`, 'theirs')]));
      const claim = (key: string): Op => ({
        txn: {
          compare: [absent(`${p}${key}`)],
          success: [put(`${p}${key}`, 'mine')],
          failure: [{ get: { key: `${p}${key}` } }],
        },
      });
      const answer = await etcd.txn(always([claim('free'), claim('taken'), claim('free2')]));
      assert.deepEqual(verdicts(answer), [true, false, true]);
      assert.equal(answer.revision, former.revision + 1);
      const refused = answer.results[1];
      assert.ok(refused?.kind === 'txn' && refused.result.results[0]?.kind === 'get');
      assert.equal(refused.result.results[0].kvs[0]?.value.toString(), 'theirs');
      const { kvs } = await etcd.range({ key: `${p}free`, rangeEnd: prefixEnd(`${p}free`) });
      assert.deepEqual(
        kvs.map(({ createRevision }) => createRevision),
        [answer.revision, answer.revision],
      );
    });

    it('refuses one key put twice, also across nested transactions, and does nothing of it', async () => {
      const p = newPrefix();
      const nested = (success: readonly Op[], failure: readonly Op[] = []): Op => ({
        txn: { compare: [], success, failure },
      });
      const key = `${p}a`;
      const refused: readonly (readonly Op[])[] = [
        [put(key), put(key)],
        [nested([put(key)]), nested([put(key)])],
        [nested([put(key)]), put(key)],
        // A branch that is not taken counts.
        [nested([put(key)]), nested([], [put(key)])],
        [put(key), { delete: { key } }],
        [nested([{ delete: { key } }]), nested([put(key)])],
        [put(`${p}b`), { delete: { key: p, rangeEnd: prefixEnd(p) } }],
      ];
      for (const ops of refused) {
        assert.equal(await codeOf(etcd.txn(always(ops))), 'etcd-rejected', JSON.stringify(ops));
      }
      assert.equal((await etcd.range({ key: p, rangeEnd: prefixEnd(p) })).count, 0);
      // Either branch of one transaction may put it, and a later one may delete what an earlier puts.
      await etcd.txn(always([nested([put(key)], [put(key)])]));
      await etcd.txn(always([nested([put(key)]), nested([{ delete: { key } }])]));
      assert.equal((await etcd.range({ key })).count, 0);
      await etcd.txn(always([{ delete: { key } }, { delete: { key } }]));
    });

    it('allows 128 operations on the way down, and no more', async () => {
      const p = newPrefix();
      const nested = (outer: number, inner: number): Txn =>
        always(
          Array.from({ length: outer }, (_, i) => ({
            txn: always(
              Array.from({ length: inner }, (__, j) => put(`${p}${String(i)}/${String(j)}`)),
            ),
          })),
        );
      assert.equal(await codeOf(etcd.txn(nested(120, 8))), 'none');
      assert.equal(await codeOf(etcd.txn(nested(120, 9))), 'etcd-txn-too-large');
      assert.equal(await codeOf(etcd.txn(nested(129, 0))), 'etcd-txn-too-large');
    });

    it('refuses the whole request for one put on a dead lease, if its branch is taken', async () => {
      const p = newPrefix();
      const onDead: Op = { put: { key: `${p}b`, value: '1', lease: '4711' } };
      const nested: Op = { txn: always([onDead]) };
      assert.equal(await codeOf(etcd.txn(always([put(`${p}a`), nested]))), 'etcd-rejected');
      assert.equal((await etcd.range({ key: `${p}a` })).count, 0);
      const notTaken = await etcd.txn({
        compare: [absent(`${p}a`)],
        success: [put(`${p}a`)],
        failure: [onDead],
      });
      assert.ok(notTaken.succeeded);
    });

    it('reads ranges in order, in pages, as of a revision, and only counts or keys', async () => {
      const p = newPrefix();
      const { revision } = await etcd.txn(always(['b', 'a', 'c'].map((key) => put(p + key))));
      await etcd.txn(always([{ delete: { key: `${p}a` } }, put(`${p}d`)]));
      const range = { key: p, rangeEnd: prefixEnd(p) };
      const old = await etcd.range({ ...range, revision, limit: 2 });
      assert.deepEqual(
        old.kvs.map(({ key }) => key),
        [`${p}a`, `${p}b`],
      );
      assert.deepEqual([old.more, old.count], [true, 3]);
      const now = await etcd.range({ ...range, keysOnly: true });
      assert.deepEqual(
        now.kvs.map(({ key, value }) => [key, value.length]),
        [
          [`${p}b`, 0],
          [`${p}c`, 0],
          [`${p}d`, 0],
        ],
      );
      const counted = await etcd.range({ ...range, countOnly: true });
      assert.deepEqual([counted.kvs.length, counted.count], [0, 3]);
    });

    it('a lease takes its keys along in one revision, and a put without it lets a key stay', async () => {
      const p = newPrefix();
      const { id, ttlSeconds } = await etcd.grantLease(60);
      assert.equal(ttlSeconds, 60);
      const lease = id;
      await etcd.txn(
        always([
          { put: { key: `${p}a`, value: '1', lease } },
          { put: { key: `${p}b`, value: '1', lease } },
          { put: { key: `${p}c`, value: '1', lease } },
        ]),
      );
      assert.ok(await holds({ key: `${p}a`, target: 'lease', op: '=', value: lease }));
      const last = await etcd.txn(always([put(`${p}c`, '2')]));
      assert.ok((await etcd.keepLeaseAlive(id)).ttlSeconds > 0);
      await etcd.revokeLease(id);
      const left = await etcd.range({ key: p, rangeEnd: prefixEnd(p) });
      assert.deepEqual(
        left.kvs.map(({ key }) => key),
        [`${p}c`],
      );
      assert.equal(left.revision, last.revision + 1);
      assert.deepEqual(await etcd.keepLeaseAlive(id), { ttlSeconds: 0 });
      // Not there any more counts as revoked.
      await etcd.revokeLease(id);
    });

    it('a lease that nobody renews ends, not before its time', async () => {
      const key = `${newPrefix()}a`;
      const { id } = await etcd.grantLease(2);
      await etcd.txn(always([{ put: { key, value: '1', lease: id } }]));
      assert.equal((await etcd.range({ key })).count, 1);
      await rig.until('the key is gone', async () => (await etcd.range({ key })).count === 0);
      assert.deepEqual(await etcd.keepLeaseAlive(id), { ttlSeconds: 0 });
    });

    it('a mirror tells a listing, then every revision whole and in order', async () => {
      const p = newPrefix();
      await etcd.txn(always([put(`${p}a`), put(`${p}b`)]));
      const recorder = new MirrorRecorder();
      const mirror = etcd.mirror(p, recorder);
      await mirror.start();
      await rig.until('listed', () => recorder.listings === 1);
      await mirror.ready();
      assert.deepEqual([...recorder.state.keys()], [`${p}a`, `${p}b`]);
      await rig.until('connected', () => recorder.isConnected);
      await etcd.txn(always([{ delete: { key: `${p}a` } }, put(`${p}c`), put(`${p}b`, '2')]));
      await etcd.txn(always([put(`${p.slice(0, -1)}-not/a`)]));
      const last = await etcd.txn(always([put(`${p}d`)]));
      await rig.until('all told', () => recorder.revision >= last.revision);
      assert.deepEqual(
        recorder.received.map((event) =>
          event.type === 'put' ? event.kv.key : `gone ${event.key}`,
        ),
        [`gone ${p}a`, `${p}c`, `${p}b`, `${p}d`],
      );
      assert.deepEqual(
        recorder.batchRevisions,
        recorder.batchRevisions.toSorted((a, b) => a - b),
      );
      assert.equal(recorder.listings, 1);
      await mirror.stop();
    });

    it('a mirror tells what a lease took along, as one revision', async () => {
      const p = newPrefix();
      const recorder = new MirrorRecorder();
      const mirror = etcd.mirror(p, recorder);
      await mirror.start();
      await rig.until('connected', () => recorder.isConnected);
      const { id: lease } = await etcd.grantLease(60);
      const puts = ['a', 'b'].map((end): Op => ({ put: { key: p + end, value: '1', lease } }));
      await etcd.txn(always(puts));
      await etcd.revokeLease(lease);
      await rig.until('gone', () => recorder.received.length >= 4);
      const gone = recorder.received.slice(2);
      assert.deepEqual(
        gone.map((event) => event.type),
        ['delete', 'delete'],
      );
      const revisions = gone.map((event) => (event.type === 'delete' ? event.modRevision : 0));
      assert.equal(revisions[0], revisions[1]);
      await mirror.stop();
    });

    it('names a compacted revision as such (the last: it is gone for all others)', async () => {
      const key = `${newPrefix()}a`;
      const { revision } = await etcd.txn(always([put(key)]));
      await etcd.txn(always([put(key, '2')]));
      await rig.compact(revision + 1);
      assert.equal(await codeOf(etcd.range({ key, revision })), 'etcd-compacted');
      assert.equal((await etcd.range({ key, revision: revision + 1 })).kvs[0]?.version, 2);
      const future = await codeOf(etcd.range({ key, revision: revision + 1000 }));
      assert.equal(future, 'etcd-rejected');
    });
  });
}
