/** The definitions that people of a simulation write, as they think of them. */
import type { KeyValue } from '../../shared/etcd/port.ts';
import type { JobInput } from '../../shared/job/definition.ts';
import { pausedSchedule } from '../../shared/protocol/cursor.ts';
import { readDefinition } from './job-book.ts';
import { scheduleOfExpression, textOf } from './schedules.ts';
import type { SeededRandom } from './seeded-random.ts';

export interface Definition {
  readonly name: string;
  readonly cronExpr: string;
  readonly timezone: string;
  readonly calendars: readonly string[];
  readonly enabled: boolean;
  readonly timeoutSeconds: number;
  readonly policies: Policies;
}

/** How runs of the job stand to one another, and what becomes of fires that did not go well. */
type Policies = Pick<
  JobInput,
  'concurrency' | 'maxConcurrent' | 'misfire' | 'misfireLimit' | 'retries' | 'startDeadlineSeconds'
>;

/** `fondOf`: how much more often than others somebody chooses each of the ways to run side by side. */
export function drawPolicies(random: SeededRandom, fondOf: readonly number[]): Policies {
  const ways: readonly (readonly [number, Policies])[] = [
    [5, { concurrency: 'forbid' }],
    [3, { concurrency: 'queue' }],
    [3, { concurrency: 'replace' }],
    [1, { concurrency: 'allow' }],
    [4, { concurrency: 'allow', maxConcurrent: random.integer(2, 3) }],
  ];
  const concurrency = random.weighted(
    ways.map(([weight, way], index) => [weight * (fondOf[index] ?? 1), way] as const),
  );
  const misfire = random.pick<Policies>([
    {},
    { misfire: 'skip' },
    { misfire: 'all', misfireLimit: random.integer(1, 4) },
  ]);
  const retries = random.chance(0.4)
    ? { retries: { max: random.integer(1, 3), backoffSeconds: random.pick([0, 1, 5]) } }
    : {};
  const startDeadline = random.chance(0.3) ? { startDeadlineSeconds: 5 } : {};
  return { ...concurrency, ...misfire, ...retries, ...startDeadline };
}

/** What its cursor must say. */
export function countedBy(definition: Definition): string {
  if (!definition.enabled) return pausedSchedule;
  const { cronExpr, timezone, calendars } = definition;
  const schedule = scheduleOfExpression(cronExpr, timezone);
  return schedule === undefined ? pausedSchedule : textOf({ schedule, calendars });
}

export function textOfDefinition(
  { policies, calendars, ...definition }: Definition,
  command: string,
  description: string,
): string {
  const lists = calendars.length === 0 ? {} : { calendars: [...calendars] };
  const rest = { command, killGraceSeconds: 2, description };
  return JSON.stringify({ ...definition, ...policies, ...lists, ...rest } satisfies JobInput);
}

/** Undefined for what is no definition. */
export function readBack(name: string, kv: KeyValue): Definition | undefined {
  if (readDefinition(kv, 0).isMalformed) return undefined;
  const value = JSON.parse(kv.value.toString()) as JobInput & { readonly timeoutSeconds: number };
  // A master leaves out what goes without saying.
  const { cronExpr, timezone, calendars, enabled = true, timeoutSeconds } = value;
  const { concurrency, maxConcurrent, misfire, misfireLimit, retries, startDeadlineSeconds } =
    value;
  const policies = {
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(maxConcurrent === undefined ? {} : { maxConcurrent }),
    ...(misfire === undefined ? {} : { misfire }),
    ...(misfireLimit === undefined ? {} : { misfireLimit }),
    ...(retries === undefined ? {} : { retries }),
    ...(startDeadlineSeconds === undefined ? {} : { startDeadlineSeconds }),
  };
  const where = { timezone: timezone ?? 'UTC', calendars: calendars ?? [] };
  return { name, cronExpr, ...where, enabled, timeoutSeconds, policies };
}
