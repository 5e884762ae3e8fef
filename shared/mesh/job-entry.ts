/**
 * One job as a process sees it: its definition (or what is wrong with it), parsed once per revision,
 * with its schedule.
 */
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
  const revisions = { name, createRevision: kv.createRevision, modRevision: kv.modRevision };
  const parsed = parseStoredJob(name, kv.value);
  if (!parsed.ok) return { ...revisions, ...parsed, raw: kv.value };
  const { job } = parsed;
  return { ...revisions, ok: true, job, schedule: parseSchedule(job.cronExpr, job.timezone) };
}

/** What the job's cursor must say it counts: the canonical schedule, or `-` when nothing is due. */
export function scheduleTextOf(entry: JobEntry): string {
  return entry.ok && entry.job.enabled ? entry.schedule.canonical : pausedSchedule;
}
