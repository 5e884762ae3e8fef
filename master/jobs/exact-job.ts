/**
 * A job as an edit needs it: definition, cursor and calendars of one revision, read from etcd itself;
 * and which calendars these must be.
 */
import {
  readCalendarEntry,
  type CalendarEntry,
  type CalendarMap,
} from '../../shared/calendar/calendar-entry.ts';
import { calendarsIn } from '../../shared/calendar/counted-text.ts';
import { CronmeshError, renderGot, type FieldProblem } from '../../shared/errors.ts';
import type { KeyValue, Op, OpResult } from '../../shared/etcd/port.ts';
import type { Job } from '../../shared/job/definition.ts';
import { readJobEntry, type JobEntry } from '../../shared/mesh/job-entry.ts';
import { parseCursor } from '../../shared/protocol/cursor.ts';
import type { Keys } from '../../shared/protocol/keys.ts';

/** A job as it stands in etcd, with the cursor and the calendars of the same revision. */
export interface ExactJob {
  readonly entry: JobEntry | undefined;
  readonly cursorRaw: string | undefined;
  /** Those that were asked for; undefined for one that is not there. */
  readonly calendars: CalendarMap;
}

/** What is read; its results, in this order, are what exactJob takes. */
export function exactJobGets(keys: Keys, name: string, calendars: readonly string[]): Op[] {
  return [keys.job(name), keys.cursor(name), ...calendars.map((each) => keys.calendar(each))].map(
    (key) => ({ get: { key } }),
  );
}

export function exactJob(
  name: string,
  calendars: readonly string[],
  [job, cursor, ...others]: readonly OpResult[],
): ExactJob {
  const definition = firstOf(job);
  const found = calendars.map((calendar, index): [string, CalendarEntry | undefined] => {
    const kv = firstOf(others[index]);
    return [calendar, kv && readCalendarEntry(calendar, kv)];
  });
  return {
    entry: definition === undefined ? undefined : readJobEntry(name, definition),
    cursorRaw: firstOf(cursor)?.value.toString(),
    calendars: new Map(found),
  };
}

/** Those that the edit is about: what the cursor was counted under, and what it will be. */
export function calendarsOf({ cursorRaw }: ExactJob, job: Job | undefined): string[] {
  const counted = cursorRaw === undefined ? undefined : parseCursor(cursorRaw)?.schedule;
  return [...new Set([...calendarsIn(counted ?? ''), ...(job?.calendars ?? [])])];
}

/** Throws `job-invalid` for calendars of the job that are not there. */
export function requireCalendars(job: Job, calendars: CalendarMap): void {
  const problems = unknownCalendars(job.calendars, calendars);
  if (problems.length === 0) return;
  const names = problems.map(({ got }) => got).join(', ');
  throw new CronmeshError('job-invalid', `There is no calendar ${names}`, { problems });
}

/** One problem for each name that is no calendar, by its place in `/calendars`. */
export function unknownCalendars(names: readonly string[], calendars: CalendarMap): FieldProblem[] {
  return names.flatMap((name, index) =>
    calendars.get(name) === undefined
      ? [
          {
            field: `/calendars/${index}`,
            message: 'does not exist',
            expected: 'the name of a calendar that is there',
            got: renderGot(name),
          },
        ]
      : [],
  );
}

function firstOf(result: OpResult | undefined): KeyValue | undefined {
  return result?.kind === 'get' ? result.kvs[0] : undefined;
}
