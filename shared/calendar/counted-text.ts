/**
 * What a cursor says it counts: the canonical schedule, and the job's calendars by name when it has
 * any: `0 30 2 * * * * Europe/Berlin calendars=holidays,weekends`. Sorted, so that the order in which a
 * definition names them makes no other text. What the calendars hold is not in it.
 */
import { parseCanonical } from '../schedule/parse-canonical.ts';
import { readSchedule } from '../schedule/parse-schedule.ts';
import type { Schedule } from '../schedule/schedule.ts';
import { isCronmeshError } from '../errors.ts';

export interface Counted {
  readonly schedule: Schedule;
  /** Names of calendars, sorted. */
  readonly calendars: readonly string[];
}

const mark = ' calendars=';

export function encodeCounted(schedule: Schedule, calendars: readonly string[]): string {
  if (calendars.length === 0) return schedule.canonical;
  // A period has no zone, but dates have.
  const zone = schedule.canonical.startsWith('@every ') ? ` ${schedule.timezone}` : '';
  return `${schedule.canonical}${zone}${mark}${calendars.toSorted().join(',')}`;
}

/** Undefined when it cannot be read here: a zone that this machine does not know, a newer form. */
export function parseCounted(text: string): Counted | undefined {
  const at = text.lastIndexOf(mark);
  const schedule = at < 0 ? parseCanonical(text) : parseZoned(text.slice(0, at));
  return schedule && { schedule, calendars: calendarsIn(text) };
}

/** The names of the calendars alone; none for a text that names no schedule. */
export function calendarsIn(text: string): readonly string[] {
  const at = text.lastIndexOf(mark);
  return at < 0 ? [] : text.slice(at + mark.length).split(',');
}

/** As parseCanonical, for a text that always names the zone. */
function parseZoned(text: string): Schedule | undefined {
  const space = text.lastIndexOf(' ');
  if (space < 1) return undefined;
  try {
    return readSchedule(text.slice(0, space), text.slice(space + 1));
  } catch (error) {
    if (isCronmeshError(error, 'schedule-invalid')) return undefined;
    throw error;
  }
}
