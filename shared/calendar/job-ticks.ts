/**
 * The ticks of a job as its calendars stand: which may fire, which are passed over, and why. A tick may
 * fire when every calendar of the job allows its local date in the job's zone. A calendar that is not
 * there, or cannot be read, allows nothing: better a skipped fire that says so than one on a holiday.
 */
import type { Schedule, Ticks } from '../schedule/schedule.ts';
import { zoneOf } from '../schedule/zone.ts';
import type { CalendarEntry, CalendarMap, GoodCalendar } from './calendar-entry.ts';
import { dateText, noDates, type DateSet } from './date-set.ts';
import { DatedTicks, localDay } from './dated-ticks.ts';

/** What a transaction that decides by a calendar compares: 0 while it is not there. */
export interface CalendarGuard {
  readonly name: string;
  readonly modRevision: number;
}

export interface JobTicks {
  /** All ticks of the schedule. */
  readonly base: Ticks;
  /** Those that may fire. */
  readonly allowed: Ticks;
  /** Those that the calendars pass over; undefined for a job without calendars. */
  readonly excluded?: Ticks;
  readonly guards: readonly CalendarGuard[];
  /** A calendar is of a newer form: what it allows is known to workers of a newer version alone. */
  readonly hasNewer: boolean;
  /** Why the calendars do not allow this instant; undefined when they do. */
  exclusionAt(atMs: number): Exclusion | undefined;
  /** Why they allow no tick from one instant to another. */
  exclusionIn(fromMs: number, toMs: number): string;
}

export interface Exclusion {
  readonly calendar: string;
  /** e.g. `calendar "holidays" excludes 2026-12-25`. */
  readonly reason: string;
}

/** The reason of a longer span names the calendars of so many days. */
const maxNamedDays = 400;

const plain = new WeakMap<Ticks, JobTicks>();

/** Ticks of a schedule that no calendar has a say in; kept with it: many jobs have the same one. */
export function plainTicks(schedule: Ticks): JobTicks {
  let ticks = plain.get(schedule);
  if (ticks === undefined) {
    ticks = {
      base: schedule,
      allowed: schedule,
      guards: [],
      hasNewer: false,
      exclusionAt: () => undefined,
      exclusionIn: () => 'no calendar excludes it',
    };
    plain.set(schedule, ticks);
  }
  return ticks;
}

/** The ticks of `schedule` under calendars of these names; `seen` holds those that are there. */
export function ticksUnder(
  schedule: Schedule,
  names: readonly string[],
  seen: CalendarMap,
): JobTicks {
  if (names.length === 0) return plainTicks(schedule);
  const zone = zoneOf(schedule.timezone);
  const named = names.map((name) => ({ name, entry: seen.get(name) }));
  const good = named.flatMap(({ entry }) => (entry?.ok === true ? [entry] : []));
  const dates = good.length === names.length ? datesOf(good) : nothing;
  return {
    base: schedule,
    allowed: new DatedTicks(schedule, dates.allowed, zone),
    excluded: new DatedTicks(schedule, dates.excluded, zone),
    guards: named.map(({ name, entry }) => ({ name, modRevision: entry?.modRevision ?? 0 })),
    hasNewer: named.some(({ entry }) => entry?.ok === false && entry.newer),
    exclusionAt: (atMs) => exclusionOn(named, localDay(zone, atMs)),
    exclusionIn: (fromMs, toMs) => {
      const fromDay = localDay(zone, fromMs);
      const toDay = Math.max(fromDay, localDay(zone, toMs));
      const first = exclusionOn(named, fromDay);
      if (fromDay === toDay || first?.date === undefined) {
        return first?.reason ?? 'calendars exclude it';
      }
      const quoted = new Set<string>();
      for (let day = fromDay; day <= Math.min(toDay, fromDay + maxNamedDays); day++) {
        const exclusion = exclusionOn(named, day);
        if (exclusion !== undefined) quoted.add(`"${exclusion.calendar}"`);
      }
      const verb = quoted.size === 1 ? 'excludes' : 'exclude';
      const noun = quoted.size === 1 ? 'calendar' : 'calendars';
      return `${noun} ${[...quoted].join(', ')} ${verb} ${first.date} to ${dateText(toDay)}`;
    },
  };
}

interface Named {
  readonly name: string;
  readonly entry: CalendarEntry | undefined;
}

/** The first of the calendars that does not allow that day; `date` when it is about the day at all. */
function exclusionOn(
  named: readonly Named[],
  day: number,
): (Exclusion & { readonly date?: string }) | undefined {
  for (const { name, entry } of named) {
    const about = `calendar "${name}"`;
    if (entry === undefined) return { calendar: name, reason: `${about} does not exist` };
    if (!entry.ok) {
      const what = entry.newer ? 'is of a newer version' : 'is not valid';
      return { calendar: name, reason: `${about} ${what}` };
    }
    if (!entry.allowed.has(day)) {
      const date = dateText(day);
      return { calendar: name, reason: `${about} excludes ${date}`, date };
    }
  }
  return undefined;
}

interface Dates {
  readonly allowed: DateSet;
  readonly excluded: DateSet;
}

const nothing: Dates = { allowed: noDates, excluded: noDates.complement() };

/** Sets of several calendars together, kept with them: many jobs use the same ones. */
interface Combination {
  dates?: Dates;
  readonly further: WeakMap<GoodCalendar, Combination>;
}

const combinations: Combination = { further: new WeakMap() };

function datesOf(calendars: readonly GoodCalendar[]): Dates {
  let found = combinations;
  for (const calendar of calendars) {
    let further = found.further.get(calendar);
    if (further === undefined) {
      further = { further: new WeakMap() };
      found.further.set(calendar, further);
    }
    found = further;
  }
  found.dates ??= combine(calendars);
  return found.dates;
}

function combine([first, ...rest]: readonly GoodCalendar[]): Dates {
  if (first === undefined) return nothing;
  if (rest.length === 0) return first;
  const allowed = rest.reduce((set, entry) => set.intersection(entry.allowed), first.allowed);
  return { allowed, excluded: allowed.complement() };
}
