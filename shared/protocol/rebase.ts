/**
 * Transactions 17 to 21: what follows when etcd was restored from a backup. The cursors are back where
 * they were then, and ticks that ran since would run again; so the key `cluster` says under which state
 * of etcd the cursors were counted, and every decision of the mesh is sent under it as its sender knows
 * it (underCluster). Whoever notices a restore begins a re-base there; then every cursor goes to one
 * tick, ahead of all that can have been claimed, and what the backup held of triggers and open fires is
 * settled, by any number of workers at once; then the re-base is ended, and claims go on. Each of these
 * transactions is guarded by the cluster record exactly as seen, so none takes effect before the begin,
 * after the end, or in another state of etcd.
 */
import { parseCounted } from '../calendar/counted-text.ts';
import type { Compare, Op, Txn } from '../etcd/port.ts';
import { encodeCursor, parseCursor } from './cursor.ts';
import { cursorGuard } from './edit.ts';
import type { Keys } from './keys.ts';
import {
  encodeValue,
  type ClusterValue,
  type FireValue,
  type LostValue,
  type NotRunValue,
  type TriggerValue,
} from './values.ts';

/** Guard that the record of the cluster is exactly what was read, or absent. */
export function clusterGuard(keys: Keys, raw: string | undefined): Compare {
  return cursorGuard(keys.cluster, raw);
}

/**
 * `txns` as one request that stands only under the cluster record as known. Failure branch: the record
 * as it is now.
 */
export function underCluster(keys: Keys, raw: string | undefined, txns: readonly Txn[]): Txn {
  return {
    compare: [clusterGuard(keys, raw)],
    success: txns.map((txn) => ({ txn })),
    failure: [{ get: { key: keys.cluster } }],
  };
}

/** 17. The first record of a mesh. Guard: there is none. */
export function recordCluster(keys: Keys, value: ClusterValue): Txn {
  return putCluster(keys, undefined, value);
}

/** 18. Guard: the record exactly as seen (or absent). From here on nobody claims. */
export function beginRebase(keys: Keys, seenRaw: string | undefined, value: ClusterValue): Txn {
  return putCluster(keys, seenRaw, value);
}

/**
 * 21. Guard: the record exactly as seen, which `since` is the revision of. To be sent only when nothing
 * is left to be re-based.
 */
export function endRebase(keys: Keys, seenRaw: string, value: ClusterValue, since: number): Txn {
  const { rebase: _, ...settled } = value;
  return putCluster(keys, seenRaw, { ...settled, since });
}

function putCluster(keys: Keys, seenRaw: string | undefined, value: ClusterValue): Txn {
  return {
    compare: [clusterGuard(keys, seenRaw)],
    success: [{ put: { key: keys.cluster, value: encodeValue(value) } }],
    failure: [],
  };
}

interface Rebased {
  readonly keys: Keys;
  readonly name: string;
  /** The record of the cluster, with its re-base, exactly as seen. */
  readonly clusterRaw: string;
  readonly reason: string;
  readonly nowMs: number;
  /** Who takes what is put to a spool; '' for anybody. */
  readonly session: string;
  readonly group: string;
}

export interface CursorRebase extends Rebased {
  readonly jobCreateRevision: number;
  readonly cursorRaw: string;
  readonly toTick: number;
}

/**
 * 19. Guards: cluster record and cursor exactly as seen. The cursor goes to `toTick` under its own
 * schedule; one `done missed` record stands for its ticks on the way, without a count: what ran of them
 * after the backup was made is in history, and the mesh does not know it any more.
 */
export function rebaseCursor(rebase: CursorRebase): Txn {
  const { keys, name, cursorRaw, toTick } = rebase;
  const cursor = parseCursor(cursorRaw);
  if (cursor === undefined) throw new RangeError(`not a cursor: ${cursorRaw}`);
  const cursorKey = keys.cursor(name);
  const fromTick = cursor.tick;
  const counted = parseCounted(cursor.schedule);
  // What cannot be read here may have had ticks.
  const lastTick = counted === undefined ? toTick : counted.schedule.latest(toTick, fromTick);
  const success: Op[] = [
    { put: { key: cursorKey, value: encodeCursor({ tick: toTick, schedule: cursor.schedule }) } },
  ];
  if (lastTick !== undefined) {
    const done: NotRunValue = {
      v: 1,
      outcome: 'missed',
      reason: rebase.reason,
      at: rebase.nowMs,
      session: rebase.session,
      cause: 'tick',
      group: rebase.group,
      fromTick,
      toTick: lastTick,
      restored: true,
      schedule: cursor.schedule,
      jobCreate: rebase.jobCreateRevision,
    };
    const id = `restored-${done.jobCreate}-${fromTick}-${lastTick}`;
    success.push({ put: { key: keys.done(name, id), value: encodeValue(done) } });
  }
  return {
    compare: [clusterGuard(keys, rebase.clusterRaw), cursorGuard(cursorKey, cursorRaw)],
    success,
    failure: [],
  };
}

export interface TriggerRebase extends Rebased {
  readonly triggerId: string;
  readonly triggerModRevision: number;
  readonly trigger: TriggerValue;
  /** What the job's cursor counts, for the record. */
  readonly schedule: string;
}

/** 20. Guards: cluster record and trigger as seen. It may have fired since: deleted, `done skipped`. */
export function refuseRestoredTrigger(rebase: TriggerRebase): Txn {
  const { keys, name, triggerId, trigger } = rebase;
  const triggerKey = keys.trigger(name, triggerId);
  const done: NotRunValue = {
    v: 1,
    outcome: 'skipped',
    reason: rebase.reason,
    at: rebase.nowMs,
    session: rebase.session,
    cause: trigger.cause,
    group: rebase.group,
    fromTick: trigger.tick - 1,
    toTick: trigger.tick,
    count: 1,
    restored: true,
    schedule: rebase.schedule,
    jobCreate: trigger.jobCreate,
    fireId: triggerId,
  };
  return {
    compare: [
      clusterGuard(keys, rebase.clusterRaw),
      { key: triggerKey, target: 'mod', op: '=', value: rebase.triggerModRevision },
    ],
    success: [
      { delete: { key: triggerKey } },
      {
        put: {
          key: keys.done(name, `skipped-${trigger.jobCreate}-${triggerId}`),
          value: encodeValue(done),
        },
      },
    ],
    failure: [],
  };
}

export interface FireRebase extends Rebased {
  readonly fireId: string;
  readonly fire: FireValue;
  readonly fireModRevision: number;
  /** create revision of the fire: the run's fence. */
  readonly fence: number;
}

/**
 * 20. Guards: cluster record and fire as seen. Its run may have ended since, or go on: the fire goes
 * with all that hangs on it, and `done lost` is marked as restored, so that it yields to any end that
 * history knows or will know. No retry, and `state` stays: neither is known to be due.
 */
export function settleRestoredFire(rebase: FireRebase): Txn {
  const { keys, name, fireId, fire } = rebase;
  const fireKey = keys.fire(name, fireId);
  const done: LostValue = {
    v: 1,
    outcome: 'lost',
    reason: rebase.reason,
    at: rebase.nowMs,
    session: rebase.session,
    fire,
    fireId,
    fence: rebase.fence,
    restored: true,
  };
  return {
    compare: [
      clusterGuard(keys, rebase.clusterRaw),
      { key: fireKey, target: 'mod', op: '=', value: rebase.fireModRevision },
    ],
    success: [
      { delete: { key: fireKey } },
      ...(fire.slot === undefined ? [] : [{ delete: { key: keys.slot(name, fire.slot) } }]),
      { put: { key: keys.done(name, `lost-${fire.runId}`), value: encodeValue(done) } },
    ],
    failure: [],
  };
}
