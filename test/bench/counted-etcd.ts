/**
 * An etcd client that counts what a worker sends to change something: requests, and the claims in
 * them, won and lost, however they are nested.
 */
import type { Etcd, Op, OpResult, Txn, TxnResult } from '../../shared/etcd/port.ts';
import type { Keys } from '../../shared/protocol/keys.ts';

export interface Counts {
  /** Requests that could change something. */
  requests: number;
  claims: number;
  lostClaims: number;
  /** User and system time of the process, ms. */
  cpuMs: number;
}

export const noCounts = (): Counts => ({ requests: 0, claims: 0, lostClaims: 0, cpuMs: 0 });

export function countedEtcd(etcd: Etcd, keys: Keys, counts: Counts): Etcd {
  const fires = `${keys.root}lock/`;
  const count = (txn: Txn, result: TxnResult): void => {
    if (txn.success.some((op) => 'put' in op && op.put.key.startsWith(fires))) {
      counts.claims++;
      if (!result.succeeded) counts.lostClaims++;
    }
    const taken: readonly Op[] = result.succeeded ? txn.success : txn.failure;
    for (const [index, op] of taken.entries()) {
      const nested: OpResult | undefined = result.results[index];
      if ('txn' in op && nested?.kind === 'txn') count(op.txn, nested.result);
    }
  };
  return {
    range: (request, options) => etcd.range(request, options),
    txn: async (txn, options) => {
      if (changes(txn)) counts.requests++;
      const result = await etcd.txn(txn, options);
      count(txn, result);
      return result;
    },
    grantLease: async (ttlSeconds, options) => {
      counts.requests++;
      return etcd.grantLease(ttlSeconds, options);
    },
    keepLeaseAlive: (id, options) => etcd.keepLeaseAlive(id, options),
    revokeLease: async (id, options) => {
      counts.requests++;
      return etcd.revokeLease(id, options);
    },
    mirror: (prefix, consumer) => etcd.mirror(prefix, consumer),
    ping: (options) => etcd.ping(options),
    mark: () => etcd.mark(),
    onSetBack: (listener) => etcd.onSetBack(listener),
    close: () => etcd.close(),
  };
}

/** etcd proposes a transaction to its log when either of its branches could write. */
function changes(txn: Txn): boolean {
  return [...txn.success, ...txn.failure].some(
    (op) => 'put' in op || 'delete' in op || ('txn' in op && changes(op.txn)),
  );
}
