/**
 * Between the port's plain data and etcd's protobuf messages: keys as text, values as bytes,
 * revisions as safe integers (a larger one is an error, never rounded), lease ids as decimal
 * strings. Transactions nest to any depth.
 */
import { CronmeshError } from '../errors.ts';
import type {
  WireCompare,
  WireEvent,
  WireKeyValue,
  WireRangeRequest,
  WireRangeResponse,
  WireRequestOp,
  WireResponseOp,
  WireTxnRequest,
  WireTxnResponse,
} from './grpc-endpoint.ts';
import type {
  Compare,
  KeyValue,
  Op,
  OpResult,
  RangeRequest,
  RangeResult,
  Txn,
  TxnResult,
  WatchEvent,
} from './port.ts';

/** int64 as text to a number; throws when it is not a safe integer. */
export function toSafeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) {
    throw new CronmeshError('internal', `etcd sent ${text}, which is not a safe integer`);
  }
  return value;
}

export function toKeyValue(kv: WireKeyValue): KeyValue {
  return {
    key: kv.key.toString('utf8'),
    value: kv.value,
    createRevision: toSafeInteger(kv.create_revision),
    modRevision: toSafeInteger(kv.mod_revision),
    version: toSafeInteger(kv.version),
    lease: kv.lease,
  };
}

export function toWatchEvent(event: WireEvent): WatchEvent {
  if (event.type === 'Put') return { type: 'put', kv: toKeyValue(event.kv) };
  return {
    type: 'delete',
    key: event.kv.key.toString('utf8'),
    modRevision: toSafeInteger(event.kv.mod_revision),
  };
}

export function fromRangeRequest(request: RangeRequest): WireRangeRequest {
  return {
    key: Buffer.from(request.key),
    ...(request.rangeEnd === undefined ? {} : { range_end: Buffer.from(request.rangeEnd) }),
    ...(request.limit === undefined ? {} : { limit: request.limit }),
    ...(request.revision === undefined ? {} : { revision: request.revision }),
    ...(request.keysOnly === true ? { keys_only: true } : {}),
    ...(request.countOnly === true ? { count_only: true } : {}),
  };
}

export function toRangeResult(response: WireRangeResponse): RangeResult {
  return {
    kvs: response.kvs.map(toKeyValue),
    more: response.more,
    count: toSafeInteger(response.count),
    revision: toSafeInteger(response.header.revision),
  };
}

export function fromTxn(txn: Txn): WireTxnRequest {
  return {
    compare: txn.compare.map(fromCompare),
    success: txn.success.map(fromOp),
    failure: txn.failure.map(fromOp),
  };
}

export function toTxnResult(response: WireTxnResponse): TxnResult {
  const revision = toSafeInteger(response.header.revision);
  return toTxnResultAt(response, revision);
}

function toTxnResultAt(response: WireTxnResponse, revision: number): TxnResult {
  return {
    succeeded: response.succeeded,
    revision,
    results: response.responses.map((op) => toOpResult(op, revision)),
  };
}

const compareResults = { '=': 'Equal', '>': 'Greater', '<': 'Less', '!=': 'NotEqual' } as const;

function fromCompare(compare: Compare): WireCompare {
  const common = {
    key: Buffer.from(compare.key),
    result: compareResults[compare.op],
    ...(compare.rangeEnd === undefined ? {} : { range_end: Buffer.from(compare.rangeEnd) }),
  };
  switch (compare.target) {
    case 'mod':
      return { ...common, target: 'Mod', mod_revision: compare.value };
    case 'create':
      return { ...common, target: 'Create', create_revision: compare.value };
    case 'version':
      return { ...common, target: 'Version', version: compare.value };
    case 'value':
      return { ...common, target: 'Value', value: toBuffer(compare.value) };
    case 'lease':
      return { ...common, target: 'Lease', lease: compare.value };
  }
}

function fromOp(op: Op): WireRequestOp {
  if ('put' in op) {
    return {
      request_put: {
        key: Buffer.from(op.put.key),
        value: toBuffer(op.put.value),
        ...(op.put.lease === undefined ? {} : { lease: op.put.lease }),
      },
    };
  }
  if ('delete' in op) {
    return {
      request_delete_range: {
        key: Buffer.from(op.delete.key),
        ...(op.delete.rangeEnd === undefined ? {} : { range_end: Buffer.from(op.delete.rangeEnd) }),
      },
    };
  }
  if ('get' in op) return { request_range: fromRangeRequest(op.get) };
  return { request_txn: fromTxn(op.txn) };
}

// Of a union of answers only the one that was given is there, whatever the generated types say.
function toOpResult(op: Partial<WireResponseOp>, revision: number): OpResult {
  if (op.response_range) {
    return {
      kind: 'get',
      kvs: op.response_range.kvs.map(toKeyValue),
      count: toSafeInteger(op.response_range.count),
    };
  }
  if (op.response_delete_range) {
    return { kind: 'delete', deleted: toSafeInteger(op.response_delete_range.deleted) };
  }
  if (op.response_txn) {
    return { kind: 'txn', result: toTxnResultAt(op.response_txn, revision) };
  }
  return { kind: 'put' };
}

function toBuffer(value: string | Buffer): Buffer {
  return typeof value === 'string' ? Buffer.from(value) : value;
}
