/**
 * Calendars in transactions: the guard that a decision was made by the calendars that are current, and
 * the edits of a calendar itself (master only). What a calendar holds is no part of any cursor: its new
 * dates simply hold for every claim from the revision of the edit on.
 */
import type { CalendarMap } from '../calendar/calendar-entry.ts';
import type { CalendarGuard } from '../calendar/job-ticks.ts';
import type { Compare, Txn } from '../etcd/port.ts';
import type { Keys } from './keys.ts';

/** Each calendar is the one that was decided by, or still not there. */
export function calendarsUnchanged(keys: Keys, guards: readonly CalendarGuard[]): Compare[] {
  return guards.map(({ name, modRevision }) => ({
    key: keys.calendar(name),
    target: 'mod',
    op: '=',
    value: modRevision,
  }));
}

/** Guards of these calendars as they were seen. */
export function guardsOf(names: Iterable<string>, seen: CalendarMap): CalendarGuard[] {
  return [...names].map((name) => ({ name, modRevision: seen.get(name)?.modRevision ?? 0 }));
}

export interface CalendarEdit {
  readonly keys: Keys;
  readonly name: string;
  /** As the editor saw it; 0 when it did not exist. */
  readonly modRevision: number;
  readonly definition: string;
}

/** Guard: the calendar is still the one the editor saw. Failure branch: the calendar as it is. */
export function putCalendar({ keys, name, modRevision, definition }: CalendarEdit): Txn {
  const key = keys.calendar(name);
  return {
    compare: calendarsUnchanged(keys, [{ name, modRevision }]),
    success: [{ put: { key, value: definition } }],
    failure: [{ get: { key } }],
  };
}

export interface CalendarDeletion extends Omit<CalendarEdit, 'definition'> {
  /** Up to which revision the editor knows every definition, and that none uses the calendar. */
  readonly jobsKnownTo: number;
}

/**
 * Guards: the calendar is still the one the editor saw, and no definition was put since the editor
 * looked who uses it (over all of them at once: it is a rare edit). Failure branch: the calendar.
 */
export function deleteCalendar(deletion: CalendarDeletion): Txn {
  const { keys, name, modRevision, jobsKnownTo } = deletion;
  const key = keys.calendar(name);
  return {
    compare: [
      ...calendarsUnchanged(keys, [{ name, modRevision }]),
      { ...keys.jobs(), target: 'mod', op: '<', value: jobsKnownTo + 1 },
    ],
    success: [{ delete: { key } }],
    failure: [{ get: { key } }],
  };
}
