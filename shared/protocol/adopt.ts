/**
 * Transaction 13: first sight of a job whose cursor is absent or counts another schedule (somebody
 * wrote `jobs/` by hand), or of a cursor whose job is gone. Guards: definition and cursor exactly as
 * seen. The cursor becomes max(cursor, now) under the schedule that holds now, and ticks of the old
 * one that nobody ran are put down as `missed`. Only then does the job fire.
 */
import type { Op, Txn } from '../etcd/port.ts';
import { parseCanonical } from '../schedule/parse-canonical.ts';
import { deletedSchedule, encodeCursor, isCounting, parseCursor } from './cursor.ts';
import { cursorGuard } from './edit.ts';
import type { Keys } from './keys.ts';
import { missedSpan, type Accountant } from './missed-span.ts';
import { encodeValue } from './values.ts';

export interface Adoption {
  readonly keys: Keys;
  readonly name: string;
  readonly group: string;
  /** 0 when the job is gone. */
  readonly jobModRevision: number;
  readonly jobCreateRevision: number;
  readonly cursorRaw: string | undefined;
  /** Canonical schedule, `-` or `x`: what the cursor must count from now on. */
  readonly schedule: string;
  readonly nowMs: number;
  readonly accountant: Accountant;
}

export function adoptJob(adoption: Adoption): Txn {
  const { keys, name, cursorRaw, nowMs } = adoption;
  const cursorKey = keys.cursor(name);
  const old = cursorRaw === undefined ? undefined : parseCursor(cursorRaw);
  const tick = Math.max(old?.tick ?? 0, nowMs);
  const success: Op[] = [
    { put: { key: cursorKey, value: encodeCursor({ tick, schedule: adoption.schedule }) } },
  ];
  if (adoption.schedule === deletedSchedule) success.push({ delete: { key: keys.state(name) } });
  const oldSchedule = old && isCounting(old) ? parseCanonical(old.schedule) : undefined;
  const span = old && oldSchedule && missedSpan(oldSchedule, old.tick, nowMs);
  if (old !== undefined && span !== undefined) {
    const done = adoption.accountant.missed(
      { createRevision: adoption.jobCreateRevision, group: adoption.group },
      old.schedule,
      span,
      'the definition was changed by hand first',
      nowMs,
    );
    success.push({ put: { key: keys.done(name, done.id), value: encodeValue(done.value) } });
  }
  return {
    compare: [
      { key: keys.job(name), target: 'mod', op: '=', value: adoption.jobModRevision },
      cursorGuard(cursorKey, cursorRaw),
    ],
    success,
    failure: [],
  };
}
