/**
 * From the text of a definition to a Schedule. What may be written is docs/schedules.md.
 * Equal schedules are the same object as long as they are remembered: a fleet has far fewer
 * schedules than jobs, and reading one costs more than a thousand questions for its next tick.
 */
import { CronmeshError, renderGot } from '../errors.ts';
import type { FieldProblem } from '../errors.ts';
import { CronSchedule } from './cron-schedule.ts';
import { buildSpec } from './cron-spec.ts';
import type { CronSpec } from './cron-spec.ts';
import { EverySchedule } from './every-schedule.ts';
import { firstMatchFrom } from './local-calendar.ts';
import { neverProblem } from './never-problem.ts';
import { readExpression } from './read-expression.ts';
import type { ExpressionReading } from './read-expression.ts';
import { readZone } from './read-zone.ts';
import { RecentMap } from './recent-map.ts';
import type { Schedule } from './schedule.ts';
import { zoneOf } from './zone.ts';

export const maxExpressionLength = 256;

/** Two keys a schedule: its text as written, and its canonical one. */
const remembered = new RecentMap<Schedule>(20_000);

/**
 * The schedule of an expression in an IANA zone. The result depends on nothing else: a schedule whose
 * years are over is one that has no next tick, and still tells its past ones. With `afterMs` such a
 * schedule is refused too: give it where a person enters a definition, not where one is read back.
 * Throws `schedule-invalid` with problems at `/cronExpr` and `/timezone`.
 */
export function parseSchedule(
  cronExpr: string,
  timezone: string,
  options: { readonly afterMs?: number } = {},
): Schedule {
  const key = `${timezone}\n${cronExpr}`;
  let schedule = remembered.get(key);
  if (schedule === undefined) {
    schedule = readSchedule(cronExpr, timezone, maxExpressionLength);
    remembered.set(key, schedule);
  }
  const { afterMs } = options;
  if (afterMs !== undefined && schedule.next(afterMs) === undefined) {
    throw invalid([
      {
        field: '/cronExpr',
        message: 'The schedule never fires again',
        expected: `a schedule with a fire after ${new Date(afterMs).toISOString()}`,
        got: renderGot(cronExpr),
      },
    ]);
  }
  return schedule;
}

/** As `parseSchedule`, but without a limit unless one is given: a canonical text may be long. */
export function readSchedule(cronExpr: string, timezone: string, maxLength = Infinity): Schedule {
  const zone = readZone(timezone);
  const problems = zone.ok ? [] : [zone.problem];
  const expression = cronExpr.length > maxLength ? tooLong(cronExpr) : readExpression(cronExpr);
  if (expression.kind === 'faulty') throw invalid([...expression.problems, ...problems]);
  if (expression.kind === 'every') {
    if (!zone.ok) throw invalid(problems);
    return new EverySchedule(expression.seconds, zone.name);
  }
  const spec = buildSpec(expression.items);
  if (firstMatchFrom(spec, 0) === Infinity) problems.unshift(neverProblem(spec, cronExpr));
  if (!zone.ok || problems.length > 0) throw invalid(problems);
  const schedule = new CronSchedule(spec, zoneOf(zone.name));
  const known = remembered.get(`\n${schedule.canonical}`);
  if (known !== undefined) return known;
  if (isSwallowedWhole(spec, schedule)) {
    throw invalid([
      {
        field: '/cronExpr',
        message: `The schedule never fires: ${zone.name} skips all of its local times when the clocks go forward`,
        expected: 'a local time that exists',
        got: renderGot(cronExpr),
      },
    ]);
  }
  remembered.set(`\n${schedule.canonical}`, schedule);
  return schedule;
}

function tooLong(cronExpr: string): ExpressionReading {
  const problem = {
    field: '/cronExpr',
    message: 'The expression is too long',
    expected: `at most ${maxExpressionLength} characters`,
    got: `${cronExpr.length} characters`,
  };
  return { kind: 'faulty', problems: [problem] };
}

/** Looked at only where years are named: without them it would take the whole history of the zone. */
function isSwallowedWhole(spec: CronSpec, schedule: Schedule): boolean {
  return spec.years !== undefined && schedule.next(-Infinity) === undefined;
}

function invalid(problems: readonly FieldProblem[]): CronmeshError {
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  const message = `The schedule is not valid: ${first?.message ?? ''}${more}`;
  return new CronmeshError('schedule-invalid', message, { problems });
}
