/**
 * A set of dates from 1970 to 2099, one bit for each epoch day, made to be jumped through: the next
 * member costs as much after a day as after a century. No other day is ever in a set.
 */
import { firstYear, lastYear } from '../schedule/cron-fields.ts';
import { dayOfDate, daysInMonth } from '../schedule/local-calendar.ts';
import { dayOfYear, type DateEntry } from './date-entry.ts';

export const dayMs = 86_400_000;
const dayCount = dayOfDate(lastYear, 12, 31) + 1;
const wordCount = Math.ceil(dayCount / 32);

export class DateSet {
  readonly #words: Uint32Array;

  /** `words` is not copied. */
  constructor(words: Uint32Array) {
    this.#words = words;
    // Days after the last one share its word.
    words[wordCount - 1] = (words[wordCount - 1] ?? 0) & (2 ** (dayCount % 32) - 1 || -1);
  }

  has(day: number): boolean {
    if (day < 0 || day >= dayCount) return false;
    return (((this.#words[day >>> 5] ?? 0) >>> (day & 31)) & 1) === 1;
  }

  /** The first member from `day` on; Infinity when there is none. */
  next(day: number): number {
    if (day >= dayCount) return Infinity;
    const from = Math.max(0, day);
    let index = from >>> 5;
    let word = (this.#words[index] ?? 0) & (-1 << (from & 31));
    while (word === 0) {
      index++;
      if (index === wordCount) return Infinity;
      word = this.#words[index] ?? 0;
    }
    return index * 32 + (31 - Math.clz32(word & -word));
  }

  /** The last member up to `day`; -Infinity when there is none. */
  last(day: number): number {
    if (day < 0) return -Infinity;
    const to = Math.min(day, dayCount - 1);
    let index = to >>> 5;
    let word = (this.#words[index] ?? 0) & (-1 >>> (31 - (to & 31)));
    while (word === 0) {
      if (index === 0) return -Infinity;
      index--;
      word = this.#words[index] ?? 0;
    }
    return index * 32 + (31 - Math.clz32(word));
  }

  complement(): DateSet {
    return new DateSet(this.#words.map((word) => ~word));
  }

  intersection(other: DateSet): DateSet {
    return new DateSet(this.#words.map((word, index) => word & (other.#words[index] ?? 0)));
  }
}

export const noDates = new DateSet(new Uint32Array(wordCount));

/** All dates that an entry names; takes as long for one entry as for thousands. */
export function dateSetOf(entries: readonly DateEntry[]): DateSet {
  const weekdays = new Uint8Array(7);
  const yearly = new Uint8Array(13 * 32);
  /** How many ranges begin on a day, less those that ended before it. */
  const begun = new Int32Array(dayCount + 1);
  for (const entry of entries) {
    if (entry.kind === 'weekday') weekdays[entry.weekday] = 1;
    else if (entry.kind === 'days') {
      begun[entry.from] = (begun[entry.from] ?? 0) + 1;
      begun[entry.to + 1] = (begun[entry.to + 1] ?? 0) - 1;
    } else if (entry.from <= entry.to) {
      yearly.fill(1, entry.from, entry.to + 1);
    } else {
      yearly.fill(1, entry.from);
      yearly.fill(1, 0, entry.to + 1);
    }
  }
  const words = new Uint32Array(wordCount);
  let open = 0;
  let epochDay = 0;
  for (let year = firstYear; year <= lastYear; year++) {
    for (let month = 1; month <= 12; month++) {
      for (let day = 1; day <= daysInMonth(year, month); day++, epochDay++) {
        open += begun[epochDay] ?? 0;
        // 1 January 1970 was a Thursday.
        const isIn = open > 0 || weekdays[(epochDay + 4) % 7] || yearly[dayOfYear(month, day)];
        if (isIn) words[epochDay >>> 5] = (words[epochDay >>> 5] ?? 0) | (1 << (epochDay & 31));
      }
    }
  }
  return new DateSet(words);
}

/** `2026-12-25` of an epoch day. */
export function dateText(epochDay: number): string {
  return new Date(epochDay * dayMs).toISOString().slice(0, 10);
}
