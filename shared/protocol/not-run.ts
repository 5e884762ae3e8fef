/**
 * Transactions 4, 5 and 6 where a fire is not run now: writing off old ticks, passing over those that a
 * calendar excludes, refusing or queueing a tick because of overlap, refusing a trigger. Each moves on and accounts for the fire in the same
 * transaction, by a `done` record or by the trigger that takes its place; exactly-once by the
 * cursor's value or the trigger's revision.
 */
import type { CalendarGuard } from '../calendar/job-ticks.ts';
import type { Compare, Op, Txn } from '../etcd/port.ts';
import { calendarsUnchanged } from './calendars.ts';
import { encodeCursor } from './cursor.ts';
import type { Keys } from './keys.ts';
import { encodeValue, type NotRunValue, type OrderValue, type TriggerValue } from './values.ts';

interface Accounted {
  readonly keys: Keys;
  readonly name: string;
  readonly sessionId: string;
}

interface Done {
  readonly done: NotRunValue;
  readonly doneId: string;
}

interface NewTrigger {
  readonly triggerId: string;
  readonly trigger: TriggerValue;
}

export interface TickMove extends Accounted {
  readonly jobModRevision: number;
  readonly cursorRaw: string;
  /** The cursor moves here. */
  readonly toTick: number;
  readonly schedule: string;
  /** The job's calendars as they were decided by. */
  readonly calendars: readonly CalendarGuard[];
}

export interface WriteOff extends TickMove {
  /** Absent when every tick of the span is caught up on. */
  readonly account?: Done;
  /** The ticks that the misfire policy runs later. */
  readonly catchUps: readonly NewTrigger[];
}

/** 5. Guards: definition unchanged, cursor exactly as seen, session alive, calendars unchanged. */
export function writeOff(move: WriteOff): Txn {
  return moveTxn(
    move,
    [],
    [
      ...(move.account === undefined ? [] : [putDone(move, move.account)]),
      ...move.catchUps.map((each) => putTrigger(move, each)),
    ],
  );
}

/** 5, for ticks that the calendars exclude. Guards of writeOff; one record for the whole stretch. */
export function skipExcluded(move: TickMove & Done): Txn {
  return moveTxn(move, [], [putDone(move, move)]);
}

export interface Holder {
  readonly fireId: string;
  readonly runId: string;
  readonly modRevision: number;
  /** Undefined for one that cannot be read: whose it is, nobody can say. */
  readonly sessionId: string | undefined;
}

export type TickRefusal = TickMove & Done;

/**
 * 6. As writeOff, and each holder's fire is as seen and its session alive: a dead holder's tick
 * stays claimable until that holder is settled. One that cannot be read holds as long as it is there.
 */
export function refuseOverlap(refusal: TickRefusal, holders: readonly Holder[]): Txn {
  return moveTxn(refusal, holdersAlive(refusal, holders), [putDone(refusal, refusal)]);
}

/**
 * 6, for `queue` and `replace`. As refuseOverlap, and one trigger takes the tick's place. For `queue`
 * no trigger of the job waits yet; for `replace` no other tick does (a retry that waits for its hour
 * is no reason to let the earlier run go on), and there is an order against each holder beside it.
 */
export function queueTick(
  move: TickMove & NewTrigger,
  holders: readonly Holder[],
  order: OrderValue | undefined,
): Txn {
  const { keys, name } = move;
  const noneWaits: Compare = {
    ...(order === undefined ? keys.triggers(name) : keys.queued(name)),
    target: 'create',
    op: '=',
    value: 0,
  };
  const orders: Op[] =
    order === undefined
      ? []
      : holders.map(({ runId }) => ({
          // One that somebody gave ends the run just as well, and waits for its answer.
          txn: {
            compare: [{ key: keys.killer(name, runId), target: 'create', op: '=', value: 0 }],
            success: [{ put: { key: keys.killer(name, runId), value: encodeValue(order) } }],
            failure: [],
          },
        }));
  return moveTxn(
    move,
    [noneWaits, ...holdersAlive(move, holders)],
    [putTrigger(move, move), ...orders],
  );
}

function holdersAlive(move: TickMove, holders: readonly Holder[]): Compare[] {
  const { keys, name } = move;
  return holders.flatMap((holder): Compare[] => [
    { key: keys.fire(name, holder.fireId), target: 'mod', op: '=', value: holder.modRevision },
    ...(holder.sessionId === undefined
      ? []
      : [{ key: keys.session(holder.sessionId), target: 'create', op: '>', value: 0 } as const]),
  ]);
}

function moveTxn(move: TickMove, guards: readonly Compare[], ops: readonly Op[]): Txn {
  const { keys, name } = move;
  const cursorKey = keys.cursor(name);
  const value = encodeCursor({ tick: move.toTick, schedule: move.schedule });
  return {
    compare: [
      { key: keys.job(name), target: 'mod', op: '=', value: move.jobModRevision },
      { key: cursorKey, target: 'value', op: '=', value: move.cursorRaw },
      { key: keys.session(move.sessionId), target: 'create', op: '>', value: 0 },
      ...calendarsUnchanged(keys, move.calendars),
      ...guards,
    ],
    success: [{ put: { key: cursorKey, value } }, ...ops],
    failure: [],
  };
}

export interface TriggerRefusal extends Accounted, Done {
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
    success: [{ delete: { key: triggerKey } }, putDone(refusal, refusal)],
    failure: [],
  };
}

function putDone({ keys, name }: Accounted, { doneId, done }: Done): Op {
  return { put: { key: keys.done(name, doneId), value: encodeValue(done) } };
}

function putTrigger({ keys, name }: Accounted, { triggerId, trigger }: NewTrigger): Op {
  return { put: { key: keys.trigger(name, triggerId), value: encodeValue(trigger) } };
}
