import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  failureOf,
  readError,
  writeError,
  type FailureKind,
} from '../../shared/etcd/grpc-failure.ts';
import { CronmeshError, type ErrorCode } from '../../shared/errors.ts';

/** gRPC status, what etcd or gRPC says, what that is, and its code for a read and a write. */
const table: readonly (readonly [number, string, FailureKind, ErrorCode, ErrorCode])[] = [
  [14, 'etcdserver: no leader', 'no-effect', 'etcd-unavailable', 'etcd-unavailable'],
  [8, 'etcdserver: too many requests', 'no-effect', 'etcd-unavailable', 'etcd-unavailable'],
  [14, 'etcdserver: request timed out', 'unknown', 'etcd-unavailable', 'unknown-result'],
  [14, 'etcdserver: leader changed', 'unknown', 'etcd-unavailable', 'unknown-result'],
  [14, 'Connection dropped', 'unknown', 'etcd-unavailable', 'unknown-result'],
  [4, 'Deadline exceeded', 'unknown', 'etcd-unavailable', 'unknown-result'],
  [2, 'raft proposal dropped', 'unknown', 'etcd-unavailable', 'unknown-result'],
  [
    3,
    'etcdserver: duplicate key given in txn request',
    'refused',
    'etcd-rejected',
    'etcd-rejected',
  ],
  [
    3,
    'etcdserver: too many operations in txn request',
    'too-many-operations',
    'etcd-txn-too-large',
    'etcd-txn-too-large',
  ],
  [5, 'etcdserver: requested lease not found', 'not-found', 'etcd-rejected', 'etcd-rejected'],
  [7, 'etcdserver: permission denied', 'refused', 'etcd-rejected', 'etcd-rejected'],
  [16, 'etcdserver: invalid auth token', 'unauthenticated', 'etcd-rejected', 'etcd-rejected'],
  [
    11,
    'etcdserver: mvcc: required revision has been compacted',
    'compacted',
    'etcd-compacted',
    'etcd-compacted',
  ],
  [
    11,
    'etcdserver: mvcc: required revision is a future revision',
    'future',
    'etcd-rejected',
    'etcd-rejected',
  ],
  [8, 'Received message larger than max (5 vs 4)', 'too-large', 'etcd-rejected', 'unknown-result'],
  [
    8,
    'grpc: received message larger than max (5 vs. 4)',
    'refused',
    'etcd-rejected',
    'etcd-rejected',
  ],
];

describe('a failed call', () => {
  for (const [code, details, kind, forRead, forWrite] of table) {
    it(`"${details}" is ${kind}`, () => {
      const cause = Object.assign(new Error(details), { code, details });
      // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- as it comes off the wire
      const failure = failureOf(cause, 'http://h:1');
      assert.equal(failure.kind, kind);
      const read = readError(failure, 'a read failed');
      const write = writeError(failure, 'a transaction failed');
      assert.ok(read instanceof CronmeshError && write instanceof CronmeshError);
      assert.equal(read.code, forRead);
      assert.equal(write.code, forWrite);
      assert.equal(write.cause, failure);
      assert.match(write.message, /http:\/\/h:1/);
    });
  }

  it('of another sort is handed on as it is', () => {
    const error = new TypeError('a bug');
    assert.equal(readError(error, 'x'), error);
    assert.equal(writeError(error, 'x'), error);
  });
});
