/**
 * The engine against croner, which shares no code with it: thousands of random expressions at
 * ordinary times, and through both DST changes of several zones. What the two are known to define
 * differently is kept out of the expressions or set by croner's options:
 * - a day field with a star in it, even with a step, makes "both" of the two day fields (Vixie):
 *   domAndDow;
 * - fixed-time jobs may have lists and ranges (Vixie): fixedTimeRule;
 * - croner counts any step and wild seconds as an interval, so there are none at the edges.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cron } from 'croner';
import { isCronmeshError } from '../../shared/errors.ts';
import { parseSchedule } from '../../shared/schedule/parse-schedule.ts';
import type { Schedule } from '../../shared/schedule/schedule.ts';
import { zoneTransitions } from '../../shared/schedule/zone.ts';
import { createDice, randomExpression } from '../support/schedule-random.ts';

const dayMs = 86_400_000;

function cronerOf(expression: string, timezone: string): Cron {
  const [, , , monthDay = '', , weekday = ''] = expression.split(' ');
  return new Cron(expression, {
    timezone,
    mode: '7-part',
    paused: true,
    domAndDow: monthDay.includes('*') || weekday.includes('*'),
    fixedTimeRule: 'no-wildcard',
  });
}

/** Undefined when the expression has no date at all. */
function ourOf(expression: string, timezone: string): Schedule | undefined {
  try {
    return parseSchedule(expression, timezone);
  } catch (error) {
    assert.ok(isCronmeshError(error, 'schedule-invalid'));
    assert.match(error.message, /never fires/, expression);
    return undefined;
  }
}

/** Ticks until `count` or year 2099, whichever is first. */
function ourTicks(schedule: Schedule | undefined, afterMs: number, count: number): string[] {
  const ticks: string[] = [];
  let at: number | undefined = afterMs;
  while (ticks.length < count && schedule !== undefined) {
    at = schedule.next(at);
    if (at === undefined) break;
    ticks.push(new Date(at).toISOString());
  }
  return ticks;
}

function cronerTicks(cron: Cron, afterMs: number, count: number): string[] {
  return cron
    .nextRuns(count, new Date(afterMs))
    .map((date) => date.toISOString())
    .filter((text) => text < '2099-12-31');
}

test('4,000 random expressions at ordinary times agree with croner', () => {
  const dice = createDice(20_250_330);
  const zones = [
    ...([
      'UTC',
      'UTC',
      'Asia/Kolkata',
      'Asia/Tokyo',
      'Europe/Berlin',
      'America/Los_Angeles',
    ] as const),
  ] as const;
  let compared = 0;
  let withoutDate = 0;
  for (let round = 0; round < 4000; round++) {
    const zone = dice.pick(zones);
    const expression = randomExpression(dice, {
      seconds: true,
      steppedRanges: true,
      specials: true,
      years: true,
    });
    const afterMs = dice.between(Date.UTC(1980, 0) / 1000, Date.UTC(2080, 0) / 1000) * 1000;
    const schedule = ourOf(expression, zone);
    const ours = ourTicks(schedule, afterMs, 4).filter((text) => text < '2099-12-31');
    const expected = cronerTicks(cronerOf(expression, zone), afterMs, 4);
    if (schedule === undefined) withoutDate++;
    // Near a change of the clocks the two rules differ; the test below and the oracle look there.
    const isOrdinary = [...ours, ...expected].every((text) => {
      const at = Date.parse(text);
      return zoneTransitions(zone, at - dayMs, at + dayMs).length === 0;
    });
    if (!isOrdinary || zoneTransitions(zone, afterMs - dayMs, afterMs + dayMs).length > 0) continue;
    assert.deepEqual(
      ours,
      expected,
      `${expression} in ${zone} after ${new Date(afterMs).toISOString()}`,
    );
    compared++;
  }
  assert.ok(compared > 3500, `only ${compared} were compared`);
  assert.ok(withoutDate < 200, `${withoutDate} had no date`);
});

test('random expressions agree with croner through both clock changes of nine zones', () => {
  const dice = createDice(20_251_026);
  const zones = [
    ...(['Europe/Berlin', 'Europe/London', 'America/New_York', 'America/Santiago'] as const),
    ...(['Australia/Sydney', 'Africa/Cairo', 'Asia/Beirut', 'America/Havana'] as const),
    'Australia/Lord_Howe',
  ];
  let compared = 0;
  for (const zone of zones) {
    const changes = zoneTransitions(zone, Date.UTC(2025, 0), Date.UTC(2026, 0));
    assert.equal(changes.length, 2, zone);
    for (const { atMs } of changes) {
      for (let round = 0; round < 40; round++) {
        const expression = randomExpression(dice, { pinned: round % 2 === 0 ? 0.5 : 1 });
        const schedule = ourOf(expression, zone);
        const afterMs = atMs - 20 * 3_600_000;
        const untilMs = atMs + 30 * 3_600_000;
        const until = (text: string): boolean => Date.parse(text) <= untilMs;
        const ours = ourTicks(schedule, afterMs, 40).filter(until);
        const expected = cronerTicks(cronerOf(expression, zone), afterMs, 40).filter(until);
        assert.deepEqual(
          ours,
          expected,
          `${expression} in ${zone} at ${new Date(atMs).toISOString()}`,
        );
        compared += expected.length === 0 ? 0 : 1;
      }
    }
  }
  assert.ok(compared > 200, `only ${compared} had ticks there`);
});
