/**
 * A spec's matches in one unbroken local time, as if there were no zones: local instants are epoch
 * milliseconds read as UTC, on whole seconds. Zones and DST are laid over it in cron-schedule.ts.
 */
import { hasBit60, highestTo, highestTo60, lowestFrom, lowestFrom60 } from './bit-mask.ts';
import type { Mask60 } from './bit-mask.ts';
import { firstYear, lastYear } from './cron-fields.ts';
import type { CronSpec } from './cron-spec.ts';
import { dayMask } from './day-mask.ts';

const dayMs = 86_400_000;

/** The first match at or after `localMs`; Infinity when there is none before the year 2100. */
export function firstMatchFrom(spec: CronSpec, localMs: number): number {
  const from = Math.max(0, localMs);
  const day = Math.floor(from / dayMs);
  const matchDay = firstDayFrom(spec, day);
  if (matchDay === day) {
    const time = firstTimeFrom(spec, (from - day * dayMs) / 1000);
    if (time >= 0) return day * dayMs + time * 1000;
    return firstOnDay(spec, firstDayFrom(spec, day + 1));
  }
  return firstOnDay(spec, matchDay);
}

/** The last match at or before `localMs`; -Infinity when there is none since 1970. */
export function lastMatchTo(spec: CronSpec, localMs: number): number {
  const day = Math.min(Math.floor(localMs / dayMs), lastDay);
  const matchDay = lastDayTo(spec, day);
  if (matchDay === -Infinity) return -Infinity;
  const latest = matchDay < Math.floor(localMs / dayMs) ? 86_399 : (localMs - day * dayMs) / 1000;
  const time = lastTimeTo(spec, latest);
  if (time >= 0) return matchDay * dayMs + time * 1000;
  const before = lastDayTo(spec, matchDay - 1);
  return before === -Infinity ? before : before * dayMs + lastTimeTo(spec, 86_399) * 1000;
}

function firstOnDay(spec: CronSpec, day: number): number {
  if (day === Infinity) return Infinity;
  return day * dayMs + firstTimeFrom(spec, 0) * 1000;
}

/** Second of the day, or -1 when the rest of the day has none. */
function firstTimeFrom(spec: CronSpec, from: number): number {
  const fromHour = Math.floor(from / 3600);
  const fromMinute = Math.floor(from / 60) % 60;
  const hour = lowestFrom(spec.hours, fromHour);
  if (hour < 0) return -1;
  if (hour === fromHour) {
    if (hasBit60(spec.minutes, fromMinute)) {
      const second = lowestFrom60(spec.seconds, from % 60);
      if (second >= 0) return hour * 3600 + fromMinute * 60 + second;
    }
    const minute = lowestFrom60(spec.minutes, fromMinute + 1);
    if (minute >= 0) return hour * 3600 + minute * 60 + lowest(spec.seconds);
    const nextHour = lowestFrom(spec.hours, hour + 1);
    if (nextHour < 0) return -1;
    return nextHour * 3600 + lowest(spec.minutes) * 60 + lowest(spec.seconds);
  }
  return hour * 3600 + lowest(spec.minutes) * 60 + lowest(spec.seconds);
}

function lastTimeTo(spec: CronSpec, to: number): number {
  const toHour = Math.floor(to / 3600);
  const toMinute = Math.floor(to / 60) % 60;
  const hour = highestTo(spec.hours, toHour);
  if (hour < 0) return -1;
  if (hour === toHour) {
    if (hasBit60(spec.minutes, toMinute)) {
      const second = highestTo60(spec.seconds, to % 60);
      if (second >= 0) return hour * 3600 + toMinute * 60 + second;
    }
    const minute = highestTo60(spec.minutes, toMinute - 1);
    if (minute >= 0) return hour * 3600 + minute * 60 + highest(spec.seconds);
    const hourBefore = highestTo(spec.hours, hour - 1);
    if (hourBefore < 0) return -1;
    return hourBefore * 3600 + highest(spec.minutes) * 60 + highest(spec.seconds);
  }
  return hour * 3600 + highest(spec.minutes) * 60 + highest(spec.seconds);
}

function lowest(mask: Mask60): number {
  return lowestFrom60(mask, 0);
}

function highest(mask: Mask60): number {
  return highestTo60(mask, 59);
}

function firstDayFrom(spec: CronSpec, fromDay: number): number {
  const from = dateOfDay(fromDay);
  let year = yearOf(from);
  let month = monthOf(from);
  let dayBit = dayOf(from) - 1;
  while (year <= lastYear) {
    if (spec.years === undefined || spec.years[year - firstYear] === 1) {
      for (
        let monthBit = lowestFrom(spec.months, month - 1);
        monthBit >= 0;
        monthBit = lowestFrom(spec.months, monthBit + 1)
      ) {
        const first = dayOfDate(year, monthBit + 1, 1);
        const bit = lowestFrom(
          dayMask(spec, first, daysInMonth(year, monthBit + 1)),
          monthBit + 1 === month ? dayBit : 0,
        );
        if (bit >= 0) return first + bit;
      }
    }
    year++;
    month = 1;
    dayBit = 0;
  }
  return Infinity;
}

function lastDayTo(spec: CronSpec, toDay: number): number {
  if (toDay < 0) return -Infinity;
  const to = dateOfDay(toDay);
  let year = yearOf(to);
  let month = monthOf(to);
  let dayBit = dayOf(to) - 1;
  while (year >= firstYear) {
    if (spec.years === undefined || spec.years[year - firstYear] === 1) {
      for (
        let monthBit = highestTo(spec.months, month - 1);
        monthBit >= 0;
        monthBit = highestTo(spec.months, monthBit - 1)
      ) {
        const first = dayOfDate(year, monthBit + 1, 1);
        const bit = highestTo(
          dayMask(spec, first, daysInMonth(year, monthBit + 1)),
          monthBit + 1 === month ? dayBit : 30,
        );
        if (bit >= 0) return first + bit;
      }
    }
    year--;
    month = 12;
    dayBit = 30;
  }
  return -Infinity;
}

export function daysInMonth(year: number, month: number): number {
  if (month === 2) {
    return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  }
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days since the epoch of a date from 1970 on (Hinnant's days_from_civil). */
export function dayOfDate(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** A date in one number, so that the walk allocates nothing: year * 512 + month * 32 + day. */
function dateOfDay(epochDay: number): number {
  const z = epochDay + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return year * 512 + month * 32 + day;
}

function yearOf(date: number): number {
  return date >>> 9;
}

function monthOf(date: number): number {
  return (date >>> 5) & 15;
}

function dayOf(date: number): number {
  return date & 31;
}

const lastDay = dayOfDate(lastYear, 12, 31);
