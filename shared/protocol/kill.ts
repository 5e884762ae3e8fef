/**
 * Transactions 15: a kill order, and what becomes of it. An order stands against the runs whose claim
 * revision is below its own revision, and only against the named run when it names one; so it never
 * hits a later run. Guard of a named order: the fire it is meant for is still open.
 *
 * Workers answer in the order's key, guarded by the order exactly as seen (its mod revision). The answer
 * bears the revision of the order as it was given, which stays the order's revision; it hangs on the
 * order's own lease, or, for an order that was put by hand without one, on a passing one. So every order
 * is answered, by who holds its runs or, when none is open, by anybody, and then goes by itself. Orders
 * of the mesh itself (`replace`) are deleted instead, once their run is over.
 */
import type { Txn } from '../etcd/port.ts';
import type { Keys } from './keys.ts';
import { encodeValue, type OrderAnswer, type OrderValue } from './values.ts';

/**
 * An order lives for so long at least: longer than a frozen worker with the longest session can keep its
 * runs from being settled, so that the answer finds it.
 */
export const orderSeconds = 300;

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

interface SeenOrder {
  readonly keys: Keys;
  readonly name: string;
  /** Undefined for the order against every run. */
  readonly runId: string | undefined;
  /** mod revision of the order's key as seen. */
  readonly modRevision: number;
}

/** Not to be nested with others: a lease that is over refuses the whole request. */
export function answerOrder(
  seen: SeenOrder & {
    readonly order: OrderValue;
    readonly answer: OrderAnswer;
    readonly leaseId: string;
  },
): Txn {
  const key = seen.keys.killer(seen.name, seen.runId);
  const value = encodeValue({ ...seen.order, answer: seen.answer });
  return {
    compare: [{ key, target: 'mod', op: '=', value: seen.modRevision }],
    success: [{ put: { key, value, lease: seen.leaseId } }],
    failure: [],
  };
}

/** Of an order of the mesh itself, whose run is over. */
export function dropOrder({ keys, name, runId, modRevision }: SeenOrder): Txn {
  const key = keys.killer(name, runId);
  return {
    compare: [{ key, target: 'mod', op: '=', value: modRevision }],
    success: [{ delete: { key } }],
    failure: [],
  };
}
