/**
 * What holds for every schedule, shown on random ones: next and latest agree with each other and
 * with a walk, at random times and around clock changes, and nothing depends on the order of asking.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCanonical } from '../../shared/schedule/parse-canonical.ts';
import { parseSchedule } from '../../shared/schedule/parse-schedule.ts';
import type { Schedule } from '../../shared/schedule/schedule.ts';
import { zoneTransitions } from '../../shared/schedule/zone.ts';
import { createDice, randomExpression, type Dice } from '../support/schedule-random.ts';

const hourMs = 3_600_000;
const zones = [
  ...(['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe'] as const),
  ...(['America/Sao_Paulo', 'Pacific/Apia', 'Africa/Casablanca', 'Asia/Tehran'] as const),
] as const;

function randomSchedule(dice: Dice): Schedule {
  for (;;) {
    const zone = zones[dice.between(0, zones.length - 1)] ?? 'UTC';
    const period = `@every ${dice.between(1, 3 * 86_400)}s`;
    const wishes = { seconds: true, steppedRanges: true, specials: true, years: true };
    const expression = dice.chance(0.05) ? period : randomExpression(dice, wishes);
    try {
      return parseSchedule(expression, zone);
    } catch {
      // An impossible date; another throw of the dice.
    }
  }
}

/** Half of the time within a day of a clock change. */
function randomInstant(dice: Dice, timezone: string): number {
  const anywhere = dice.between(Date.UTC(1975, 0), Date.UTC(2090, 0));
  const changes = zoneTransitions(timezone, anywhere, anywhere + 300 * 24 * hourMs);
  const change = changes[0];
  if (change === undefined || dice.chance(0.5)) return anywhere;
  return change.atMs + dice.between(-24 * hourMs, 24 * hourMs);
}

test('next and latest agree with a walk, for 1,500 random schedules', () => {
  const dice = createDice(1_500);
  for (let round = 0; round < 1500; round++) {
    const schedule = randomSchedule(dice);
    const fromMs = randomInstant(dice, schedule.timezone);
    const label = `${schedule.canonical} from ${new Date(fromMs).toISOString()}`;
    const walk: number[] = [];
    let at: number | undefined = fromMs;
    while (walk.length < 12) {
      const tick: number | undefined = schedule.next(at);
      if (tick === undefined) break;
      assert.ok(tick > at, `${label}: increasing`);
      assert.ok(Number.isInteger(tick / 1000), `${label}: whole seconds`);
      walk.push(tick);
      at = tick;
    }
    let before = fromMs;
    for (const tick of walk) {
      assert.equal(schedule.latest(tick, fromMs), tick, `${label}: latest of a tick is itself`);
      assert.equal(schedule.latest(tick, tick), undefined, `${label}: the floor is exclusive`);
      assert.equal(schedule.next(tick - 1), tick, `${label}: next is strictly after`);
      assert.equal(schedule.next(before), tick, `${label}: the same when asked again`);
      const between = before + 1 + dice.between(0, tick - before - 2);
      const previous = before === fromMs ? undefined : before;
      assert.equal(schedule.next(between), tick, `${label}: from between two ticks`);
      assert.equal(
        schedule.latest(between, fromMs),
        previous,
        `${label}: latest between two ticks`,
      );
      assert.equal(schedule.latest(tick - 1, fromMs), previous, `${label}: latest just before`);
      before = tick;
    }
    const earlier = schedule.latest(fromMs, -Infinity);
    if (earlier === undefined) continue;
    assert.ok(earlier <= fromMs, label);
    assert.equal(schedule.next(earlier), walk[0], `${label}: nothing between latest and next`);
  }
});

test('the canonical text of a random schedule has the same ticks', () => {
  const dice = createDice(300);
  for (let round = 0; round < 300; round++) {
    const schedule = randomSchedule(dice);
    const again = parseCanonical(schedule.canonical);
    assert.equal(again?.canonical, schedule.canonical);
    assert.equal(again.kind, schedule.kind);
    let at = randomInstant(dice, schedule.timezone);
    for (let step = 0; step < 5; step++) {
      const tick = schedule.next(at);
      assert.equal(again.next(at), tick, schedule.canonical);
      at = tick ?? at;
    }
  }
});

test('a year of ticks a second is looked back over at once', () => {
  const schedule = parseSchedule('* * * * * *', 'Europe/Berlin');
  const at = Date.UTC(2025, 5, 1);
  assert.equal(schedule.latest(at + 999, at - 31_536_000_000), at);
  const rare = parseSchedule('0 0 0 29 2 * 1972', 'Europe/Berlin');
  assert.equal(rare.latest(at, 0), Date.UTC(1972, 1, 28, 23));
  assert.equal(rare.latest(at, Date.UTC(1972, 1, 28, 23)), undefined);
});
