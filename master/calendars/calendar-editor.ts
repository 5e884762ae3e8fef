/**
 * Edits of calendars, guarded by the calendar exactly as it was read for it. A deletion is guarded by
 * every definition of a job as well: none may have come to name the calendar since it was seen that
 * none does. A lost reply is settled by reading again: either the calendar is ours by now, or the
 * same guarded transaction may be sent once more.
 */
import { readCalendarEntry, type CalendarEntry } from '../../shared/calendar/calendar-entry.ts';
import type { Calendar } from '../../shared/calendar/definition.ts';
import { CronmeshError, isCronmeshError } from '../../shared/errors.ts';
import type { EtcdKv, OpResult, Txn } from '../../shared/etcd/port.ts';
import { deleteCalendar, putCalendar } from '../../shared/protocol/calendars.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import { requireHolds, type Precondition } from '../http/preconditions.ts';
import type { MeshLink } from '../live/mesh-link.ts';
import { calendarText } from './calendar-text.ts';
import type { CalendarUses } from './calendar-uses.ts';

const maxAttempts = 10;
const maxReads = 2;
const readTimeoutMs = 2_000;
/** So many of the jobs that use a calendar are named in a refusal. */
const namedJobs = 10;

export interface SavedCalendar {
  readonly calendar: Calendar;
  readonly revision: number;
  readonly result: 'created' | 'replaced' | 'unchanged';
}

interface Done {
  readonly revision: number;
  readonly result: SavedCalendar['result'];
}

export class CalendarEditor {
  readonly #etcd: EtcdKv;
  readonly #keys: Keys;
  readonly #link: MeshLink;
  readonly #uses: CalendarUses;

  constructor(etcd: EtcdKv, keys: Keys, link: MeshLink, uses: CalendarUses) {
    this.#etcd = etcd;
    this.#keys = keys;
    this.#link = link;
    this.#uses = uses;
  }

  /** Creates or replaces. Throws `precondition-failed`. */
  async put(calendar: Calendar, precondition: Precondition): Promise<SavedCalendar> {
    const done = await this.#edit(calendar.name, precondition, calendarText(calendar));
    return { calendar, ...done };
  }

  /**
   * Throws `not-found`, `precondition-failed`, or `conflict` while a job uses it. Answers the revision
   * of the deletion.
   */
  async delete(name: string, precondition: Precondition): Promise<number> {
    this.#link.requireSynced();
    return (await this.#edit(name, precondition, undefined)).revision;
  }

  /** Reads from etcd itself, not from the view. Throws `etcd-unavailable`. */
  async read(name: string): Promise<CalendarEntry | undefined> {
    const get = { get: { key: this.#keys.calendar(name) } };
    for (let attempt = 1; ; attempt++) {
      try {
        const read = { compare: [], success: [get], failure: [] };
        const { results } = await this.#etcd.txn(read, { timeoutMs: readTimeoutMs });
        return entryOf(name, results);
      } catch (error) {
        // A read has no effect that could be in doubt.
        if (!isCronmeshError(error, 'unknown-result')) throw error;
        if (attempt < maxReads) continue;
        throw new CronmeshError('etcd-unavailable', error.message, { cause: error });
      }
    }
  }

  /** `text` undefined deletes it. Throws `conflict` for a deletion when a job of the view names it. */
  async #edit(name: string, precondition: Precondition, text: string | undefined): Promise<Done> {
    let seen = await this.read(name);
    /** Base revision of an attempt whose reply was lost. */
    let inDoubt: number | undefined;
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      const base = seen?.modRevision ?? 0;
      if (inDoubt !== undefined && inDoubt !== base) {
        const settled = settledEdit(seen, text);
        if (settled !== undefined) return settled;
        inDoubt = undefined;
      }
      if (seen === undefined && precondition.kind !== 'absent' && text === undefined) {
        throw calendarNotFound(name);
      }
      requireHolds(precondition, base, 'calendar');
      if (text !== undefined && seen?.ok === true && calendarText(seen.calendar) === text) {
        return { revision: base, result: 'unchanged' };
      }
      const result = base === 0 ? 'created' : 'replaced';
      try {
        const done = await this.#etcd.txn(this.#transaction(name, base, text));
        if (done.succeeded) return { revision: done.revision, result };
        seen = entryOf(name, done.results);
        if (text === undefined) await this.#link.caughtUp(done.revision);
      } catch (error) {
        if (!isCronmeshError(error, 'unknown-result')) throw error;
        inDoubt = base;
        seen = await this.#readInDoubt(name, error);
      }
    }
    throw new CronmeshError(
      'busy',
      `Jobs were edited again and again while ${name} was being deleted; nothing was changed`,
    );
  }

  #transaction(name: string, base: number, text: string | undefined): Txn {
    const edit = { keys: this.#keys, name, modRevision: base };
    if (text !== undefined) return putCalendar({ ...edit, definition: text });
    const count = this.#uses.countOf(name);
    if (count > 0) throw inUse(name, count, this.#uses.jobsOf(name, namedJobs));
    return deleteCalendar({ ...edit, jobsKnownTo: this.#link.view.revision });
  }

  /** Whoever asked must not take "unavailable" for "nothing was done". */
  async #readInDoubt(name: string, doubt: CronmeshError): Promise<CalendarEntry | undefined> {
    try {
      return await this.read(name);
    } catch (error) {
      throw new CronmeshError(
        'unknown-result',
        `etcd did not say whether the edit of ${name} was made; read the calendar again`,
        { cause: new AggregateError([doubt, error]) },
      );
    }
  }
}

export function calendarNotFound(name: string): CronmeshError {
  return new CronmeshError('not-found', `There is no calendar named ${JSON.stringify(name)}`);
}

function inUse(name: string, count: number, jobs: readonly string[]): CronmeshError {
  const more = count > jobs.length ? ` and ${count - jobs.length} more` : '';
  const some = `${jobs.join(', ')}${more}`;
  return new CronmeshError(
    'conflict',
    `${name} is used by ${count === 1 ? '1 job' : `${count} jobs`}: ${some}`,
    {
      problems: [
        { field: 'name', message: 'is in use', expected: 'a calendar no job uses', got: some },
      ],
    },
  );
}

/** The result of an attempt in doubt, when what stands now is what it meant to put. */
function settledEdit(entry: CalendarEntry | undefined, text: string | undefined): Done | undefined {
  if (text === undefined) {
    return entry === undefined ? { revision: 0, result: 'replaced' } : undefined;
  }
  if (entry?.ok !== true || calendarText(entry.calendar) !== text) return undefined;
  const isNew = entry.createRevision === entry.modRevision;
  return { revision: entry.modRevision, result: isNew ? 'created' : 'replaced' };
}

function entryOf(name: string, [result]: readonly OpResult[]): CalendarEntry | undefined {
  const kv = result?.kind === 'get' ? result.kvs[0] : undefined;
  return kv && readCalendarEntry(name, kv);
}
