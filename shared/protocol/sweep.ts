/**
 * The end of a tombstone. Guards: the job is absent, the cursor is the tombstone exactly as seen, and
 * nothing of the name is left (no open fire, no trigger, no `done` record); the decider's session is
 * alive. Deletes the cursor, and a state if somebody put one by hand.
 *
 * It is safe when the tombstone is older than anything that could still act on the former life of the
 * job: whoever claims guards the definition's revision, and whoever makes the job anew then finds no
 * cursor and begins at now, which lies beyond every tick of the former life unless its clock is late
 * by the whole of `tombstoneLifeMs`.
 */
import type { Compare, Txn } from '../etcd/port.ts';
import type { Keys, KeyRange } from './keys.ts';
import { triggerLifeMs } from './values.ts';

/** Longer than any trigger lives: a retry waits for 1.2 days at most, and may then be late by a day. */
export const tombstoneLifeMs = 3 * triggerLifeMs;

export interface Sweep {
  readonly keys: Keys;
  readonly name: string;
  /** The tombstone exactly as seen. */
  readonly cursorRaw: string;
  readonly sessionId: string;
}

export function sweepTombstone({ keys, name, cursorRaw, sessionId }: Sweep): Txn {
  const isEmpty = (range: KeyRange): Compare => ({
    ...range,
    target: 'create',
    op: '=',
    value: 0,
  });
  const cursorKey = keys.cursor(name);
  return {
    compare: [
      { key: keys.job(name), target: 'create', op: '=', value: 0 },
      { key: cursorKey, target: 'value', op: '=', value: cursorRaw },
      isEmpty(keys.fires(name)),
      isEmpty(keys.triggers(name)),
      isEmpty(keys.dones(name)),
      { key: keys.session(sessionId), target: 'create', op: '>', value: 0 },
    ],
    success: [{ delete: { key: cursorKey } }, { delete: { key: keys.state(name) } }],
    failure: [],
  };
}
