/**
 * The engine against a brute-force cron, minute by minute through clock changes of every kind, for
 * random expressions; and second by second through a few.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSchedule } from '../../shared/schedule/parse-schedule.ts';
import { oracleTicks, readLocalSpan } from '../support/schedule-oracle.ts';
import { createDice, randomExpression, type ExpressionWishes } from '../support/schedule-random.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;

/** What happens, where, and its first instant. */
const changes = [
  ['Europe/Berlin', 'forward an hour', '2025-03-30T01:00Z'],
  ['Europe/Berlin', 'back an hour', '2025-10-26T01:00Z'],
  ['Europe/London', 'back to UTC itself', '2024-10-27T01:00Z'],
  ['America/New_York', 'forward an hour', '2024-03-10T07:00Z'],
  ['America/New_York', 'back an hour', '2024-11-03T06:00Z'],
  ['America/St_Johns', 'forward at 00:01', '2006-04-02T03:31Z'],
  ['America/St_Johns', 'back at 00:01, into the day before', '2006-10-29T02:31Z'],
  ['America/Sao_Paulo', 'forward at midnight', '2018-11-04T03:00Z'],
  ['America/Sao_Paulo', 'back at midnight', '2018-02-18T02:00Z'],
  ['America/Havana', 'forward at midnight', '2025-03-09T05:00Z'],
  ['America/Havana', 'back at 01:00', '2025-11-02T05:00Z'],
  ['Asia/Beirut', 'forward at midnight', '2025-03-29T22:00Z'],
  ['Asia/Beirut', 'back at midnight', '2025-10-25T21:00Z'],
  ['Africa/Cairo', 'forward at midnight', '2024-04-25T22:00Z'],
  ['Africa/Cairo', 'back at midnight', '2024-10-31T21:00Z'],
  ['Asia/Tehran', 'forward at midnight', '2022-03-21T20:30Z'],
  ['Asia/Tehran', 'back at midnight', '2022-09-21T19:30Z'],
  ['Australia/Lord_Howe', 'forward half an hour', '2024-10-05T15:30Z'],
  ['Australia/Lord_Howe', 'back half an hour', '2025-04-05T15:00Z'],
  ['Australia/Sydney', 'back an hour', '2025-04-05T16:00Z'],
  ['Antarctica/Troll', 'forward two hours', '2025-03-30T01:00Z'],
  ['Antarctica/Troll', 'back two hours', '2025-10-26T01:00Z'],
  ['Pacific/Apia', 'over a whole day', '2011-12-30T10:00Z'],
  ['Pacific/Kiritimati', 'over a whole day', '1994-12-31T10:40Z'],
  ['Africa/Casablanca', 'back for Ramadan', '2025-02-23T02:00Z'],
  ['America/Caracas', 'back half an hour for good', '2007-12-09T07:00Z'],
  ['Asia/Pyongyang', 'forward half an hour for good', '2018-05-04T15:00Z'],
  ['Asia/Damascus', 'back an hour, where two blocks of zone data meet', '1977-08-31T23:00Z'],
  ['UTC', 'not at all', '2025-03-30T01:00Z'],
] as const;

function compare(
  zone: string,
  change: string,
  stepMs: number,
  around: { readonly beforeMs: number; readonly afterMs: number },
  expressions: readonly string[],
): void {
  const fromMs = Date.parse(change) - around.beforeMs;
  const toMs = Date.parse(change) + around.afterMs;
  // The oracle needs a day before to know which local times were there already.
  const span = readLocalSpan(zone, fromMs - 25 * hourMs, toMs, stepMs);
  for (const expression of expressions) {
    const expected = oracleTicks(expression, span, stepMs);
    const schedule = parseSchedule(expression, zone);
    const forward: number[] = [];
    for (
      let tick = schedule.next(fromMs - 1);
      tick !== undefined && tick < toMs;
      tick = schedule.next(tick)
    ) {
      forward.push(tick);
    }
    const backward: number[] = [];
    for (
      let tick = schedule.latest(toMs - 1, fromMs - 1);
      tick !== undefined;
      tick = schedule.latest(tick - 1, fromMs - 1)
    ) {
      backward.unshift(tick);
    }
    const show = (ticks: readonly number[]): string[] =>
      ticks.map((tick) => new Date(tick).toISOString());
    assert.deepEqual(show(forward), show(expected), `next of ${expression} in ${zone}`);
    assert.deepEqual(show(backward), show(expected), `latest of ${expression} in ${zone}`);
  }
}

function possible(zone: string, count: number, seed: number, wishes: ExpressionWishes): string[] {
  const dice = createDice(seed);
  const found: string[] = [];
  while (found.length < count) {
    const expression = randomExpression(dice, wishes);
    try {
      parseSchedule(expression, zone);
      found.push(expression);
    } catch {
      // An impossible date, such as 31 April; those have tests of their own.
    }
  }
  return found;
}

for (const [index, [zone, what, change]] of changes.entries()) {
  test(`${zone} goes ${what}: 200 random expressions tick as the oracle says`, () => {
    const wishes = { steppedRanges: true, specials: true };
    const expressions = [
      ...possible(zone, 130, 1000 + index, { ...wishes, pinned: 0.5 }),
      ...possible(zone, 60, 2000 + index, { ...wishes, pinned: 1 }),
      ...['0 30 2 * * * *', '0 0 0 * * * *', '0 15 * * * * *', '0 */15 * * * * *'],
      ...['0 30 0 * * * *', '0 0,15,30,45 0-3 * * * *', '0 */20 2 * * * *', '0 30 */2 * * * *'],
      ...['0 59 23 * * * *', '0 0 0 31,1 * * *'],
    ];
    const around = { beforeMs: 26 * hourMs, afterMs: 30 * hourMs };
    compare(zone, change, minuteMs, around, expressions);
  });
}

test('second by second through both edges, with seconds in the expressions', () => {
  for (const [zone, change] of [
    ['Europe/Berlin', '2025-03-30T01:00Z'],
    ['America/New_York', '2024-11-03T06:00Z'],
  ] as const) {
    const expressions = [
      ...possible(zone, 25, 77, { seconds: true, steppedRanges: true, pinned: 0.7 }),
      ...['* 30 2 * * * *', '*/7 59 1 * * * *', '30 59 * * * * *', '15 0 1-3 * * * *'],
    ];
    compare(zone, change, 1000, { beforeMs: 2 * hourMs, afterMs: 2 * hourMs }, expressions);
  }
});
