/**
 * Transactions 4, 5 and 6 where a fire is not run: writing off old ticks, refusing a tick because
 * of overlap, refusing a trigger. Each moves on and puts exactly one `done` record in the same
 * transaction; exactly-once by the cursor's value or the trigger's revision.
 */
import type { Compare, Txn } from '../etcd/port.ts';
import { encodeCursor } from './cursor.ts';
import type { Keys } from './keys.ts';
import { encodeValue, type NotRunValue } from './values.ts';

interface Decision {
  readonly keys: Keys;
  readonly name: string;
  readonly sessionId: string;
  readonly done: NotRunValue;
  readonly doneId: string;
}

export interface TickDecision extends Decision {
  readonly jobModRevision: number;
  readonly cursorRaw: string;
  /** The cursor moves here. */
  readonly toTick: number;
  readonly schedule: string;
}

/** 5. Guards: definition unchanged, cursor exactly as seen, session alive. */
export function writeOff(decision: TickDecision): Txn {
  return tickTxn(decision, []);
}

export interface Holder {
  readonly fireId: string;
  readonly modRevision: number;
  readonly sessionId: string;
}

/**
 * 6. As writeOff, and each holder's fire is as seen and its session alive: a dead holder's tick
 * stays claimable until that holder is settled.
 */
export function refuseOverlap(decision: TickDecision, holders: readonly Holder[]): Txn {
  const { keys, name } = decision;
  return tickTxn(
    decision,
    holders.flatMap((holder): Compare[] => [
      {
        key: keys.fire(name, holder.fireId),
        target: 'mod',
        op: '=',
        value: holder.modRevision,
      },
      { key: keys.session(holder.sessionId), target: 'create', op: '>', value: 0 },
    ]),
  );
}

function tickTxn(decision: TickDecision, more: readonly Compare[]): Txn {
  const { keys, name } = decision;
  const cursorKey = keys.cursor(name);
  const value = encodeCursor({ tick: decision.toTick, schedule: decision.schedule });
  return {
    compare: [
      { key: keys.job(name), target: 'mod', op: '=', value: decision.jobModRevision },
      { key: cursorKey, target: 'value', op: '=', value: decision.cursorRaw },
      { key: keys.session(decision.sessionId), target: 'create', op: '>', value: 0 },
      ...more,
    ],
    success: [{ put: { key: cursorKey, value } }, putDone(decision)],
    failure: [],
  };
}

export interface TriggerRefusal extends Decision {
  readonly triggerId: string;
  readonly triggerModRevision: number;
  /** What made it so, e.g. the definition's revisions; its expiry needs no guard. */
  readonly because: readonly Compare[];
}

/** 4. Guards: trigger as seen, session alive, and what made the refusal right. Deletes the trigger. */
export function refuseTrigger(refusal: TriggerRefusal): Txn {
  const { keys, name } = refusal;
  const triggerKey = keys.trigger(name, refusal.triggerId);
  return {
    compare: [
      { key: triggerKey, target: 'mod', op: '=', value: refusal.triggerModRevision },
      { key: keys.session(refusal.sessionId), target: 'create', op: '>', value: 0 },
      ...refusal.because,
    ],
    success: [{ delete: { key: triggerKey } }, putDone(refusal)],
    failure: [],
  };
}

function putDone(decision: Decision): { put: { key: string; value: string } } {
  return {
    put: {
      key: decision.keys.done(decision.name, decision.doneId),
      value: encodeValue(decision.done),
    },
  };
}
