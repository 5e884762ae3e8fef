/**
 * Transactions 2 and 4: the claim of a tick and of a trigger. Whoever's transaction succeeds owns
 * the fire, alone and for good. A claim is safe to send again: the second sending fails its guards,
 * and the fire that it then reads is recognised by its value, which no other claim shares.
 */
import type { CalendarGuard } from '../calendar/job-ticks.ts';
import type { Compare, Op, Txn, TxnResult } from '../etcd/port.ts';
import { calendarsUnchanged } from './calendars.ts';
import { encodeCursor } from './cursor.ts';
import type { Keys } from './keys.ts';
import { encodeValue, type FireValue } from './values.ts';

interface Claim {
  readonly keys: Keys;
  readonly name: string;
  /** mod revision of the definition that this worker scheduled from. */
  readonly jobModRevision: number;
  readonly sessionId: string;
  readonly fireId: string;
  readonly fire: FireValue;
  /** The job may have one open fire only: the whole range of its fires must be empty. */
  readonly exclusive: boolean;
}

export interface TickClaim extends Claim {
  /** The cursor exactly as seen. */
  readonly cursorRaw: string;
  readonly tick: number;
  readonly schedule: string;
  /** The job's calendars as they allowed the tick. */
  readonly calendars: readonly CalendarGuard[];
}

export interface TriggerClaim extends Claim {
  readonly triggerId: string;
  readonly triggerModRevision: number;
}

/**
 * Guards: definition unchanged, cursor exactly as seen, fire not there (for an exclusive job: no
 * fire at all; for a larger limit: the slot that the fire names is free), session alive, calendars
 * unchanged. Moves the cursor to the tick and opens the fire.
 */
export function claimTick(claim: TickClaim): Txn {
  const cursorKey = claim.keys.cursor(claim.name);
  return claimTxn(
    claim,
    [
      { key: cursorKey, target: 'value', op: '=', value: claim.cursorRaw },
      ...calendarsUnchanged(claim.keys, claim.calendars),
    ],
    {
      put: {
        key: cursorKey,
        value: encodeCursor({ tick: claim.tick, schedule: claim.schedule }),
      },
    },
  );
}

/**
 * As claimTick, with the trigger exactly as seen in place of the cursor; deletes the trigger. Calendars
 * have no say: a trigger stands for a tick that they allowed, or for somebody's wish.
 */
export function claimTrigger(claim: TriggerClaim): Txn {
  const triggerKey = claim.keys.trigger(claim.name, claim.triggerId);
  return claimTxn(
    claim,
    [{ key: triggerKey, target: 'mod', op: '=', value: claim.triggerModRevision }],
    { delete: { key: triggerKey } },
  );
}

function claimTxn(claim: Claim, guards: readonly Compare[], settle: Op): Txn {
  const { keys, name } = claim;
  const fireKey = keys.fire(name, claim.fireId);
  const { slot } = claim.fire;
  const slotKey = slot === undefined ? undefined : keys.slot(name, slot);
  const free: Compare = claim.exclusive
    ? { ...keys.fires(name), target: 'create', op: '=', value: 0 }
    : { key: fireKey, target: 'create', op: '=', value: 0 };
  return {
    compare: [
      { key: keys.job(name), target: 'mod', op: '=', value: claim.jobModRevision },
      ...guards,
      free,
      ...(slotKey === undefined
        ? []
        : [{ key: slotKey, target: 'create', op: '=', value: 0 } as const]),
      { key: keys.session(claim.sessionId), target: 'create', op: '>', value: 0 },
    ],
    success: [
      settle,
      { put: { key: fireKey, value: encodeValue(claim.fire) } },
      ...(slotKey === undefined ? [] : [{ put: { key: slotKey, value: claim.fire.runId } }]),
    ],
    failure: [{ get: { key: fireKey } }],
  };
}

export type ClaimVerdict =
  { readonly won: true; readonly claimRevision: number } | { readonly won: false };

/** Won is "succeeded, or the fire's value is mine". */
export function readClaim(claim: Claim, result: TxnResult): ClaimVerdict {
  if (result.succeeded) return { won: true, claimRevision: result.revision };
  const read = result.results[0];
  const kv = read?.kind === 'get' ? read.kvs[0] : undefined;
  if (kv !== undefined && kv.value.toString() === encodeValue(claim.fire)) {
    return { won: true, claimRevision: kv.createRevision };
  }
  return { won: false };
}

/** Id of the fire of a tick (epoch ms). */
export function tickFireId(tick: number): string {
  return `t${tick}`;
}
