/**
 * Spans of ticks that nobody ran, and the `done` records that account for them. One record covers a
 * whole span (from, to], however long, so a year of silence is one row and one put.
 */
import type { Schedule } from '../schedule/schedule.ts';
import type { NotRunValue } from './values.ts';

/** Counting stops here; a longer span is recorded without a count. */
const maxCounted = 10_000;

export interface Span {
  /** Exclusive. */
  readonly fromTick: number;
  /** The newest tick in the span, inclusive. */
  readonly toTick: number;
  readonly count?: number;
}

/** The ticks of `schedule` in (afterMs, untilMs], as one span; undefined when there is none. */
export function missedSpan(schedule: Schedule, afterMs: number, untilMs: number): Span | undefined {
  const toTick = schedule.latest(untilMs, afterMs);
  if (toTick === undefined) return undefined;
  let count = 0;
  for (
    let tick = schedule.next(afterMs);
    tick !== undefined && tick <= toTick && count <= maxCounted;
    tick = schedule.next(tick)
  ) {
    count++;
  }
  return count > maxCounted ? { fromTick: afterMs, toTick } : { fromTick: afterMs, toTick, count };
}

/** The newest `limit` ticks of the span, oldest first. */
export function latestTicks(schedule: Schedule, span: Span, limit: number): number[] {
  const ticks: number[] = [];
  for (
    let tick: number | undefined = span.toTick;
    tick !== undefined && ticks.length < limit;
    tick = schedule.latest(tick - 1, span.fromTick)
  ) {
    ticks.unshift(tick);
  }
  return ticks;
}

interface SpanJob {
  readonly createRevision: number;
  readonly group: string;
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
  ): { readonly id: string; readonly value: NotRunValue };
}

export function createAccountant(session: string): Accountant {
  return {
    missed: (job, schedule, span, reason, nowMs, excepted = []) => ({
      id: `missed-${job.createRevision}-${span.fromTick}-${span.toTick}`,
      value: {
        v: 1,
        outcome: 'missed',
        reason,
        at: nowMs,
        session,
        cause: 'tick',
        group: job.group,
        fromTick: span.fromTick,
        toTick: span.toTick,
        ...(span.count === undefined ? {} : { count: span.count - excepted.length }),
        ...(excepted.length === 0 ? {} : { excepted: [...excepted] }),
        schedule,
        jobCreate: job.createRevision,
      },
    }),
  };
}
