/**
 * Transactions 8, 9 and 11: settling an open fire as `lost`, and emptying the outbox of `done`
 * records. A lost verdict is put exactly once, by the fire's revision.
 */
import type { Compare, Txn } from '../etcd/port.ts';
import type { Keys } from './keys.ts';
import { putRetry, type Retry } from './retry.ts';
import { putState } from './state.ts';
import { encodeValue, type FireValue, type LostValue } from './values.ts';

export interface Settlement {
  readonly keys: Keys;
  readonly name: string;
  readonly fireId: string;
  readonly fire: FireValue;
  readonly fireModRevision: number;
  /** create revision of the fire: the run's fence. */
  readonly fence: number;
  /** Session of the one who settles. */
  readonly bySession: string;
  readonly reason: string;
  readonly nowMs: number;
  /** The next attempt, when the job is tried again after `lost`. */
  readonly retry?: Retry;
}

/**
 * 8. Guards: the fire is as seen, and its session is gone. Deletes it and its slot, puts `done lost`,
 * and `state` if the job still is in the fire's life.
 */
export function settleVanished(settlement: Settlement): Txn {
  return settleTxn(settlement, {
    key: settlement.keys.session(settlement.fire.session),
    target: 'create',
    op: '=',
    value: 0,
  });
}

/** 9. A fire in my own session that I do not run: a claim that took effect after I gave it up. */
export function settleLateClaim(settlement: Settlement): Txn {
  return settleTxn(settlement, {
    key: settlement.keys.session(settlement.fire.session),
    target: 'create',
    op: '>',
    value: 0,
  });
}

function settleTxn(settlement: Settlement, sessionGuard: Compare): Txn {
  const { keys, name, fire } = settlement;
  const fireKey = keys.fire(name, settlement.fireId);
  const done: LostValue = {
    v: 1,
    outcome: 'lost',
    reason: settlement.reason,
    at: settlement.nowMs,
    session: settlement.bySession,
    fire,
    fireId: settlement.fireId,
    fence: settlement.fence,
  };
  return {
    compare: [
      { key: fireKey, target: 'mod', op: '=', value: settlement.fireModRevision },
      sessionGuard,
    ],
    success: [
      { delete: { key: fireKey } },
      ...(fire.slot === undefined ? [] : [{ delete: { key: keys.slot(name, fire.slot) } }]),
      ...putRetry(keys, name, settlement.retry),
      { put: { key: keys.done(name, `lost-${fire.runId}`), value: encodeValue(done) } },
      putState(keys, name, fire.jobCreate, {
        v: 1,
        outcome: 'lost',
        tick: fire.tick,
        runId: fire.runId,
        worker: fire.worker,
        endedAt: settlement.nowMs,
        reason: settlement.reason,
      }),
    ],
    failure: [],
  };
}

/**
 * 8, for a slot that no open fire holds any more (somebody removed the fire's key by hand). Guard: it
 * is as seen; a fire and its slot are put and deleted together, so nobody can be coming back to it.
 */
export function freeSlot(keys: Keys, name: string, slot: string, modRevision: number): Txn {
  const key = keys.slot(name, slot);
  return {
    compare: [{ key, target: 'mod', op: '=', value: modRevision }],
    success: [{ delete: { key } }],
    failure: [],
  };
}

/** 11. After its record is in a spool: deletes the `done` key at the revision that was spooled. */
export function forgetDone(keys: Keys, name: string, doneId: string, modRevision: number): Txn {
  const key = keys.done(name, doneId);
  return {
    compare: [{ key, target: 'mod', op: '=', value: modRevision }],
    success: [{ delete: { key } }],
    failure: [],
  };
}
