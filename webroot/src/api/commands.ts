/** Every write of the console. A revision is the ETag the person was looking at. */
import type { CalendarInput } from '../../../shared/calendar/definition.ts';
import type { JobInput } from '../../../shared/job/definition.ts';
import { randomId } from '../random-id.ts';
import { request } from './client.ts';
import type { DryRun, KillOrder, OrderAnswer, SavedCalendar, SavedJob } from './shapes.ts';

const jobPath = (name: string): string => `/jobs/${encodeURIComponent(name)}`;
const ifMatch = (revision: number): Record<string, string> => ({ 'if-match': `"${revision}"` });

export interface Triggered {
  readonly triggerId: string;
  readonly expiresAt: number;
}

/** Asks for one run now; the key makes a re-sent request harmless. */
export function runJobNow(name: string): Promise<Triggered> {
  const headers = { 'idempotency-key': randomId() };
  return request(`${jobPath(name)}/run`, { method: 'POST', body: {}, headers });
}

export function pauseJob(name: string, revision: number): Promise<SavedJob> {
  return request(`${jobPath(name)}/pause`, { method: 'POST', headers: ifMatch(revision) });
}

export function resumeJob(name: string, revision: number): Promise<SavedJob> {
  return request(`${jobPath(name)}/resume`, { method: 'POST', headers: ifMatch(revision) });
}

export function deleteJob(name: string, revision: number): Promise<void> {
  return request(jobPath(name), { method: 'DELETE', headers: ifMatch(revision) });
}

/** Every open run of a job, or one run. */
export type KillTarget = { readonly job: string } | { readonly runId: string };

function killPath(target: KillTarget): string {
  if ('job' in target) return `${jobPath(target.job)}/kill`;
  return `/runs/${encodeURIComponent(target.runId)}/kill`;
}

export function orderKill(target: KillTarget): Promise<KillOrder> {
  return request(killPath(target), { method: 'POST', body: {} });
}

/** What became of the last order against it; refused with 404 when none stands any more. */
export function askKill(target: KillTarget): Promise<OrderAnswer> {
  return request(killPath(target));
}

/** Without a revision the job must not exist yet; else it must still be that revision. */
export function saveJob(
  name: string,
  job: JobInput,
  revision: number | undefined,
): Promise<SavedJob> {
  return request(jobPath(name), { method: 'PUT', body: job, headers: condition(revision) });
}

/** As `saveJob`, but nothing is written: what would change, or what is wrong. */
export function tryJob(
  name: string,
  job: JobInput,
  revision: number | undefined,
  signal: AbortSignal,
): Promise<DryRun> {
  const headers = condition(revision);
  return request(`${jobPath(name)}?dryRun=true`, { method: 'PUT', body: job, headers, signal });
}

const calendarPath = (name: string): string => `/calendars/${encodeURIComponent(name)}`;

/** Without a revision the calendar must not exist yet; else it must still be that revision. */
export function saveCalendar(
  calendar: CalendarInput,
  revision: number | undefined,
): Promise<SavedCalendar> {
  const headers = condition(revision);
  return request(calendarPath(calendar.name), { method: 'PUT', body: calendar, headers });
}

export function deleteCalendar(name: string, revision: number): Promise<void> {
  return request(calendarPath(name), { method: 'DELETE', headers: ifMatch(revision) });
}

function condition(revision: number | undefined): Record<string, string> {
  return revision === undefined ? { 'if-none-match': '*' } : ifMatch(revision);
}
