/**
 * What the rest of the house knows of etcd: plain data in, plain data out. The adapter behind it
 * speaks gRPC; a simulation can stand behind the same port. Keys are full keys as text, values
 * are bytes. Revisions are safe integers; lease ids are 64-bit and therefore decimal strings.
 */
export interface KeyValue {
  readonly key: string;
  readonly value: Buffer;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  /** Decimal lease id, '0' when there is none. */
  readonly lease: string;
}

/**
 * A guard. With `rangeEnd` it must hold for every key in [key, rangeEnd); an empty range is judged as
 * one absent key, so `create = 0` holds there and `create > 0` does not.
 */
export type Compare = { readonly key: string; readonly rangeEnd?: string } & (
  | {
      readonly target: 'mod' | 'create' | 'version';
      readonly op: '=' | '>' | '<' | '!=';
      readonly value: number;
    }
  | {
      readonly target: 'value';
      readonly op: '=' | '>' | '<' | '!=';
      readonly value: string | Buffer;
    }
  | { readonly target: 'lease'; readonly op: '=' | '!='; readonly value: string }
);

export type Op =
  | {
      readonly put: {
        readonly key: string;
        readonly value: string | Buffer;
        readonly lease?: string;
      };
    }
  | { readonly delete: { readonly key: string; readonly rangeEnd?: string } }
  | { readonly get: RangeRequest }
  | { readonly txn: Txn };

/** One transaction: all guards hold -> `success` ops, else `failure` ops; atomic. */
export interface Txn {
  readonly compare: readonly Compare[];
  readonly success: readonly Op[];
  readonly failure: readonly Op[];
}

export type OpResult =
  | { readonly kind: 'put' }
  | { readonly kind: 'delete'; readonly deleted: number }
  | { readonly kind: 'get'; readonly kvs: readonly KeyValue[]; readonly count: number }
  | { readonly kind: 'txn'; readonly result: TxnResult };

export interface TxnResult {
  readonly succeeded: boolean;
  /** Revision of the store when the outermost transaction was applied. */
  readonly revision: number;
  readonly results: readonly OpResult[];
}

export interface RangeRequest {
  readonly key: string;
  /** Exclusive end; absent means the one key. `prefixEnd(prefix)` gives the end of a prefix. */
  readonly rangeEnd?: string;
  readonly limit?: number;
  /** Read at this revision; absent means the newest. */
  readonly revision?: number;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
}

export interface RangeResult {
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  readonly count: number;
  readonly revision: number;
}

export interface CallOptions {
  /** Deadline of one attempt; default 3,000 ms. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Key-value calls.
 * `range` retries, jittered, on another endpoint until `signal` aborts or about 10 s have passed.
 * `txn` is sent once: a never-sent or refused call throws `etcd-unavailable`, `etcd-rejected` or `etcd-txn-too-large`; a
 * call whose reply was lost throws `unknown-result` and the caller settles it by sending the same
 * transaction again (guards and a unique value tell).
 */
export interface EtcdKv {
  range(request: RangeRequest, options?: CallOptions): Promise<RangeResult>;
  txn(txn: Txn, options?: CallOptions): Promise<TxnResult>;
}

export interface EtcdLeases {
  /** Grants a lease of `ttlSeconds`; answers its id and the TTL the server chose. */
  grantLease(
    ttlSeconds: number,
    options?: CallOptions,
  ): Promise<{ id: string; ttlSeconds: number }>;
  /** Sends one keep-alive; answers the remaining TTL in seconds, 0 when the lease is gone. */
  keepLeaseAlive(id: string, options?: CallOptions): Promise<{ ttlSeconds: number }>;
  revokeLease(id: string, options?: CallOptions): Promise<void>;
}

export type WatchEvent =
  | { readonly type: 'put'; readonly kv: KeyValue }
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: number };

/**
 * What a list-then-watch tells its consumer, in order, never concurrently:
 * `reset` (a listing begins; everything not named until `synced` is gone), `items` (pages of the
 * listing), `synced` (the listing is whole, as of `revision`), then `events` batches in revision
 * order, each revision's events together. A re-list starts again at `reset`.
 */
export interface MirrorConsumer {
  reset(): void;
  items(kvs: readonly KeyValue[]): void;
  synced(revision: number): void;
  events(events: readonly WatchEvent[], revision: number): void;
  /** True while the watch is known to be current; false from the moment it is in doubt. */
  connected?(connected: boolean): void;
}

export interface Mirror {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Resolves when the first listing is whole. */
  ready(): Promise<void>;
  /**
   * Lists everything anew, whatever the watch says; resolves when a listing that was begun after
   * this call is whole. It does so by itself when etcd's state was put back.
   */
  relist(): Promise<void>;
}

/** Where the state of a cluster stands, as its answers say. */
export interface StateMark {
  readonly clusterId: string;
  readonly raftTerm: number;
  readonly revision: number;
}

/** An answer that cannot follow from what was answered before: etcd was restored from a backup. */
export interface SetBack {
  /** What gave it away. */
  readonly what: 'cluster' | 'term' | 'revision';
  readonly before: StateMark;
  readonly now: StateMark;
}

export interface Etcd extends EtcdKv, EtcdLeases {
  /** Lists then watches every key below `prefix`; see MirrorConsumer. */
  mirror(prefix: string, consumer: MirrorConsumer): Mirror;
  /** Resolves when a member answers a linearizable read; throws `etcd-unavailable` otherwise. */
  ping(options?: CallOptions): Promise<{ revision: number; clusterId: string; version: string }>;
  /** The newest state that an answer told of; undefined before the first one. */
  mark(): StateMark | undefined;
  /** Calls `listener` when an answer shows that the state was put back, before that answer is given. */
  onSetBack(listener: (setBack: SetBack) => void): () => void;
  close(): Promise<void>;
}

/** The exclusive end of the range of all keys that begin with `prefix`. */
export function prefixEnd(prefix: string): string {
  const bytes = Buffer.from(prefix);
  for (let i = bytes.length - 1; i >= 0; i--) {
    const byte = bytes[i] ?? 0xff;
    if (byte < 0x7f) {
      return Buffer.concat([bytes.subarray(0, i), Buffer.from([byte + 1])]).toString();
    }
  }
  return '\0';
}
