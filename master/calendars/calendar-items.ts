/** Calendars as the API shows them, made from what the view holds of them. */
import type { CalendarEntry } from '../../shared/calendar/calendar-entry.ts';
import type { calendarDetailShape, calendarListShape, Shape } from '../api/shapes.ts';
import type { CalendarUses } from './calendar-uses.ts';

const namedJobs = 100;

export function calendarList(
  calendars: ReadonlyMap<string, CalendarEntry>,
  uses: CalendarUses,
): Pick<Shape<typeof calendarListShape>, 'items' | 'total' | 'missing'> {
  const items = [...calendars.values()].sort(byName).map((entry) => ({
    name: entry.name,
    ...(entry.ok
      ? {
          description: entry.calendar.description,
          mode: entry.calendar.mode,
          dates: entry.calendar.dates,
        }
      : { description: '', dates: [], problems: entry.problems }),
    revision: entry.modRevision,
    usedBy: uses.countOf(entry.name),
  }));
  const missing = [...uses.names]
    .filter((name) => !calendars.has(name))
    .map((name) => ({ name, usedBy: uses.countOf(name) }))
    .sort(byName);
  return { items, total: items.length, missing };
}

export function calendarDetail(
  entry: CalendarEntry,
  uses: CalendarUses,
): Shape<typeof calendarDetailShape> {
  return {
    ...(entry.ok
      ? { calendar: entry.calendar }
      : { problems: entry.problems, raw: entry.raw.toString('utf8') }),
    revision: entry.modRevision,
    createdRevision: entry.createRevision,
    usedBy: uses.countOf(entry.name),
    jobs: uses.jobsOf(entry.name, namedJobs),
  };
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}
