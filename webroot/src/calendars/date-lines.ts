/**
 * A calendar's dates as they are typed, one to a line, read by the code that the workers use: what
 * each line names, what is wrong with it, and what a click on a day makes of the text.
 */
// oxlint-disable-next-line no-restricted-imports -- pure: it runs in a browser as it does in a worker
import { dayOfYear, readDateEntry, type DateEntry } from '../../../shared/calendar/date-entry.ts';
// oxlint-disable-next-line no-restricted-imports -- likewise
import { dateSetOf, type DateSet } from '../../../shared/calendar/date-set.ts';
import { dateText, dayMs, weekdayOf } from './year-days.ts';

export interface DateLine {
  readonly text: string;
  readonly entry: DateEntry;
}

export interface LineProblem {
  /** From 1. */
  readonly line: number;
  readonly message: string;
  readonly expected: string;
  readonly got: string;
}

export interface DateLines {
  /** What is sent: lines that hold anything, trimmed, right or wrong. */
  readonly dates: readonly string[];
  /** The line of each of these, from 1. */
  readonly lineOfDate: readonly number[];
  readonly good: readonly DateLine[];
  readonly problems: readonly LineProblem[];
}

export function readDateLines(text: string): DateLines {
  const dates: string[] = [];
  const lineOfDate: number[] = [];
  const good: DateLine[] = [];
  const problems: LineProblem[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '') continue;
    dates.push(line);
    lineOfDate.push(index + 1);
    const reading = readDateEntry(line);
    if (reading.ok) good.push({ text: line, entry: reading.entry });
    else {
      const { message, expected, got } = reading;
      problems.push({ line: index + 1, message, expected, got });
    }
  }
  return { dates, lineOfDate, good, problems };
}

/** All days that the lines name. */
export function namedDays(lines: readonly DateLine[]): DateSet {
  return dateSetOf(lines.map(({ entry }) => entry));
}

/** The first line that names the day. */
export function lineNaming(lines: readonly DateLine[], epochDay: number): DateLine | undefined {
  return lines.find(({ entry }) => names(entry, epochDay));
}

function names(entry: DateEntry, epochDay: number): boolean {
  switch (entry.kind) {
    case 'days':
      return epochDay >= entry.from && epochDay <= entry.to;
    case 'weekday':
      return weekdayOf(epochDay) === entry.weekday;
    case 'yearly': {
      const date = new Date(epochDay * dayMs);
      const at = dayOfYear(date.getUTCMonth() + 1, date.getUTCDate());
      return entry.from <= entry.to
        ? at >= entry.from && at <= entry.to
        : at >= entry.from || at <= entry.to;
    }
  }
}

/**
 * A click on a day: names it when no line does; takes back the line that names it alone. A day that
 * a range, a weekday or a date of every year names is left to the keyboard.
 */
export function toggleDay(text: string, epochDay: number): string {
  const date = dateText(epochDay);
  const lines = text.split('\n');
  if (lines.some((line) => line.trim() === date)) {
    return lines.filter((line) => line.trim() !== date).join('\n');
  }
  if (lineNaming(readDateLines(text).good, epochDay) !== undefined) return text;
  return withLines(text, [date]);
}

/** Adds the entries that are not there yet, at the end. */
export function withLines(text: string, entries: readonly string[]): string {
  const there = new Set(text.split('\n').map((line) => line.trim()));
  const added = entries.filter((entry) => !there.has(entry));
  if (added.length === 0) return text;
  const head = text.trimEnd();
  return `${head === '' ? '' : `${head}\n`}${added.join('\n')}\n`;
}
