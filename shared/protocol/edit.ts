/**
 * Transactions 12: edit, pause, resume and delete of a definition (master only).
 * Guards: the definition is still the one the editor saw, and the cursor is still where this master
 * read it; every calendar that was read for it is as it was. When the schedule that is counted changes, the cursor moves to max(cursor, now) under the
 * new one, and ticks that fell due before and never ran under the old one are put down as `missed`;
 * so nothing before a definition's own time ever fires and nothing vanishes. Delete leaves the
 * cursor as a tombstone, so that a worker with an old view can never fire a deleted job.
 */
import type { CalendarMap } from '../calendar/calendar-entry.ts';
import type { Compare, Op, Txn } from '../etcd/port.ts';
import { calendarsUnchanged, guardsOf } from './calendars.ts';
import { deletedSchedule, encodeCursor, isCounting, parseCursor } from './cursor.ts';
import type { Keys } from './keys.ts';
import { recordOfText, type Accountant } from './missed-span.ts';
import { encodeValue } from './values.ts';

export interface SeenJob {
  readonly name: string;
  /** 0 when it did not exist. */
  readonly modRevision: number;
  readonly createRevision: number;
  readonly group: string;
  /** Raw cursor as read with it; undefined when absent. */
  readonly cursorRaw: string | undefined;
}

export interface Edit {
  readonly keys: Keys;
  readonly seen: SeenJob;
  /** New bytes of the definition; undefined deletes it. */
  readonly definition: string | undefined;
  /** What the cursor must count from now on; ignored for a delete. */
  readonly schedule: string;
  /**
   * As read with it: the calendars of the new definition, and those that the cursor's text names. Each
   * is guarded to be as it was; one that is not there is guarded to be absent.
   */
  readonly calendars: CalendarMap;
  readonly nowMs: number;
  readonly accountant: Accountant;
}

/** Failure branch: the definition, the cursor and the calendars (in their order) as they are now. */
export function editJob(edit: Edit): Txn {
  const { keys, seen } = edit;
  const jobKey = keys.job(seen.name);
  const cursorKey = keys.cursor(seen.name);
  const jobOp: Op =
    edit.definition === undefined
      ? { delete: { key: jobKey } }
      : { put: { key: jobKey, value: edit.definition } };
  return {
    compare: [
      { key: jobKey, target: 'mod', op: '=', value: seen.modRevision },
      cursorGuard(cursorKey, seen.cursorRaw),
      ...calendarsUnchanged(keys, guardsOf(edit.calendars.keys(), edit.calendars)),
    ],
    success: [
      jobOp,
      ...cursorOps(edit, cursorKey),
      ...(edit.definition === undefined ? [{ delete: { key: keys.state(seen.name) } }] : []),
    ],
    failure: [
      { get: { key: jobKey } },
      { get: { key: cursorKey } },
      ...[...edit.calendars.keys()].map((name) => ({ get: { key: keys.calendar(name) } })),
    ],
  };
}

/** Guard that the cursor is exactly what was read, or absent. */
export function cursorGuard(cursorKey: string, raw: string | undefined): Compare {
  return raw === undefined
    ? { key: cursorKey, target: 'create', op: '=', value: 0 }
    : { key: cursorKey, target: 'value', op: '=', value: raw };
}

function cursorOps(edit: Edit, cursorKey: string): Op[] {
  const { seen, nowMs } = edit;
  const schedule = edit.definition === undefined ? deletedSchedule : edit.schedule;
  const cursor = seen.cursorRaw === undefined ? undefined : parseCursor(seen.cursorRaw);
  // A job that is made is a new one, also where a cursor still counts for a former life of it.
  if (seen.modRevision !== 0 && cursor?.schedule === schedule) return [];
  const tick = Math.max(cursor?.tick ?? 0, nowMs);
  const ops: Op[] = [{ put: { key: cursorKey, value: encodeCursor({ tick, schedule }) } }];
  if (cursor !== undefined && isCounting(cursor)) {
    const done = recordOfText(
      edit.accountant,
      seen,
      cursor.schedule,
      edit.calendars,
      cursor.tick,
      nowMs,
      'the schedule was changed, paused or deleted first',
    );
    if (done !== undefined) {
      ops.push({
        put: { key: edit.keys.done(seen.name, done.id), value: encodeValue(done.value) },
      });
    }
  }
  return ops;
}
