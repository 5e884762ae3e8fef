/**
 * The next fires of a schedule under calendars, and the ticks that they pass over on the way, as a
 * person should see them before saving.
 */
import { previewTicks } from '../schedule/preview.ts';
import type { PreviewTick, Schedule } from '../schedule/schedule.ts';
import type { CalendarMap } from './calendar-entry.ts';
import { ticksUnder } from './job-ticks.ts';

export interface ExcludedTick {
  readonly tick: number;
  readonly calendar: string;
  readonly reason: string;
}

export interface DatedPreview {
  readonly ticks: readonly PreviewTick[];
  /** Those before the last of `ticks` (or from now on, when none is left), oldest first. */
  readonly excluded: readonly ExcludedTick[];
}

const maxExcluded = 100;

/** The first `count` fires after `afterMs`; fewer when there are no more. */
export function previewUnder(
  schedule: Schedule,
  names: readonly string[],
  calendars: CalendarMap,
  afterMs: number,
  count: number,
): DatedPreview {
  if (names.length === 0) return { ticks: previewTicks(schedule, afterMs, count), excluded: [] };
  const dated = ticksUnder(schedule, names, calendars);
  const { allowed, excluded } = dated;
  const ticks: PreviewTick[] = [];
  let tick = allowed.next(afterMs);
  while (tick !== undefined && ticks.length < count) {
    // Asked of the schedule itself, for it knows what a DST change did to its tick.
    ticks.push(...previewTicks(schedule, tick - 1, 1));
    tick = allowed.next(tick);
  }
  const untilMs = ticks.length === count ? (ticks.at(-1)?.tick ?? afterMs) : Infinity;
  const passed: ExcludedTick[] = [];
  let over = excluded?.next(afterMs);
  while (over !== undefined && over < untilMs && passed.length < maxExcluded) {
    const exclusion = dated.exclusionAt(over);
    if (exclusion !== undefined) {
      passed.push({ tick: over, calendar: exclusion.calendar, reason: exclusion.reason });
    }
    over = excluded?.next(over);
  }
  return { ticks, excluded: passed };
}
