/**
 * The cursor of a job: the newest tick that is settled, and the schedule it was counted under.
 * `<tick, 16 digits, ms> <schedule>`; the schedule is the canonical one and the names of the job's
 * calendars (counted-text.ts), `-` while the job is paused or malformed, `x` once it is deleted. The fixed width makes byte order equal time order, so a wrong width is refused.
 */
export interface Cursor {
  readonly tick: number;
  /** What is counted: schedule and calendars as one text, `-` or `x`. */
  readonly schedule: string;
}

export const pausedSchedule = '-';
export const deletedSchedule = 'x';

const cursorPattern = /^(\d{16}) ([\s\S]+)$/;

/** Throws RangeError when the tick is no whole number of milliseconds from 0 on. */
export function encodeCursor(cursor: Cursor): string {
  if (!Number.isSafeInteger(cursor.tick) || cursor.tick < 0) {
    throw new RangeError(`cursor tick out of range: ${cursor.tick}`);
  }
  return `${String(cursor.tick).padStart(16, '0')} ${cursor.schedule}`;
}

/** Undefined when the value is not a cursor of the right form. */
export function parseCursor(value: string): Cursor | undefined {
  const match = cursorPattern.exec(value);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  const tick = Number(match[1]);
  return Number.isSafeInteger(tick) ? { tick, schedule: match[2] } : undefined;
}

/** A cursor counts ticks only while its schedule is a real one. */
export function isCounting(cursor: Cursor): boolean {
  return cursor.schedule !== pausedSchedule && cursor.schedule !== deletedSchedule;
}
