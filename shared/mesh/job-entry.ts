/**
 * One job as a process sees it: its definition (or what is wrong with it), parsed once per revision,
 * with its schedule.
 */
import type { CalendarEntry, CalendarMap } from '../calendar/calendar-entry.ts';
import { encodeCounted } from '../calendar/counted-text.ts';
import { plainTicks, ticksUnder, type JobTicks } from '../calendar/job-ticks.ts';
import type { KeyValue } from '../etcd/port.ts';
import type { FieldProblem } from '../errors.ts';
import type { Job } from '../job/definition.ts';
import { parseStoredJob } from '../job/parse-job.ts';
import { pausedSchedule } from '../protocol/cursor.ts';
import { parseSchedule } from '../schedule/parse-schedule.ts';
import type { Schedule } from '../schedule/schedule.ts';

interface Revisions {
  readonly name: string;
  readonly createRevision: number;
  readonly modRevision: number;
}

export type JobEntry = Revisions &
  (
    | { readonly ok: true; readonly job: Job; readonly schedule: Schedule }
    | {
        readonly ok: false;
        readonly newer: boolean;
        readonly problems: readonly FieldProblem[];
        readonly raw: Buffer;
      }
  );

export function readJobEntry(name: string, kv: KeyValue): JobEntry {
  const { createRevision, modRevision } = kv;
  const parsed = parseStoredJob(name, kv.value);
  if (!parsed.ok) {
    // A copy: it is a piece of a whole page of keys.
    return { name, createRevision, modRevision, ...parsed, raw: Buffer.from(kv.value) };
  }
  const { job } = parsed;
  const schedule = parseSchedule(job.cronExpr, job.timezone);
  return { name, createRevision, modRevision, ok: true, job, schedule };
}

/** What the job's cursor must say it counts: schedule and calendars, or `-` when nothing is due. */
export function scheduleTextOf(entry: JobEntry): string {
  if (!entry.ok || !entry.job.enabled) return pausedSchedule;
  return encodeCounted(entry.schedule, entry.job.calendars);
}

interface KnownTicks {
  /** The job's calendars as they stood. */
  readonly seen: readonly (CalendarEntry | undefined)[];
  readonly ticks: JobTicks;
}

const known = new WeakMap<JobEntry, KnownTicks>();

/** The ticks of a job as its calendars stand; remembered for as long as they do. */
export function ticksOf(entry: JobEntry & { ok: true }, calendars: CalendarMap): JobTicks {
  const names = entry.job.calendars;
  if (names.length === 0) return plainTicks(entry.schedule);
  const former = known.get(entry);
  if (former?.seen.every((seen, index) => seen === calendars.get(names[index] ?? ''))) {
    return former.ticks;
  }
  const ticks = ticksUnder(entry.schedule, names, calendars);
  known.set(entry, { seen: names.map((name) => calendars.get(name)), ticks });
  return ticks;
}
