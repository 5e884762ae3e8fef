/**
 * The schedules that simulated jobs have, and their ticks by plain arithmetic: what is expected is
 * worked out here, without the code that is tested.
 */
import { parseSchedule } from '../../shared/schedule/parse-schedule.ts';

export interface PlainSchedule {
  readonly cronExpr: string;
  readonly periodMs: number;
  readonly phaseMs: number;
  /** How a cursor names it. */
  readonly canonical: string;
}

const plain: readonly (readonly [string, number, number])[] = [
  ['*/2 * * * * *', 2_000, 0],
  ['@every 3s', 3_000, 0],
  ['*/5 * * * * *', 5_000, 0],
  ['@every 7s', 7_000, 0],
  ['*/10 * * * * *', 10_000, 0],
  ['*/20 * * * * *', 20_000, 0],
  ['0 * * * * *', 60_000, 0],
  ['30 * * * * *', 60_000, 30_000],
];

export const plainSchedules: readonly PlainSchedule[] = plain.map(
  ([cronExpr, periodMs, phaseMs]) => ({
    cronExpr,
    periodMs,
    phaseMs,
    canonical: parseSchedule(cronExpr, 'UTC').canonical,
  }),
);

const byCanonical = new Map(plainSchedules.map((schedule) => [schedule.canonical, schedule]));
const byExpression = new Map(plainSchedules.map((schedule) => [schedule.cronExpr, schedule]));

/** Undefined for `-`, `x` and what is no schedule of ours: no tick is due then. */
export function scheduleOfCanonical(canonical: string): PlainSchedule | undefined {
  return byCanonical.get(canonical);
}

export function scheduleOfExpression(cronExpr: string): PlainSchedule | undefined {
  return byExpression.get(cronExpr);
}

/** The ticks in (afterMs, untilMs]. */
export function ticksIn(schedule: PlainSchedule, afterMs: number, untilMs: number): number[] {
  const { periodMs, phaseMs } = schedule;
  const ticks: number[] = [];
  let tick = Math.floor((afterMs - phaseMs) / periodMs) * periodMs + phaseMs + periodMs;
  for (; tick <= untilMs; tick += periodMs) ticks.push(tick);
  return ticks;
}
