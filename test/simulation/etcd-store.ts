/**
 * The server's side of the simulated etcd: keys with their revisions, transactions with nesting,
 * leases, compaction, and the log that watches read. Synchronous; it has no time and no network of
 * its own. Held to the same contract suite as a real server (test/support/etcd-contract.ts).
 */
import { CronmeshError } from '../../shared/errors.ts';
import type {
  Compare,
  KeyValue,
  Op,
  OpResult,
  RangeRequest,
  RangeResult,
  StateMark,
  Txn,
  TxnResult,
  WatchEvent,
} from '../../shared/etcd/port.ts';
import { checkTxn, rejected } from './etcd-checks.ts';
import { KeyTable } from './key-table.ts';

export interface CommitEvent {
  readonly key: string;
  /** Undefined for a deletion. */
  readonly kv: KeyValue | undefined;
  readonly previous: KeyValue | undefined;
}

export class Commit {
  readonly revision: number;
  readonly events: readonly CommitEvent[];
  #told: { readonly prefix: string; readonly events: readonly WatchEvent[] } | undefined;

  constructor(revision: number, events: readonly CommitEvent[]) {
    this.revision = revision;
    this.events = events;
  }

  /** What watches of `prefix` are told of it. */
  told(prefix: string): readonly WatchEvent[] {
    // Every worker watches the same.
    if (this.#told?.prefix !== prefix) {
      const inside = this.events.filter(({ key }) => key.startsWith(prefix));
      const events = inside.map((event) => toWatchEvent(event, this.revision));
      this.#told = { prefix, events };
    }
    return this.#told.events;
  }
}

interface Lease {
  readonly ttlSeconds: number;
  expiresAtMs: number;
  readonly keys: Set<string>;
}

export interface Backup {
  readonly revision: number;
  readonly keys: readonly KeyValue[];
  readonly leases: readonly { readonly id: string; readonly ttlSeconds: number }[];
}

const noKeys = { createRevision: 0, modRevision: 0, version: 0, lease: '0' };

export class EtcdStore {
  readonly #keys = new KeyTable<KeyValue>();
  /** All versions of a key since the last compaction; undefined stands for a deletion. */
  readonly #versions = new KeyTable<{ revision: number; kv: KeyValue | undefined }[]>();
  readonly #leases = new Map<string, Lease>();
  readonly #listeners = new Set<(commit: Commit) => void>();
  #granted: (id: string) => void = () => undefined;
  #log: Commit[] = [];
  #revision = 1;
  #compacted = 0;
  #nextLease = 1000;
  #clusterId = 'c1';
  #incarnation = 1;
  /** Stands before every transaction that is applied; a mutation test takes guards out here. */
  alter: (txn: Txn) => Txn = (txn) => txn;

  get revision(): number {
    return this.#revision;
  }

  /** What the header of every answer says. */
  get mark(): StateMark {
    return { clusterId: this.#clusterId, raftTerm: 2, revision: this.#revision };
  }

  /** Counts the servers that served this store; connections end with theirs. */
  get incarnation(): number {
    return this.#incarnation;
  }

  /** A backup of everything, as of now. */
  backup(): Backup {
    return {
      revision: this.#revision,
      keys: [...this.#keys.values()],
      leases: [...this.#leases].map(([id, { ttlSeconds }]) => ({ id, ttlSeconds })),
    };
  }

  /**
   * Another server, over the state of the backup: nothing older is known of it, and its leases have
   * their whole time ahead. A restore need not change the cluster's id.
   */
  restore({ revision, keys, leases }: Backup, clusterId: string, nowMs: number): void {
    this.#incarnation += 1;
    this.#clusterId = clusterId;
    this.#revision = revision;
    this.#compacted = revision;
    this.#log = [];
    this.#keys.clear();
    this.#versions.clear();
    this.#leases.clear();
    for (const { id, ttlSeconds } of leases) {
      const expiresAtMs = nowMs + ttlSeconds * 1000;
      this.#leases.set(id, { ttlSeconds, expiresAtMs, keys: new Set() });
    }
    for (const kv of keys) {
      this.#keys.set(kv.key, kv);
      this.#versions.set(kv.key, [{ revision: kv.modRevision, kv }]);
      this.#leases.get(kv.lease)?.keys.add(kv.key);
    }
    for (const { id } of leases) this.#granted(id);
  }

  get compactedRevision(): number {
    return this.#compacted;
  }

  /** The returned function ends it. */
  onCommit(listener: (commit: Commit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whoever watches over leases hears of every new one. */
  onGrant(listener: (id: string) => void): void {
    this.#granted = listener;
  }

  get(key: string): KeyValue | undefined {
    return this.#keys.get(key);
  }

  /** Every key that begins with `prefix`, in order. */
  withPrefix(prefix: string): KeyValue[] {
    return [...this.#keys.values()]
      .filter(({ key }) => key.startsWith(prefix))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  range(request: RangeRequest): RangeResult {
    this.#checkRevision(request);
    const { kvs, count, more } = this.#read(request);
    return { kvs, count, more, revision: this.#revision };
  }

  txn(request: Txn): TxnResult {
    checkTxn(request);
    const altered = this.alter(request);
    // Every guard, however deep, is asked before the first operation is done.
    const path: boolean[] = [];
    this.#decide(altered, path);
    this.#checkTaken(altered, [...path]);
    const writer = new Writer(this.#revision + 1);
    const result = this.#apply(altered, path, writer);
    this.#commit(writer);
    return { ...result, revision: this.#revision };
  }

  grant(ttlSeconds: number, nowMs: number): { id: string; ttlSeconds: number } {
    const id = String((this.#nextLease += 7));
    // The server's least: a lease must outlive an election.
    const granted = Math.max(2, ttlSeconds);
    const expiresAtMs = nowMs + granted * 1000;
    this.#leases.set(id, { ttlSeconds: granted, expiresAtMs, keys: new Set() });
    this.#granted(id);
    return { id, ttlSeconds: granted };
  }

  /** Remaining TTL in seconds, 0 when the lease is gone. */
  keepAlive(id: string, nowMs: number): { ttlSeconds: number } {
    const lease = this.#leases.get(id);
    if (lease === undefined) return { ttlSeconds: 0 };
    lease.expiresAtMs = nowMs + lease.ttlSeconds * 1000;
    return { ttlSeconds: lease.ttlSeconds };
  }

  lease(id: string): { readonly ttlSeconds: number; readonly expiresAtMs: number } | undefined {
    return this.#leases.get(id);
  }

  /** Deletes the lease and, in one revision, every key on it. */
  revoke(id: string): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    this.#leases.delete(id);
    const writer = new Writer(this.#revision + 1);
    for (const key of [...lease.keys].sort()) this.#delete(key, writer);
    this.#commit(writer);
  }

  compact(revision: number): void {
    if (revision <= this.#compacted) return;
    this.#compacted = Math.min(revision, this.#revision);
    this.#log = this.#log.filter((commit) => commit.revision > this.#compacted);
    for (const [key, versions] of this.#versions) {
      const kept = versions.filter(
        (version, index) =>
          version.revision > this.#compacted ||
          (version.kv !== undefined &&
            (versions[index + 1]?.revision ?? Infinity) > this.#compacted),
      );
      if (kept.length === 0) this.#versions.delete(key);
      else this.#versions.set(key, kept);
    }
  }

  /** What a watch from `revision` on has to tell; undefined when that is compacted. */
  since(revision: number): readonly Commit[] | undefined {
    if (revision <= this.#compacted) return undefined;
    let from = this.#log.length;
    while (from > 0 && (this.#log[from - 1]?.revision ?? 0) >= revision) from--;
    return this.#log.slice(from);
  }

  #checkRevision({ revision }: RangeRequest): void {
    if (revision === undefined) return;
    if (revision > this.#revision) {
      throw rejected('mvcc: required revision is a future revision');
    }
    if (revision < this.#compacted) {
      throw new CronmeshError('etcd-compacted', 'etcd: required revision has been compacted');
    }
  }

  #read(request: RangeRequest): { kvs: KeyValue[]; count: number; more: boolean } {
    const found = this.#find(request, request.revision);
    const { limit } = request;
    const page = limit === undefined || limit === 0 ? found : found.slice(0, limit);
    const count = found.length;
    if (request.countOnly === true) return { kvs: [], count, more: false };
    const kvs = request.keysOnly === true ? page.map(withoutValue) : page;
    return { kvs, count, more: page.length < count };
  }

  #find(span: { key: string; rangeEnd?: string }, revision?: number): KeyValue[] {
    const at = (key: string): KeyValue | undefined =>
      revision === undefined || revision === 0
        ? this.#keys.get(key)
        : this.#versions.get(key)?.findLast((version) => version.revision <= revision)?.kv;
    if (span.rangeEnd === undefined) {
      const kv = at(span.key);
      return kv === undefined ? [] : [kv];
    }
    const inside = (revision === undefined ? this.#keys : this.#versions).keysIn(span);
    return inside.sort().flatMap((key) => at(key) ?? []);
  }

  #decide(txn: Txn, path: boolean[]): void {
    const taken = txn.compare.every((compare) => this.#holds(compare));
    path.push(taken);
    for (const op of taken ? txn.success : txn.failure) if ('txn' in op) this.#decide(op.txn, path);
  }

  #holds(compare: Compare): boolean {
    const kvs = this.#find(compare);
    if (kvs.length === 0) {
      return compare.target !== 'value' && compareOne(compare, { ...noKeys, value: empty });
    }
    return kvs.every((kv) => compareOne(compare, kv));
  }

  /** Only the branches that are taken can be refused for what they name. */
  #checkTaken(txn: Txn, path: boolean[]): void {
    const taken = path.shift() === true;
    for (const op of taken ? txn.success : txn.failure) {
      if ('txn' in op) this.#checkTaken(op.txn, path);
      else if ('get' in op) this.#checkRevision(op.get);
      else if ('put' in op && op.put.lease !== undefined && op.put.lease !== '0') {
        if (!this.#leases.has(op.put.lease)) throw rejected('requested lease not found');
      }
    }
  }

  #apply(txn: Txn, path: boolean[], writer: Writer): TxnResult {
    const succeeded = path.shift() === true;
    const results = (succeeded ? txn.success : txn.failure).map((op): OpResult => {
      if ('txn' in op) return { kind: 'txn', result: this.#apply(op.txn, path, writer) };
      return this.#applyOne(op, writer);
    });
    return { succeeded, revision: this.#revision, results };
  }

  #applyOne(op: Exclude<Op, { txn: Txn }>, writer: Writer): OpResult {
    if ('get' in op) {
      const { kvs, count } = this.#read(op.get);
      return { kind: 'get', kvs, count };
    }
    if ('delete' in op) {
      const doomed = this.#find(op.delete);
      for (const { key } of doomed) this.#delete(key, writer);
      return { kind: 'delete', deleted: doomed.length };
    }
    const { key, value, lease } = op.put;
    const previous = this.#keys.get(key);
    const kv: KeyValue = {
      key,
      value: Buffer.from(value),
      createRevision: previous?.createRevision ?? writer.revision,
      modRevision: writer.revision,
      version: (previous?.version ?? 0) + 1,
      lease: lease ?? '0',
    };
    this.#detach(previous);
    this.#leases.get(kv.lease)?.keys.add(key);
    this.#keys.set(key, kv);
    writer.events.push({ key, kv, previous });
    return { kind: 'put' };
  }

  #delete(key: string, writer: Writer): void {
    const previous = this.#keys.get(key);
    if (previous === undefined) return;
    this.#detach(previous);
    this.#keys.delete(key);
    writer.events.push({ key, kv: undefined, previous });
  }

  #detach(kv: KeyValue | undefined): void {
    if (kv !== undefined) this.#leases.get(kv.lease)?.keys.delete(kv.key);
  }

  #commit({ revision, events }: Writer): void {
    if (events.length === 0) return;
    this.#revision = revision;
    const commit = new Commit(revision, events);
    this.#log.push(commit);
    for (const { key, kv } of events) {
      const versions = this.#versions.get(key);
      if (versions === undefined) this.#versions.set(key, [{ revision, kv }]);
      else versions.push({ revision, kv });
    }
    for (const listener of this.#listeners) listener(commit);
  }
}

class Writer {
  readonly revision: number;
  readonly events: CommitEvent[] = [];

  constructor(revision: number) {
    this.revision = revision;
  }
}

const empty = Buffer.alloc(0);

function withoutValue(kv: KeyValue): KeyValue {
  return { ...kv, value: empty };
}

function toWatchEvent({ key, kv }: CommitEvent, revision: number): WatchEvent {
  return kv === undefined ? { type: 'delete', key, modRevision: revision } : { type: 'put', kv };
}

type Comparable = Pick<KeyValue, 'createRevision' | 'modRevision' | 'version' | 'lease' | 'value'>;

function compareOne(compare: Compare, kv: Comparable): boolean {
  switch (compare.target) {
    case 'create':
      return stands(kv.createRevision - compare.value, compare.op);
    case 'mod':
      return stands(kv.modRevision - compare.value, compare.op);
    case 'version':
      return stands(kv.version - compare.value, compare.op);
    case 'value':
      return stands(Buffer.compare(kv.value, Buffer.from(compare.value)), compare.op);
    case 'lease':
      return stands(kv.lease === compare.value ? 0 : 1, compare.op);
  }
}

function stands(difference: number, op: Compare['op']): boolean {
  switch (op) {
    case '=':
      return difference === 0;
    case '!=':
      return difference !== 0;
    case '>':
      return difference > 0;
    case '<':
      return difference < 0;
  }
}
