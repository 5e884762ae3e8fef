/**
 * Transaction 15: a kill order. It stands against the runs whose claim revision is below its own
 * revision, and only against the named run when it names one; so it never hits a later run. Guard of
 * a named order: the fire it is meant for is still open. It hangs on a short lease and goes by itself.
 */
import type { Txn } from '../etcd/port.ts';
import type { Keys } from './keys.ts';
import { encodeValue, type OrderValue } from './values.ts';

export interface KillOrder {
  readonly keys: Keys;
  readonly name: string;
  /** The run meant, with the id of its fire; absent: every run of the job that is open now. */
  readonly target?: { readonly runId: string; readonly fireId: string };
  readonly order: OrderValue;
  readonly leaseId: string;
}

/** 15. Guard of a named order: its fire is still open. */
export function orderKill(kill: KillOrder): Txn {
  const { keys, name, target } = kill;
  const key = keys.killer(name, target?.runId);
  return {
    compare:
      target === undefined
        ? []
        : [{ key: keys.fire(name, target.fireId), target: 'create', op: '>', value: 0 }],
    success: [{ put: { key, value: encodeValue(kill.order), lease: kill.leaseId } }],
    failure: [],
  };
}

/** Whether an order of revision `orderRevision` stands against a run claimed at `claimRevision`. */
export function standsAgainst(orderRevision: number, claimRevision: number): boolean {
  return claimRevision < orderRevision;
}
