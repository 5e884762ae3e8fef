/**
 * Transaction 13: first sight of a job whose cursor is absent, counts another schedule (somebody wrote
 * `jobs/` by hand) or is older than the job itself (made anew by hand), or of a cursor whose job is gone.
 * Guards: definition, cursor and the calendars that it counted with exactly as seen. The cursor becomes
 * max(cursor, now) under the schedule that holds now, and ticks of the old one that nobody ran are put
 * down as `missed`. Only then does the job fire. The state of a former life goes.
 */
import type { CalendarMap } from '../calendar/calendar-entry.ts';
import { calendarsIn } from '../calendar/counted-text.ts';
import type { Op, Txn } from '../etcd/port.ts';
import { calendarsUnchanged, guardsOf } from './calendars.ts';
import { deletedSchedule, encodeCursor, isCounting, parseCursor } from './cursor.ts';
import { cursorGuard } from './edit.ts';
import type { Keys } from './keys.ts';
import { recordOfText, type Accountant } from './missed-span.ts';
import { encodeValue } from './values.ts';

export interface Adoption {
  readonly keys: Keys;
  readonly name: string;
  readonly group: string;
  /** 0 when the job is gone. */
  readonly jobModRevision: number;
  readonly jobCreateRevision: number;
  readonly cursorRaw: string | undefined;
  /** The job was made anew since the cursor was put. */
  readonly isNewLife: boolean;
  /** What the cursor must count from now on. */
  readonly schedule: string;
  /** As seen; those that the cursor's text names are guarded to be as they were. */
  readonly calendars: CalendarMap;
  readonly nowMs: number;
  readonly accountant: Accountant;
}

/** 13. Guards: definition and cursor exactly as seen, absent or a value. */
export function adoptJob(adoption: Adoption): Txn {
  const { keys, name, cursorRaw, nowMs } = adoption;
  const cursorKey = keys.cursor(name);
  const old = cursorRaw === undefined ? undefined : parseCursor(cursorRaw);
  const tick = Math.max(old?.tick ?? 0, nowMs);
  const success: Op[] = [
    { put: { key: cursorKey, value: encodeCursor({ tick, schedule: adoption.schedule }) } },
  ];
  if (adoption.schedule === deletedSchedule || adoption.isNewLife) {
    success.push({ delete: { key: keys.state(name) } });
  }
  const counted = old !== undefined && isCounting(old) ? old : undefined;
  const done =
    counted &&
    recordOfText(
      adoption.accountant,
      { createRevision: adoption.jobCreateRevision, group: adoption.group },
      counted.schedule,
      adoption.calendars,
      counted.tick,
      nowMs,
      'the definition was changed by hand first',
    );
  if (done !== undefined) {
    success.push({ put: { key: keys.done(name, done.id), value: encodeValue(done.value) } });
  }
  const countedWith = guardsOf(calendarsIn(counted?.schedule ?? ''), adoption.calendars);
  return {
    compare: [
      { key: keys.job(name), target: 'mod', op: '=', value: adoption.jobModRevision },
      cursorGuard(cursorKey, cursorRaw),
      ...calendarsUnchanged(keys, countedWith),
    ],
    success,
    failure: [],
  };
}
