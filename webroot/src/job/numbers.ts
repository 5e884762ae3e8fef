/** What the pictures of a job's history are drawn from: days as squares, runs as dots. No DOM here. */
import type { HistoryRow } from '../../../shared/history/records.ts';
import type { DayStats } from '../api/shapes.ts';
import { dateText, dayMs, weekdayOf } from '../calendars/year-days.ts';

export const weeks = 53;

/** How a day looks; `mixed` has failures beside what succeeded. */
export type DayLook = 'none' | 'succeeded' | 'mixed' | 'failed' | 'killed' | 'not-run' | 'running';

export interface Day {
  readonly date: string;
  readonly epochDay: number;
  /** 0 is the oldest. */
  readonly week: number;
  /** 0 is Monday. */
  readonly weekday: number;
  readonly look: DayLook;
  readonly stats: DayStats | undefined;
}

/** The Monday of the oldest week that is shown. */
export function firstDayOf(today: number): number {
  return today - ((weekdayOf(today) + 6) % 7) - (weeks - 1) * 7;
}

/** Every day up to today, oldest first. */
export function daysUpTo(today: number, stats: readonly DayStats[]): Day[] {
  const byDate = new Map(stats.map((day) => [day.day, day]));
  const first = firstDayOf(today);
  return Array.from({ length: today - first + 1 }, (_, index) => {
    const date = dateText(first + index);
    const found = byDate.get(date);
    return {
      date,
      epochDay: first + index,
      week: Math.floor(index / 7),
      weekday: index % 7,
      look: lookOf(found),
      stats: found,
    };
  });
}

function lookOf(stats: DayStats | undefined): DayLook {
  if (stats === undefined) return 'none';
  const { counts, failures } = stats;
  if (failures > 0) return (counts.succeeded ?? 0) > 0 ? 'mixed' : 'failed';
  if ((counts.succeeded ?? 0) > 0) return 'succeeded';
  if ((counts.killed ?? 0) > 0) return 'killed';
  return (counts.running ?? 0) > 0 ? 'running' : 'not-run';
}

/** Share of a mixed day's square that shows failures: one in a thousand is seen as well. */
export function failedShare({ successRate = 1 }: DayStats): number {
  return 0.3 + 0.5 * Math.sqrt(1 - successRate);
}

/** The nearest day with rows from there, `step` days at a time; by one day when there is none. */
export function nextDay(days: readonly Day[], from: number, step: number): number {
  for (const stride of [step, Math.sign(step)]) {
    for (let at = from + stride; at >= 0 && at < days.length; at += stride) {
      if (days[at]?.look !== 'none') return at;
    }
  }
  return from;
}

export interface Totals {
  readonly ended: number;
  readonly failures: number;
  readonly notRun: number;
}

export function totalsOf(stats: readonly DayStats[]): Totals {
  const totals = { ended: 0, failures: 0, notRun: 0 };
  for (const { counts, failures } of stats) {
    totals.ended += (counts.succeeded ?? 0) + failures;
    totals.failures += failures;
    totals.notRun += (counts.missed ?? 0) + (counts.skipped ?? 0);
  }
  return totals;
}

export interface TimedRun {
  readonly row: HistoryRow;
  readonly tookMs: number;
}

/** Oldest first. */
export function timedRuns(newestFirst: readonly HistoryRow[]): TimedRun[] {
  return newestFirst
    .flatMap((row) =>
      row.startedAt === undefined || row.endedAt === undefined
        ? []
        : [{ row, tookMs: Math.max(0, row.endedAt - row.startedAt) }],
    )
    .toReversed();
}

export interface Durations {
  readonly p50Ms: number;
  readonly p95Ms: number;
  /** The median of the newer half over that of the older one; undefined with fewer than ten runs. */
  readonly trend: number | undefined;
}

/** As the API's own stats have them, of just the runs that are drawn; one at least, oldest first. */
export function durationsOf(tookMs: readonly number[]): Durations {
  const middle = Math.ceil(tookMs.length / 2);
  const older = quantile(tookMs.slice(0, middle), 0.5);
  const newer = quantile(tookMs.slice(middle), 0.5);
  return {
    p50Ms: quantile(tookMs, 0.5),
    p95Ms: quantile(tookMs, 0.95),
    trend: tookMs.length < 10 || older === 0 ? undefined : newer / older,
  };
}

/** Nearest rank. */
function quantile(values: readonly number[], q: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(q * values.length) - 1] ?? 0;
}

/** The median around each run: what the eye should follow, whatever single runs did. */
export function rollingMedians(tookMs: readonly number[], reach = 5): number[] {
  return tookMs.map((_, at) => {
    const around = tookMs.slice(Math.max(0, at - reach), at + reach + 1).sort((a, b) => a - b);
    return around[Math.floor(around.length / 2)] ?? 0;
  });
}

/** 0 at the bottom to 1 at `longest`; root scale, so that one long run leaves the others their shape. */
export function heightOf(tookMs: number, longest: number): number {
  return Math.sqrt(tookMs / Math.max(1, longest));
}

/** Epoch ms at which a date begins in a zone. */
export function startOfDay(epochDay: number, zone: string): number {
  const utc = epochDay * dayMs;
  const first = utc - offsetMs(utc, zone);
  const offset = offsetMs(first, zone);
  const second = utc - offset;
  // Where clocks leap over midnight neither is one: the day begins with the later.
  return offsetMs(second, zone) === offset ? second : Math.max(first, second);
}

function offsetMs(atMs: number, zone: string): number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
  const name = format.formatToParts(atMs).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const [, sign, hours, minutes = '0'] = /([+-])(\d+):?(\d+)?/.exec(name) ?? [];
  const size = (Number(hours ?? '0') * 60 + Number(minutes)) * 60_000;
  return sign === '-' ? -size : size;
}
