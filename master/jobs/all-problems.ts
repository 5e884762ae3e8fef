/**
 * A definition that is refused is told all that is wrong with it at once: what its fields are, and which
 * of its calendars are not there, though these are looked up only for a definition that is valid.
 */
import type { CalendarMap } from '../../shared/calendar/calendar-entry.ts';
import { CronmeshError, isCronmeshError, type FieldProblem } from '../../shared/errors.ts';
import { isValidName } from '../../shared/job/job-name.ts';
import { summaryOf } from '../../shared/job/zod-problems.ts';
import { isRecord } from '../json-value.ts';
import { unknownCalendars } from './exact-job.ts';

/** What `act` answers; a refusal of `body` names its unknown calendars too. */
export async function tellingAll<T>(
  body: unknown,
  calendars: CalendarMap,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!isCronmeshError(error, 'job-invalid')) throw error;
    const told = new Set(error.problems.map(({ field }) => field));
    const more = unknownIn(body, calendars).filter(({ field }) => !told.has(field));
    if (more.length === 0) throw error;
    const problems = [...error.problems, ...more];
    const message = `The job definition is not valid: ${summaryOf(problems)}`;
    throw new CronmeshError('job-invalid', message, { cause: error, problems });
  }
}

/** Of a body of which nothing is known; names that cannot be any calendar's are told of elsewhere. */
function unknownIn(body: unknown, calendars: CalendarMap): FieldProblem[] {
  const named: unknown = isRecord(body) ? body['calendars'] : undefined;
  if (!Array.isArray(named)) return [];
  const names = named.map((name) => (typeof name === 'string' && isValidName(name) ? name : ''));
  return unknownCalendars(names, calendars).filter(({ got }) => got !== '""');
}
