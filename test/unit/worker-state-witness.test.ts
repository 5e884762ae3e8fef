/** Whether etcd's past still holds what a worker has seen of it. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CronmeshError } from '../../shared/errors.ts';
import type { EtcdKv, KeyValue } from '../../shared/etcd/port.ts';
import { lacksWitness, witnessOf } from '../../worker/mesh/state-witness.ts';

const key = '/cron/cursor/a';
const seen = keyValue(90, 'then');
const { signal } = new AbortController();
let why = 'etcdserver: mvcc: required revision is a future revision';

function keyValue(modRevision: number, text: string): KeyValue {
  return { key, value: Buffer.from(text), createRevision: 5, modRevision, version: 1, lease: '0' };
}

/** `past` is what stands at the witness's revision, or why that is not told; `present` what stands now. */
function etcdWith(
  past: KeyValue | 'etcd-compacted' | 'etcd-rejected' | undefined,
  present?: KeyValue,
): Pick<EtcdKv, 'range'> {
  return {
    range: async ({ revision }) => {
      if (revision !== undefined && typeof past === 'string') throw new CronmeshError(past, why);
      const kv = revision === undefined ? present : past;
      const kvs = kv === undefined || typeof kv === 'string' ? [] : [kv];
      return { kvs, more: false, count: kvs.length, revision: 200 };
    },
  };
}

it('knows a past that goes on from one that was put back', async () => {
  const witness = witnessOf(seen);
  const lacks = (...of: Parameters<typeof etcdWith>): Promise<boolean> =>
    lacksWitness(etcdWith(...of), witness, signal);
  assert.equal(await lacks(seen), false);
  assert.equal(await lacks(keyValue(90, 'something else')), true, 'the same revision of others');
  assert.equal(await lacks(keyValue(60, 'then')), true, 'the key as it was before');
  assert.equal(await lacks(undefined), true, 'there was no such key');
  assert.equal(await lacks('etcd-rejected'), true, 'not yet so far');
  why = 'etcdserver: permission denied';
  await assert.rejects(
    lacks('etcd-rejected'),
    /permission denied/,
    'it tells nothing, so it is asked again',
  );
  assert.equal(await lacks('etcd-compacted', keyValue(150, 'now')), false);
  assert.equal(await lacks('etcd-compacted', undefined), false, 'it may have been deleted');
  assert.equal(await lacks('etcd-compacted', keyValue(60, 'then')), true, 'it went back');
});
