/** What the pictures of a job's history are drawn from: looks of days, steps between them, durations. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DayStats } from '../../webroot/src/api/shapes.ts';
import {
  daysUpTo,
  durationsOf,
  failedShare,
  nextDay,
  rollingMedians,
  startOfDay,
  totalsOf,
} from '../../webroot/src/job/numbers.ts';
import { formatRate } from '../../webroot/src/job/rate.ts';

const epochDay = (date: string): number => Date.parse(date) / 86_400_000;
const day = (date: string, counts: DayStats['counts'], failures = 0): DayStats => ({
  day: date,
  counts,
  failures,
});

test('days: from a Monday, 53 weeks, each with its look', () => {
  const stats = [
    day('2026-11-15', { succeeded: 2 }),
    day('2026-11-16', { succeeded: 9, failed: 1 }, 1),
    day('2026-11-17', { lost: 1, skipped: 1 }, 1),
    day('2026-11-18', { killed: 1 }),
    day('2026-11-19', { missed: 3, skipped: 1 }),
    day('2026-11-20', { running: 1 }),
  ];
  const days = daysUpTo(epochDay('2026-11-21'), stats);
  assert.equal(days.length, 52 * 7 + 6);
  assert.deepEqual([days[0]?.date, days[0]?.weekday, days[0]?.week], ['2025-11-17', 0, 0]);
  assert.deepEqual(
    days.slice(-7).map(({ look }) => look),
    ['succeeded', 'mixed', 'failed', 'killed', 'not-run', 'running', 'none'],
  );
  assert.deepEqual(totalsOf(stats), { ended: 13, failures: 2, notRun: 5 });
  const last = days.length - 1;
  // From the 20th, a week back holds nothing: to the day before.
  assert.equal(nextDay(days, last - 1, -7), last - 2);
  assert.equal(nextDay(days, last - 1, 1), last - 1, 'nothing further on');
  assert.equal(nextDay(days, last - 5, -1), last - 6);
  assert.equal(nextDay(days, last - 6, -7), last - 6);
});

test('a share of failures is seen however small, and no percentage says more than is true', () => {
  assert.ok(failedShare({ ...day('x', {}), successRate: 0.9999 }) >= 0.3);
  assert.ok(failedShare({ ...day('x', {}), successRate: 0.001 }) < 0.81);
  assert.equal(formatRate(0.99999, 'en'), '99.9%');
  assert.equal(formatRate(1, 'en'), '100%');
  assert.equal(formatRate(0.00001, 'en'), '0.1%');
  assert.equal(formatRate(undefined, 'en'), undefined);
});

test('durations of what is drawn', () => {
  const took = Array.from({ length: 20 }, (_, at) => (at < 10 ? 100 : 200));
  assert.deepEqual(durationsOf(took), { p50Ms: 100, p95Ms: 200, trend: 2 });
  assert.deepEqual(durationsOf([5, 1]), { p50Ms: 1, p95Ms: 5, trend: undefined });
  assert.deepEqual(durationsOf([]), { p50Ms: 0, p95Ms: 0, trend: undefined });
  assert.deepEqual(rollingMedians([1, 1, 90, 1, 1], 1), [1, 1, 1, 1, 1]);
});

test('where a day begins, also where clocks change at midnight', () => {
  const start = (date: string, zone: string): string =>
    new Date(startOfDay(epochDay(date), zone)).toISOString();
  assert.equal(start('2026-11-21', 'Asia/Kolkata'), '2026-11-20T18:30:00.000Z');
  assert.equal(start('2026-03-29', 'Europe/Berlin'), '2026-03-28T23:00:00.000Z');
  assert.equal(start('2026-03-30', 'Europe/Berlin'), '2026-03-29T22:00:00.000Z');
  // Clocks leap over midnight, and pass it twice.
  assert.equal(start('2026-09-06', 'America/Santiago'), '2026-09-06T04:00:00.000Z');
  assert.equal(start('2026-04-05', 'America/Santiago'), '2026-04-05T04:00:00.000Z');
  assert.equal(start('2026-04-05', 'Australia/Sydney'), '2026-04-04T13:00:00.000Z');
  assert.equal(start('2026-10-04', 'Australia/Sydney'), '2026-10-03T14:00:00.000Z');
  assert.equal(start('2026-07-01', 'UTC'), '2026-07-01T00:00:00.000Z');
  assert.equal(start('2026-07-01', 'America/New_York'), '2026-07-01T04:00:00.000Z');
});
