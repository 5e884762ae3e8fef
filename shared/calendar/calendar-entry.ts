/**
 * One calendar as a process sees it: its definition (or what is wrong with it), parsed once per
 * revision, with the dates that it allows.
 */
import type { KeyValue } from '../etcd/port.ts';
import type { Quarantined } from '../job/parse-stored.ts';
import { readDateEntry } from './date-entry.ts';
import { dateSetOf, type DateSet } from './date-set.ts';
import type { Calendar } from './definition.ts';
import { parseStoredCalendar } from './parse-calendar.ts';

interface Revisions {
  readonly name: string;
  readonly createRevision: number;
  readonly modRevision: number;
}

export type GoodCalendar = Revisions & {
  readonly ok: true;
  readonly calendar: Calendar;
  readonly allowed: DateSet;
  readonly excluded: DateSet;
};

export type CalendarEntry = GoodCalendar | (Revisions & Quarantined & { readonly raw: Buffer });

/** Calendars by name, as they were seen; one that is undefined or not in it is not there. */
export type CalendarMap = ReadonlyMap<string, CalendarEntry | undefined>;

export function readCalendarEntry(name: string, kv: KeyValue): CalendarEntry {
  const revisions = { name, createRevision: kv.createRevision, modRevision: kv.modRevision };
  const parsed = parseStoredCalendar(name, kv.value);
  if (!parsed.ok) return { ...revisions, ...parsed, raw: kv.value };
  return calendarEntryOf(parsed.value, revisions);
}

/** An entry of a calendar that is not stored (yet), for what it would allow. */
export function calendarEntryOf(
  calendar: Calendar,
  revisions: Omit<Revisions, 'name'> = { createRevision: 0, modRevision: 0 },
): GoodCalendar {
  const entries = calendar.dates.flatMap((text) => {
    const reading = readDateEntry(text);
    return reading.ok ? [reading.entry] : [];
  });
  const named = dateSetOf(entries);
  const other = named.complement();
  const isOnly = calendar.mode === 'only';
  return {
    ...revisions,
    name: calendar.name,
    ok: true,
    calendar,
    allowed: isOnly ? named : other,
    excluded: isOnly ? other : named,
  };
}
