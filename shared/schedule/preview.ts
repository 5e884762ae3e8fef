/**
 * The next fires of a schedule as a person should see them before saving it: with a note where a
 * DST change moved one or kept one from coming twice.
 */
import { CronSchedule } from './cron-schedule.ts';
import type { PreviewTick, Schedule } from './schedule.ts';

/** The first `count` ticks after `afterMs`; fewer when the schedule ends. */
export function previewTicks(schedule: Schedule, afterMs: number, count: number): PreviewTick[] {
  const ticks: PreviewTick[] = [];
  let tick = schedule.next(afterMs);
  while (tick !== undefined && ticks.length < count) {
    const note = schedule instanceof CronSchedule ? schedule.dstNote(tick) : undefined;
    ticks.push(note === undefined ? { tick } : { tick, note });
    tick = schedule.next(tick);
  }
  return ticks;
}
