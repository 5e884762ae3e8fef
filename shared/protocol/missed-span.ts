/**
 * Spans of ticks that did not run, and the `done` records that account for them. One record covers a
 * whole span (from, to], however long, so a year of silence is one row and one put. Ticks that the
 * calendars exclude lie in a missed span like any others, and are counted beside the missed ones.
 */
import type { CalendarMap } from '../calendar/calendar-entry.ts';
import { parseCounted } from '../calendar/counted-text.ts';
import { ticksUnder, type JobTicks } from '../calendar/job-ticks.ts';
import type { Ticks } from '../schedule/schedule.ts';
import type { NotRunValue } from './values.ts';

/** Counting stops here; a longer span is recorded without a count. */
const maxCounted = 10_000;

export interface Span {
  /** Exclusive. */
  readonly fromTick: number;
  /** The newest tick in the span, inclusive. */
  readonly toTick: number;
  /** Of its ticks that might have fired; absent when they are too many to count. */
  readonly count?: number;
  /** Of its ticks that the calendars exclude; 10,000 stands for so many or more. */
  readonly excluded?: number;
}

/** The ticks in (afterMs, untilMs], as one span; undefined when there is none. */
export function missedSpan(ticks: JobTicks, afterMs: number, untilMs: number): Span | undefined {
  const toTick = ticks.base.latest(untilMs, afterMs);
  if (toTick === undefined) return undefined;
  const count = countTicks(ticks.allowed, afterMs, toTick);
  const excluded = ticks.excluded && (countTicks(ticks.excluded, afterMs, toTick) ?? maxCounted);
  return {
    fromTick: afterMs,
    toTick,
    ...(count === undefined ? {} : { count }),
    ...(excluded === undefined || excluded === 0 ? {} : { excluded }),
  };
}

/** How many are in (afterMs, untilMs]; undefined when they are too many to count. */
function countTicks(ticks: Ticks, afterMs: number, untilMs: number): number | undefined {
  let count = 0;
  for (
    let tick = ticks.next(afterMs);
    tick !== undefined && tick <= untilMs;
    tick = ticks.next(tick)
  ) {
    if (++count > maxCounted) return undefined;
  }
  return count;
}

/** The newest `limit` ticks of the span, oldest first. */
export function latestTicks(ticks: Ticks, span: Span, limit: number): number[] {
  const found: number[] = [];
  for (
    let tick = ticks.latest(span.toTick, span.fromTick);
    tick !== undefined && found.length < limit;
    tick = ticks.latest(tick - 1, span.fromTick)
  ) {
    found.unshift(tick);
  }
  return found;
}

interface SpanJob {
  readonly createRevision: number;
  readonly group: string;
}

export interface SpanRecord {
  readonly id: string;
  readonly value: NotRunValue;
}

/** Makes `done` records in the name of whoever puts them (`session` is '' for a master). */
export interface Accountant {
  missed(
    job: SpanJob,
    schedule: string,
    span: Span,
    reason: string,
    nowMs: number,
    /** Ticks in the span that are run later, and so are not missed. */
    excepted?: readonly number[],
  ): SpanRecord;
  /** Of a span whose ticks the calendars exclude, all but the excepted ones. */
  passedOver(
    job: SpanJob,
    schedule: string,
    span: Omit<Span, 'count'>,
    reason: string,
    nowMs: number,
    excepted?: readonly number[],
  ): SpanRecord;
}

export function createAccountant(session: string): Accountant {
  const record = (
    outcome: NotRunValue['outcome'],
    job: SpanJob,
    schedule: string,
    { fromTick, toTick, count, excluded }: Span,
    reason: string,
    nowMs: number,
    excepted: readonly number[],
  ): SpanRecord => ({
    id: `${outcome}-${job.createRevision}-${fromTick}-${toTick}`,
    value: {
      v: 1,
      outcome,
      reason,
      at: nowMs,
      session,
      cause: 'tick',
      group: job.group,
      fromTick,
      toTick,
      ...(count === undefined ? {} : { count }),
      ...(excepted.length === 0 ? {} : { excepted: [...excepted] }),
      ...(excluded === undefined ? {} : { excluded }),
      schedule,
      jobCreate: job.createRevision,
    },
  });
  return {
    missed: (job, schedule, { count, ...span }, reason, nowMs, excepted = []) => {
      const left = count === undefined ? {} : { count: count - excepted.length };
      return record('missed', job, schedule, { ...span, ...left }, reason, nowMs, excepted);
    },
    passedOver: (job, schedule, { excluded, ...span }, reason, nowMs, excepted = []) => {
      const isCounted = excluded !== undefined && excluded < maxCounted;
      const counted = { ...span, ...(isCounted ? { count: excluded } : {}) };
      return record('skipped', job, schedule, counted, reason, nowMs, excepted);
    },
  };
}

/**
 * The record of what a cursor's text counted in (afterMs, untilMs] and nobody ran; undefined when there
 * is none. A calendar that is not there any more, or cannot be read, is taken to have allowed every
 * date: the record is about what did not run.
 */
export function recordOfText(
  accountant: Accountant,
  job: SpanJob,
  text: string,
  calendars: CalendarMap,
  afterMs: number,
  nowMs: number,
  reason: string,
): SpanRecord | undefined {
  const counted = parseCounted(text);
  if (counted === undefined) return undefined;
  const names = counted.calendars.filter((name) => calendars.get(name)?.ok === true);
  const ticks = ticksUnder(counted.schedule, names, calendars);
  const span = missedSpan(ticks, afterMs, nowMs);
  if (span === undefined) return undefined;
  if (span.count !== 0) return accountant.missed(job, text, span, reason, nowMs);
  return accountant.passedOver(job, text, span, exclusionOf(ticks, span), nowMs);
}

/** Why the calendars exclude what they exclude of a span. */
export function exclusionOf(ticks: JobTicks, { fromTick, toTick }: Span): string {
  const first = ticks.excluded?.next(fromTick) ?? toTick;
  return ticks.exclusionIn(first, ticks.excluded?.latest(toTick, fromTick) ?? toTick);
}
