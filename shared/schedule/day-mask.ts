/**
 * Which days of one month a spec's two day fields let pass, as bits from the 1st on.
 */
import { highestTo } from './bit-mask.ts';
import type { DaySpecial } from './cron-fields.ts';
import type { CronSpec } from './cron-spec.ts';

/** The month is given by the epoch day of its 1st and its length. */
export function dayMask(spec: CronSpec, firstEpochDay: number, length: number): number {
  // 1 January 1970 was a Thursday.
  const firstWeekday = (firstEpochDay + 4) % 7;
  let monthDays = spec.monthDays;
  let weekdays = spread(spec.weekdays, firstWeekday);
  if (spec.monthDaySpecials !== undefined) {
    for (const special of spec.monthDaySpecials) {
      monthDays |= specialBit(special, firstWeekday, length);
    }
  }
  if (spec.weekdaySpecials !== undefined) {
    for (const special of spec.weekdaySpecials) {
      weekdays |= specialBit(special, firstWeekday, length);
    }
  }
  const days = spec.dayRule === 'either' ? monthDays | weekdays : monthDays & weekdays;
  return days & ((2 << (length - 1)) - 1);
}

/** Days of the week (bit 0 Sunday) repeated over a month that begins on `firstWeekday`. */
function spread(weekdays: number, firstWeekday: number): number {
  const week = ((weekdays >>> firstWeekday) | (weekdays << (7 - firstWeekday))) & 127;
  return week | (week << 7) | (week << 14) | (week << 21) | ((week & 7) << 28);
}

/** The special's day in this month as a bit, or 0 when the month has no such day. */
function specialBit(special: DaySpecial, firstWeekday: number, length: number): number {
  const day = specialDay(special, firstWeekday, length);
  return day >= 1 && day <= length ? 1 << (day - 1) : 0;
}

function specialDay(special: DaySpecial, firstWeekday: number, length: number): number {
  switch (special.kind) {
    case 'last-day':
      return length - special.before;
    case 'last-working-day':
      return nearestWorkingDay(length, firstWeekday, length);
    case 'nearest-working-day':
      return special.day > length ? 0 : nearestWorkingDay(special.day, firstWeekday, length);
    case 'nth-weekday':
      return 1 + ((special.weekday - firstWeekday + 7) % 7) + (special.nth - 1) * 7;
    case 'last-weekday':
      return 1 + highestTo(spread(1 << special.weekday, firstWeekday), length - 1);
  }
}

/** The Monday to Friday nearest to a day, never leaving its month. */
function nearestWorkingDay(day: number, firstWeekday: number, length: number): number {
  const weekday = (firstWeekday + day - 1) % 7;
  if (weekday === 6) return day === 1 ? 3 : day - 1;
  if (weekday === 0) return day === length ? day - 2 : day + 1;
  return day;
}
