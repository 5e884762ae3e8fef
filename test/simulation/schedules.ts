/**
 * The schedules that simulated jobs have, and their ticks by plain arithmetic: what is expected is
 * worked out here, without the code that is tested.
 */
import { parseSchedule } from '../../shared/schedule/parse-schedule.ts';
import { fixedTicks, intervalTicks, type ZoneName } from './zoned-ticks.ts';

export interface PlainSchedule {
  readonly cronExpr: string;
  readonly timezone: string;
  /** How a cursor names it. */
  readonly canonical: string;
  /** The ticks in (afterMs, untilMs], in order. */
  readonly ticksIn: (afterMs: number, untilMs: number) => number[];
}

const everySeconds: readonly (readonly [string, number, number])[] = [
  ['* * * * * *', 1_000, 0],
  ['*/2 * * * * *', 2_000, 0],
  ['@every 3s', 3_000, 0],
  ['*/5 * * * * *', 5_000, 0],
  ['@every 7s', 7_000, 0],
  ['*/10 * * * * *', 10_000, 0],
  ['*/20 * * * * *', 20_000, 0],
  ['0 * * * * *', 60_000, 0],
  ['30 * * * * *', 60_000, 30_000],
];

const isWeekday = (weekday: number): boolean => weekday >= 1 && weekday <= 5;

const ofTheDay: readonly (readonly [string, ZoneName, PlainSchedule['ticksIn']])[] = [
  ['* * * * *', 'UTC', intervalTicks('UTC', 1, 0)],
  ['*/5 * * * *', 'Europe/Zurich', intervalTicks('Europe/Zurich', 5, 0)],
  ['*/15 * * * *', 'Australia/Lord_Howe', intervalTicks('Australia/Lord_Howe', 15, 0)],
  ['*/20 * * * *', 'Asia/Kolkata', intervalTicks('Asia/Kolkata', 20, 0)],
  ['7 * * * *', 'America/New_York', intervalTicks('America/New_York', 60, 7)],
  ['@hourly', 'Australia/Lord_Howe', intervalTicks('Australia/Lord_Howe', 60, 0)],
  ['@hourly', 'UTC', intervalTicks('UTC', 60, 0)],
  ['@daily', 'America/Havana', fixedTicks('America/Havana', [0])],
  ['30 0 * * *', 'America/Havana', fixedTicks('America/Havana', [30])],
  ['30 2 * * *', 'Europe/Zurich', fixedTicks('Europe/Zurich', [150])],
  ['15 1,2,3 * * *', 'America/New_York', fixedTicks('America/New_York', [75, 135, 195])],
  ['0,15 2 * * *', 'Australia/Lord_Howe', fixedTicks('Australia/Lord_Howe', [120, 135])],
  [
    '0 9,12,17 * * mon-fri',
    'Europe/Zurich',
    fixedTicks('Europe/Zurich', [540, 720, 1_020], isWeekday),
  ],
  ['59 23 * * *', 'Asia/Kolkata', fixedTicks('Asia/Kolkata', [1_439])],
];

/** Of seconds, for storms. */
export const plainSchedules: readonly PlainSchedule[] = everySeconds.map(
  ([cronExpr, periodMs, phaseMs]) => named(cronExpr, 'UTC', periodicTicks(periodMs, phaseMs)),
);

/** Of minutes, hours and days, in several zones, for long operation. */
export const daySchedules: readonly PlainSchedule[] = ofTheDay.map((each) => named(...each));

const all = [...plainSchedules, ...daySchedules];
const byCanonical = new Map(all.map((schedule) => [schedule.canonical, schedule]));
const byZoned = new Map(all.map((schedule) => [zoned(schedule), schedule]));
const byExpression = new Map(
  all.map((schedule) => [`${schedule.timezone} ${schedule.cronExpr}`, schedule]),
);

/** What a cursor counts: a schedule, on the dates that calendars allow. */
export interface Counted {
  readonly schedule: PlainSchedule;
  readonly calendars: readonly string[];
}

/** Undefined for `-`, `x` and what is no schedule of ours: no tick is due then. */
export function countedIn(text: string): Counted | undefined {
  const [canonical = '', names = ''] = text.split(' calendars=');
  const schedule = names === '' ? byCanonical.get(canonical) : byZoned.get(canonical);
  return schedule && { schedule, calendars: names === '' ? [] : names.split(',') };
}

export function textOf({ schedule, calendars }: Counted): string {
  if (calendars.length === 0) return schedule.canonical;
  return `${zoned(schedule)} calendars=${calendars.toSorted().join(',')}`;
}

/** A period's own text has no zone. */
function zoned({ canonical, timezone }: PlainSchedule): string {
  return canonical.endsWith(` ${timezone}`) ? canonical : `${canonical} ${timezone}`;
}

export function scheduleOfExpression(
  cronExpr: string,
  timezone: unknown,
): PlainSchedule | undefined {
  return byExpression.get(`${typeof timezone === 'string' ? timezone : 'UTC'} ${cronExpr}`);
}

function named(
  cronExpr: string,
  timezone: string,
  ticksIn: PlainSchedule['ticksIn'],
): PlainSchedule {
  return { cronExpr, timezone, canonical: parseSchedule(cronExpr, timezone).canonical, ticksIn };
}

function periodicTicks(periodMs: number, phaseMs: number): PlainSchedule['ticksIn'] {
  return (afterMs, untilMs) => {
    const ticks: number[] = [];
    let tick = Math.floor((afterMs - phaseMs) / periodMs) * periodMs + phaseMs + periodMs;
    for (; tick <= untilMs; tick += periodMs) ticks.push(tick);
    return ticks;
  };
}
