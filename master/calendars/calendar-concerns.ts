/** Why calendars keep a job from firing at all, in words: such a job needs somebody to look at it. */
import type { CalendarMap } from '../../shared/calendar/calendar-entry.ts';
import { ticksOf, type JobEntry } from '../../shared/mesh/job-entry.ts';

/** Whether a calendar of the job is not there or cannot be read, so that every fire is skipped. */
export function isStopped(entry: JobEntry, calendars: CalendarMap): boolean {
  return entry.ok && entry.job.calendars.some((name) => calendars.get(name)?.ok !== true);
}

/** One reason for each such calendar; or that together they leave no fire. */
export function calendarConcerns(entry: JobEntry, calendars: CalendarMap, nowMs: number): string[] {
  if (!entry.ok || entry.job.calendars.length === 0) return [];
  const broken = entry.job.calendars.flatMap((name) => {
    const problem = problemOf(name, calendars);
    return problem === undefined ? [] : [`calendar "${name}" ${problem}`];
  });
  if (broken.length > 0) return broken;
  const { base, allowed } = ticksOf(entry, calendars);
  const isLeftNone = allowed.next(nowMs) === undefined && base.next(nowMs) !== undefined;
  return isLeftNone ? ['its calendars allow none of its fires'] : [];
}

function problemOf(name: string, calendars: CalendarMap): string | undefined {
  const calendar = calendars.get(name);
  if (calendar === undefined) return 'does not exist';
  if (calendar.ok) return undefined;
  return calendar.newer ? 'is of a newer version' : 'is not valid';
}
