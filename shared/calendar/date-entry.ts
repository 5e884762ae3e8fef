/**
 * One entry of a calendar's dates: `2026-12-25`, `12-25` (every year), `2026-12-24..2027-01-02` and
 * `12-24..01-02` (both ends included; one without years may go over the turn of the year), or a day of
 * the week, `mon` to `sun`. Only dates that exist; 02-29 comes in leap years only.
 */
import { renderGot } from '../errors.ts';
import { firstYear, lastYear } from '../schedule/cron-fields.ts';
import { dayOfDate, daysInMonth } from '../schedule/local-calendar.ts';

export type DateEntry =
  /** Epoch days, both inclusive. */
  | { readonly kind: 'days'; readonly from: number; readonly to: number }
  /** Days of the year by `dayOfYear`, both inclusive; from > to goes over the turn of the year. */
  | { readonly kind: 'yearly'; readonly from: number; readonly to: number }
  /** 0 is Sunday. */
  | { readonly kind: 'weekday'; readonly weekday: number };

export type DateReading =
  | { readonly ok: true; readonly entry: DateEntry }
  | {
      readonly ok: false;
      readonly message: string;
      readonly expected: string;
      readonly got: string;
    };

export const dateExpectation =
  'a date (2026-12-25, or 12-25 for every year), a range of two (12-24..01-02), or mon to sun';

const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const datePattern = /^(?:(\d{4})-)?(\d\d)-(\d\d)$/;

interface PlainDate {
  readonly year: number | undefined;
  readonly month: number;
  readonly day: number;
}

/** A number for every day of a year, in order: what yearly entries are compared by. */
export function dayOfYear(month: number, day: number): number {
  return month * 32 + day;
}

export function readDateEntry(text: string): DateReading {
  const weekday = weekdays.indexOf(text);
  if (weekday >= 0) return { ok: true, entry: { kind: 'weekday', weekday } };
  const [fromText = '', toText = fromText, ...more] = text.split('..');
  if (more.length > 0) return refused('is not a date', dateExpectation, text);
  const from = readDate(fromText, text);
  if ('message' in from) return from;
  const to = readDate(toText, text);
  if ('message' in to) return to;
  if ((from.year === undefined) !== (to.year === undefined)) {
    const expected = 'both dates of a range with a year, or both without';
    return refused('mixes a date of one year with one of every year', expected, text);
  }
  if (from.year === undefined || to.year === undefined) {
    const entry = {
      kind: 'yearly',
      from: dayOfYear(from.month, from.day),
      to: dayOfYear(to.month, to.day),
    } as const;
    return { ok: true, entry };
  }
  const entry = {
    kind: 'days',
    from: dayOfDate(from.year, from.month, from.day),
    to: dayOfDate(to.year, to.month, to.day),
  } as const;
  if (entry.from > entry.to) {
    return refused('is a range that ends before it begins', 'the earlier date first', text);
  }
  return { ok: true, entry };
}

/** `entry` is the whole one, for the problem. */
function readDate(text: string, entry: string): PlainDate | (DateReading & { ok: false }) {
  const match = datePattern.exec(text);
  if (match === null) return refused('is not a date', dateExpectation, entry);
  const [, yearText, monthText, dayText] = match;
  const year = yearText === undefined ? undefined : Number(yearText);
  if (year !== undefined && (year < firstYear || year > lastYear)) {
    return refused('is out of range', `a year from ${firstYear} to ${lastYear}`, entry);
  }
  const month = Number(monthText);
  const day = Number(dayText);
  // A date of every year may be one of leap years only.
  const isReal = month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year ?? 2000, month);
  if (!isReal) return refused('is no date of the calendar', 'a date that exists', entry);
  return { year, month, day };
}

function refused(message: string, expected: string, text: string): DateReading & { ok: false } {
  return { ok: false, message, expected, got: renderGot(text) };
}
