/**
 * Edits of definitions, by the transaction of the protocol: guarded by the definition, the cursor and
 * the calendars exactly as they were read for it. A cursor that moved meanwhile (the job fired) is
 * read again and the edit repeated; a definition that moved is somebody else's edit and refuses this
 * one. A lost reply is settled by reading again: either the definition is ours by now, or the same
 * guarded transaction may be sent once more.
 */
import type { CalendarMap } from '../../shared/calendar/calendar-entry.ts';
import type { Clock } from '../../shared/clock.ts';
import { CronmeshError, isCronmeshError } from '../../shared/errors.ts';
import type { EtcdKv } from '../../shared/etcd/port.ts';
import type { Job } from '../../shared/job/definition.ts';
import { scheduleTextOf, type JobEntry } from '../../shared/mesh/job-entry.ts';
import { editJob } from '../../shared/protocol/edit.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import { createAccountant } from '../../shared/protocol/missed-span.ts';
import { parseSchedule } from '../../shared/schedule/parse-schedule.ts';
import { requireHolds, type Precondition } from '../http/preconditions.ts';
import { definitionText } from './definition-text.ts';
import {
  calendarsOf,
  exactJob,
  exactJobGets,
  requireCalendars,
  type ExactJob,
} from './exact-job.ts';

const maxAttempts = 20;
const maxReads = 2;
const readTimeoutMs = 2_000;

export interface SavedEdit {
  readonly job: Job;
  readonly revision: number;
  readonly result: 'created' | 'replaced' | 'unchanged';
}

/** What an edit makes of the job it finds; undefined deletes it. Throws to refuse. */
type Change = (found: JobEntry | undefined) => Job | undefined;

/** Throws to refuse a job for what its calendars are. */
type Check = (job: Job, calendars: CalendarMap) => void;

export class JobEditor {
  readonly #etcd: EtcdKv;
  readonly #keys: Keys;
  readonly #clock: Clock;
  // A master has no session: whoever is alive takes its records to a spool.
  readonly #accountant = createAccountant('');

  constructor(etcd: EtcdKv, keys: Keys, clock: Clock) {
    this.#etcd = etcd;
    this.#keys = keys;
    this.#clock = clock;
  }

  /**
   * Creates or replaces. Throws `precondition-failed`, or `job-invalid` for dates all in the past and
   * for calendars that are not there.
   */
  async put(job: Job, precondition: Precondition): Promise<SavedEdit> {
    const change = (found: JobEntry | undefined): Job => {
      const isSameSchedule =
        found?.ok === true &&
        found.job.cronExpr === job.cronExpr &&
        found.job.timezone === job.timezone;
      if (!isSameSchedule) this.requireFuture(job);
      return job;
    };
    return this.#save(job.name, precondition, change, requireCalendars);
  }

  /** Throws `not-found`, `precondition-failed`, or `conflict` for a quarantined definition. */
  async setEnabled(name: string, enabled: boolean, precondition: Precondition): Promise<SavedEdit> {
    return this.#save(name, precondition, (found) => {
      if (found === undefined) throw jobNotFound(name);
      return { ...requireValid(found), enabled };
    });
  }

  /** Throws `not-found` or `precondition-failed`. Answers the revision of the deletion. */
  async delete(name: string, precondition: Precondition): Promise<number> {
    const { revision } = await this.#edit(name, precondition, (found) => {
      if (found === undefined) throw jobNotFound(name);
      return undefined;
    });
    return revision;
  }

  /** Reads from etcd itself, not from the view. Throws `etcd-unavailable`. */
  async read(name: string, calendars: readonly string[] = []): Promise<ExactJob> {
    const gets = exactJobGets(this.#keys, name, calendars);
    for (let attempt = 1; ; attempt++) {
      try {
        const read = { compare: [], success: gets, failure: [] };
        const { results } = await this.#etcd.txn(read, { timeoutMs: readTimeoutMs });
        return exactJob(name, calendars, results);
      } catch (error) {
        // A read has no effect that could be in doubt.
        if (!isCronmeshError(error, 'unknown-result')) throw error;
        if (attempt < maxReads) continue;
        throw new CronmeshError('etcd-unavailable', error.message, { cause: error });
      }
    }
  }

  /** Refuses a schedule that will never fire again: a person who enters one made a slip. */
  requireFuture(job: Job): void {
    try {
      parseSchedule(job.cronExpr, job.timezone, { afterMs: this.#clock.wallMs() });
    } catch (error) {
      if (!isCronmeshError(error, 'schedule-invalid')) throw error;
      const { message, problems } = error;
      throw new CronmeshError('job-invalid', message, { cause: error, problems });
    }
  }

  async #save(
    name: string,
    precondition: Precondition,
    change: Change,
    check?: Check,
  ): Promise<SavedEdit> {
    const { job, ...edit } = await this.#edit(name, precondition, change, check);
    if (job === undefined) throw new Error('an edit that saves answered none');
    return { job, ...edit };
  }

  async #edit(
    name: string,
    precondition: Precondition,
    change: Change,
    check: Check = () => undefined,
  ): Promise<{ job: Job | undefined; revision: number; result: SavedEdit['result'] }> {
    let seen = await this.read(name);
    /** Text and base revision of an attempt whose reply was lost. */
    let inDoubt: { readonly text: string | undefined; readonly base: number } | undefined;
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      const { entry } = seen;
      const base = entry?.modRevision ?? 0;
      if (inDoubt !== undefined && inDoubt.base !== base) {
        const settled = settledEdit(entry, inDoubt.text);
        if (settled !== undefined) return settled;
        inDoubt = undefined;
      }
      const job = changeOf(change, entry, precondition);
      if (job !== undefined && isUnchanged(entry, job)) {
        return { job, revision: base, result: 'unchanged' };
      }
      const calendars = calendarsOf(seen, job);
      if (!calendars.every((calendar) => seen.calendars.has(calendar))) {
        seen = await this.read(name, calendars);
        continue;
      }
      if (job !== undefined) check(job, seen.calendars);
      const text = job && definitionText(job);
      const result = base === 0 ? 'created' : 'replaced';
      try {
        const done = await this.#etcd.txn(this.#transaction(name, seen, job, text));
        if (done.succeeded) return { job, revision: done.revision, result };
        seen = exactJob(name, [...seen.calendars.keys()], done.results);
      } catch (error) {
        if (!isCronmeshError(error, 'unknown-result')) throw error;
        inDoubt = { text, base };
        seen = await this.#readInDoubt(name, calendars, error);
      }
    }
    throw new CronmeshError(
      'busy',
      `${name} fired again and again while it was being edited; nothing was changed`,
    );
  }

  /** Whoever asked must not take "unavailable" for "nothing was done". */
  async #readInDoubt(
    name: string,
    calendars: readonly string[],
    doubt: CronmeshError,
  ): Promise<ExactJob> {
    try {
      return await this.read(name, calendars);
    } catch (error) {
      throw new CronmeshError(
        'unknown-result',
        `etcd did not say whether the edit of ${name} was made; read the job again`,
        { cause: new AggregateError([doubt, error]) },
      );
    }
  }

  #transaction(
    name: string,
    { entry, cursorRaw, calendars }: ExactJob,
    job: Job | undefined,
    text: string | undefined,
  ) {
    return editJob({
      keys: this.#keys,
      seen: {
        name,
        modRevision: entry?.modRevision ?? 0,
        createRevision: entry?.createRevision ?? 0,
        group: entry?.ok === true ? entry.job.group : 'default',
        cursorRaw,
      },
      definition: text,
      schedule: job === undefined ? '' : scheduleTextOf(entryOf(job)),
      calendars,
      nowMs: this.#clock.wallMs(),
      accountant: this.#accountant,
    });
  }
}

export function jobNotFound(name: string): CronmeshError {
  return new CronmeshError('not-found', `There is no job named ${JSON.stringify(name)}`);
}

/** The definition of a job that is not quarantined; throws `conflict` for one that is. */
export function requireValid(entry: JobEntry): Job {
  if (entry.ok) return entry.job;
  throw new CronmeshError(
    'conflict',
    `${entry.name} is quarantined: its definition in etcd is not valid. Replace or delete it.`,
    { problems: entry.problems },
  );
}

function changeOf(
  change: Change,
  entry: JobEntry | undefined,
  precondition: Precondition,
): Job | undefined {
  // Pausing or deleting what is not there is "not found", whatever was seen of it before.
  if (entry === undefined && precondition.kind !== 'absent') change(undefined);
  requireHolds(precondition, entry?.modRevision ?? 0, 'job');
  return change(entry);
}

function isUnchanged(entry: JobEntry | undefined, job: Job): boolean {
  return entry?.ok === true && definitionText(entry.job) === definitionText(job);
}

/** The result of an attempt in doubt, when what stands now is what it meant to put. */
function settledEdit(
  entry: JobEntry | undefined,
  text: string | undefined,
): { job: Job | undefined; revision: number; result: SavedEdit['result'] } | undefined {
  if (text === undefined) {
    return entry === undefined ? { job: undefined, revision: 0, result: 'replaced' } : undefined;
  }
  if (entry?.ok !== true || definitionText(entry.job) !== text) return undefined;
  const isNew = entry.createRevision === entry.modRevision;
  return { job: entry.job, revision: entry.modRevision, result: isNew ? 'created' : 'replaced' };
}

/** An entry of a definition that is not stored yet, for what it will schedule. */
function entryOf(job: Job): JobEntry {
  return {
    name: job.name,
    createRevision: 0,
    modRevision: 0,
    ok: true,
    job,
    schedule: parseSchedule(job.cronExpr, job.timezone),
  };
}
