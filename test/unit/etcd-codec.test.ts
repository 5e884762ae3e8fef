import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fromTxn, toKeyValue, toTxnResult, toWatchEvent } from '../../shared/etcd/codec.ts';
import { parseEndpoints } from '../../shared/etcd/create-etcd.ts';
import type { WireKeyValue, WireTxnResponse } from '../../shared/etcd/grpc-endpoint.ts';
import { prefixEnd } from '../../shared/etcd/port.ts';
import { isCronmeshError } from '../../shared/errors.ts';

const header = { cluster_id: '1', member_id: '2', revision: '42', raft_term: '3' };

function wireKv(change: Partial<WireKeyValue> = {}): WireKeyValue {
  return {
    key: Buffer.from('/a'),
    value: Buffer.from('1'),
    create_revision: '7',
    mod_revision: '9',
    version: '2',
    lease: '9223372036854775807',
    ...change,
  };
}

describe('the etcd codec', () => {
  it('writes guards and operations of every kind, nested to any depth', () => {
    const wire = fromTxn({
      compare: [
        { key: 'k', target: 'mod', op: '=', value: 5 },
        { key: 'k', rangeEnd: 'l', target: 'create', op: '=', value: 0 },
        { key: 'k', target: 'version', op: '!=', value: 1 },
        { key: 'k', target: 'value', op: '<', value: 'v' },
        { key: 'k', target: 'lease', op: '=', value: '9223372036854775807' },
      ],
      success: [
        {
          txn: {
            compare: [],
            success: [{ txn: { compare: [], success: [{ get: { key: 'deep' } }], failure: [] } }],
            failure: [],
          },
        },
      ],
      failure: [
        { put: { key: 'p', value: Buffer.from([255]), lease: '12' } },
        { delete: { key: 'd', rangeEnd: 'e' } },
        { get: { key: 'g', limit: 3, revision: 8, keysOnly: true } },
      ],
    });
    assert.deepEqual(wire, {
      compare: [
        { key: Buffer.from('k'), result: 'Equal', target: 'Mod', mod_revision: 5 },
        {
          key: Buffer.from('k'),
          range_end: Buffer.from('l'),
          result: 'Equal',
          target: 'Create',
          create_revision: 0,
        },
        { key: Buffer.from('k'), result: 'NotEqual', target: 'Version', version: 1 },
        { key: Buffer.from('k'), result: 'Less', target: 'Value', value: Buffer.from('v') },
        { key: Buffer.from('k'), result: 'Equal', target: 'Lease', lease: '9223372036854775807' },
      ],
      success: [
        {
          request_txn: {
            compare: [],
            success: [
              {
                request_txn: {
                  compare: [],
                  success: [{ request_range: { key: Buffer.from('deep') } }],
                  failure: [],
                },
              },
            ],
            failure: [],
          },
        },
      ],
      failure: [
        { request_put: { key: Buffer.from('p'), value: Buffer.from([255]), lease: '12' } },
        { request_delete_range: { key: Buffer.from('d'), range_end: Buffer.from('e') } },
        { request_range: { key: Buffer.from('g'), limit: 3, revision: 8, keys_only: true } },
      ],
    });
  });

  it('reads nested answers; all bear the revision of the outermost', () => {
    // etcd sends no header in nested answers, and of a union only the member that is set.
    const response = {
      header,
      succeeded: true,
      responses: [
        {
          response_txn: {
            succeeded: false,
            responses: [
              { response_range: { kvs: [wireKv()], count: '1' } },
              { response_delete_range: { deleted: '2' } },
            ],
          },
        },
        { response_put: {} },
      ],
    } as unknown as WireTxnResponse;
    assert.deepEqual(toTxnResult(response), {
      succeeded: true,
      revision: 42,
      results: [
        {
          kind: 'txn',
          result: {
            succeeded: false,
            revision: 42,
            results: [
              { kind: 'get', kvs: [toKeyValue(wireKv())], count: 1 },
              { kind: 'delete', deleted: 2 },
            ],
          },
        },
        { kind: 'put' },
      ],
    });
  });

  it('keeps lease ids whole and refuses a revision that is not a safe integer', () => {
    assert.equal(toKeyValue(wireKv()).lease, '9223372036854775807');
    assert.throws(
      () => toKeyValue(wireKv({ mod_revision: '9007199254740993' })),
      (error) => isCronmeshError(error, 'internal'),
    );
  });

  it('reads events', () => {
    const kv = wireKv();
    const prev_kv = wireKv();
    assert.deepEqual(toWatchEvent({ type: 'Put', kv, prev_kv }), {
      type: 'put',
      kv: toKeyValue(kv),
    });
    assert.deepEqual(toWatchEvent({ type: 'Delete', kv, prev_kv }), {
      type: 'delete',
      key: '/a',
      modRevision: 9,
    });
  });
});

describe('prefixEnd', () => {
  it('is the first key after all that begin with the prefix', () => {
    assert.equal(prefixEnd('/cron/jobs/'), '/cron/jobs0');
    assert.equal(prefixEnd('a'), 'b');
  });
});

describe('parseEndpoints', () => {
  it('takes URLs and bare hosts, fills in the port, drops repetitions', () => {
    assert.deepEqual(
      parseEndpoints([
        'http://127.0.0.1:2379',
        'http://127.0.0.1:2379/',
        'HTTPS://etcd.example',
        'etcd-1:4001',
        'http://proxy:80',
        '[::1]:2379',
      ]),
      [
        'http://127.0.0.1:2379',
        'https://etcd.example:2379',
        'etcd-1:4001',
        'http://proxy:80',
        '[::1]:2379',
      ],
    );
  });

  for (const bad of ['', 'http://', 'ftp://h:1', 'http://h:1/path', 'h:99999', 'a b:1', 'u@h:1']) {
    it(`refuses ${JSON.stringify(bad)}`, () => {
      assert.throws(
        () => parseEndpoints([bad]),
        (error) => isCronmeshError(error, 'config-invalid') && error.problems.length === 1,
      );
    });
  }

  it('refuses none at all', () => {
    assert.throws(
      () => parseEndpoints([]),
      (error) => isCronmeshError(error, 'config-invalid'),
    );
  });
});
