/**
 * How life goes in a simulation. A storm is minutes in which something breaks and somebody acts all the
 * time, with schedules of seconds: it finds the orders of events that are rare. Operation is hours and
 * days as a fleet has them: schedules of minutes, hours and days in several zones, through the changes
 * of date and of the clock, with a fault now and then and people who do something a few times an hour.
 */
import { daySchedules, plainSchedules, type PlainSchedule } from './schedules.ts';
import type { SeededRandom } from './seeded-random.ts';
import { clockChanges } from './zoned-ticks.ts';

const minute = 60_000;
const hour = 60 * minute;

/** Around every multiple of `everyMs`, from `fromMs` before it to `untilMs` after it. */
export interface Aim {
  readonly everyMs: number;
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface Regime {
  /** The true wall time at which it begins, epoch ms. */
  readonly originMs: number;
  readonly ttlSeconds: readonly number[];
  /** How many: one of these. */
  readonly workers: readonly number[];
  readonly jobs: readonly [low: number, high: number];
  readonly schedules: readonly PlainSchedule[];
  /** Of bad weather. */
  readonly durationMs: number;
  /** Of the time at the end in which nothing is an excuse any more. */
  readonly calmMs: number;
  /** Mean times between two deeds of a person, two flurries of all, two compactions. */
  readonly deedMs: number;
  readonly flurryMs: number;
  readonly compactMs: number;
  /** Of a simulation in which etcd is restored from backups. */
  readonly restoreChance: number;
  /** Mean time until somebody puts a job right: it is there, and not paused. Infinity: nobody does. */
  readonly upkeepMs: number;
  /** Wall clocks are kept right from outside, but for one in ten; and somebody looks after that one. */
  readonly keepsClocks: boolean;
  /** Faults and deeds gather around the multiples of it, at which fires are due. */
  readonly aim: Aim | undefined;
  /** Mean time between two faults of one worker: one of these. */
  readonly faultMs: readonly number[];
}

const usualOrigin = Date.UTC(2027, 0, 15, 8, 0, 0);

/** Time to the next event of its kind; more often than not where it is aimed at. */
export function untilNext(
  random: SeededRandom,
  meanMs: number,
  nowMs: number,
  aim: Aim | undefined,
): number {
  const delayMs = random.exponential(meanMs);
  if (aim === undefined || random.chance(0.4)) return delayMs;
  const { everyMs, fromMs, untilMs } = aim;
  const atMs = Math.ceil((nowMs + delayMs) / everyMs) * everyMs + random.between(-fromMs, untilMs);
  return Math.max(0, atMs - nowMs);
}

/** In some the date changes, so that a calendar lets a tick fire and not the next one. */
export function storm(random: SeededRandom, minutes = 4): Regime {
  const intoTheDay =
    Math.floor(random.between(0, minutes)) * minute + random.integer(0, 60) * 1_000;
  return {
    originMs: random.chance(0.5) ? Date.UTC(2027, 0, 16) - intoTheDay : usualOrigin,
    ttlSeconds: [5, 5, 8, 15],
    workers: [2, 3, 4, 5],
    jobs: [1, 6],
    schedules: plainSchedules,
    durationMs: minutes * minute,
    calmMs: 25_000,
    deedMs: 6_000,
    flurryMs: 15_000,
    compactMs: 20_000,
    restoreChance: 0.3,
    upkeepMs: Infinity,
    keepsClocks: false,
    aim: random.chance(0.5) ? { everyMs: 1_000, fromMs: 200, untilMs: 400 } : undefined,
    faultMs: [8_000, 20_000, 40_000],
  };
}

/** Noon before a clock change, the end of a month, of a year or of February, or any day at all. */
export function operation(hours: number, random: SeededRandom): Regime {
  const originMs = random.weighted([
    [4, () => random.pick(clockChanges) - 15 * hour],
    [1, () => Date.UTC(2026, 11, 31, 12)],
    [1, () => Date.UTC(2028, 1, 28, 12)],
    [1, () => Date.UTC(2027, random.integer(0, 11), 1) - 12 * hour],
    [2, () => usualOrigin + random.integer(0, 7_000) * hour],
  ])();
  return {
    originMs,
    ttlSeconds: [15, 20, 30, 60],
    workers: [2, 2, 2, 3, 3, 4],
    jobs: [4, 10],
    schedules: daySchedules,
    durationMs: hours * hour,
    calmMs: 10 * minute,
    deedMs: 15 * minute,
    flurryMs: 2 * hour,
    compactMs: 5 * minute,
    restoreChance: 0.1,
    upkeepMs: 45 * minute,
    keepsClocks: true,
    aim: { everyMs: minute, fromMs: 2_000, untilMs: 2_500 },
    faultMs: [15 * minute, 45 * minute, 3 * hour],
  };
}
