/**
 * The calendars of a simulation as they stand, and whether each account of a tick agrees with them: what
 * ran was allowed, what was passed over was excluded, and a span counts the one and the other. Local
 * dates are worked out by plain arithmetic, without the code that is tested.
 */
import { allowsDate, type PlainCalendar } from '../support/calendar-oracle.ts';
import { earlyBoundMs } from './bounds.ts';
import { parse, root, text } from './commit-changes.ts';
import type { CommitEvent } from './etcd-store.ts';
import type { JobBook, Json } from './job-book.ts';
import type { Counted } from './schedules.ts';
import type { SimTime } from './sim-time.ts';
import type { Violations } from './violations.ts';
import { localDate } from './zoned-ticks.ts';

const folder = `${root}calendars/`;
/** A minute, the slowest rank, and what a clock may be off. */
const tellWithinMs = 65_000;
const editReasons = /^the schedule was changed|^the definition was changed by hand/;
/** Counting stops there. */
const maxCounted = 10_000;

export class CalendarBook {
  #calendars = new Map<string, PlainCalendar | undefined>();
  /** Revisions that people who delete a calendar by the protocol saw it at. */
  readonly #deletions = new Map<string, Set<number>>();
  readonly #time: SimTime;
  readonly #violations: Violations;
  readonly #books: ReadonlyMap<string, JobBook>;
  /** Ticks from here on (true wall time) are told of in time. */
  mustTellFromMs = Infinity;

  constructor(time: SimTime, violations: Violations, books: ReadonlyMap<string, JobBook>) {
    this.#time = time;
    this.#violations = violations;
    this.#books = books;
  }

  /** Somebody is about to delete a calendar that no job used, as it was at this revision. */
  noteDeletion(name: string, seenRevision: number): void {
    const seen = this.#deletions.get(name) ?? new Set();
    this.#deletions.set(name, seen.add(seenRevision));
  }

  backup(): ReadonlyMap<string, PlainCalendar | undefined> {
    return new Map(this.#calendars);
  }

  restore(calendars: ReadonlyMap<string, PlainCalendar | undefined>): void {
    this.#calendars = new Map(calendars);
  }

  apply({ key, kv, previous }: CommitEvent): void {
    if (!key.startsWith(folder)) return;
    const name = key.slice(folder.length);
    if (kv === undefined) {
      this.#calendars.delete(name);
      this.#deleted(name, previous?.modRevision ?? 0);
      return;
    }
    const value = parse(kv.value);
    const base = /^base (\d+)$/.exec(text(value['description']) ?? '')?.[1];
    if (base !== undefined && Number(base) !== (previous?.modRevision ?? 0)) {
      this.#violations.report('an edit replaces only what it saw', `calendar ${name}: saw ${base}`);
    }
    const isWhole = Array.isArray(value['dates']) && value['schemaVersion'] === undefined;
    this.#calendars.set(name, isWhole ? (value as Json & PlainCalendar) : undefined);
  }

  /** Only what was noted is deleted by the protocol; the rest is deleted by hand. */
  #deleted(name: string, revision: number): void {
    const seen = this.#deletions.get(name);
    if (seen === undefined) return;
    if (!seen.has(revision)) {
      this.#violations.report('an edit replaces only what it saw', `calendar ${name} is deleted`);
    }
    for (const book of this.#books.values()) {
      if (book.current?.calendars.includes(name) === true) {
        this.#violations.report(
          'a calendar in use is not deleted',
          `${name}, used by ${book.name}`,
        );
      }
    }
  }

  /** `ticks` are those of a cursor's move that `value` (undefined: a run or a trigger) accounts for. */
  check(book: JobBook, counted: Counted, ticks: readonly number[], value: Json | undefined): void {
    // What ran of it, and what did not, nobody knows any more.
    if (value?.['restored'] === true) return;
    const reason = text(value?.['reason']) ?? '';
    // What nobody ran is told by calendars that are there.
    const isEdit = editReasons.test(reason);
    const allowed = ticks.filter((tick) => this.#allows(counted, tick, isEdit));
    if (reason.startsWith('calendar')) {
      if (allowed.length > 0)
        this.#bad('only excluded dates are passed over', book, allowed, reason);
      this.#checkTimes(book, ticks, value, reason);
      this.#checkCount(book, ticks.length, value?.['count'], 'ticks');
      return;
    }
    const excluded = ticks.length - allowed.length;
    if (value === undefined || value['fireId'] !== undefined) {
      if (excluded > 0) this.#bad('only allowed dates fire', book, ticks, reason);
      return;
    }
    this.#checkCount(book, allowed.length, value['count'], 'missed ones');
    this.#checkCount(book, excluded, value['excluded'] ?? 0, 'excluded ones');
  }

  #checkTimes(book: JobBook, ticks: readonly number[], value: Json | undefined, why: string): void {
    // A person's clock may be anything.
    if (value?.['session'] === '') return;
    const nowMs = this.#time.trueWallMs;
    if (Math.max(...ticks) > nowMs + earlyBoundMs) {
      this.#bad('nothing is passed over before its tick', book, ticks, why);
    }
    if (Math.min(...ticks) >= this.mustTellFromMs && Math.min(...ticks) + tellWithinMs < nowMs) {
      this.#bad('in calm what is passed over is told within a minute', book, ticks, why);
    }
  }

  #checkCount(book: JobBook, expected: number, got: unknown, what: string): void {
    if (
      got === undefined ? expected > maxCounted - 1 : Number(got) === Math.min(expected, maxCounted)
    )
      return;
    const detail = `${Number(got)} ${what}, where ${expected} are due`;
    this.#violations.report('a span counts what it covers', `${book.name}: ${detail}`);
  }

  /** `isLenient`: a calendar that is not there, or says nothing, has nothing against it. */
  #allows({ schedule, calendars }: Counted, tick: number, isLenient: boolean): boolean {
    const date = localDate(schedule.timezone, tick);
    return calendars.every((name) => {
      const calendar = this.#calendars.get(name);
      return calendar === undefined ? isLenient : allowsDate(calendar, date);
    });
  }

  #bad(invariant: string, book: JobBook, ticks: readonly number[], reason: string): void {
    const first = new Date(ticks[0] ?? 0).toISOString();
    const detail = `${ticks.length} from ${first}${reason === '' ? '' : `: ${reason}`}`;
    this.#violations.report(invariant, `${book.name}: ${detail}`);
  }
}
