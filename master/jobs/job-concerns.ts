/** Why a job cannot do its work until somebody looks at it, in words: its calendars, or keys in etcd. */
import { unreadableText } from '../../shared/mesh/unreadable.ts';
import type { JobParts, MeshView } from '../../shared/mesh/view.ts';
import { isCounting } from '../../shared/protocol/cursor.ts';
import { calendarConcerns, isStopped } from '../calendars/calendar-concerns.ts';
import type { JobWithEntry } from './job-index.ts';

/** Clocks of one fleet differ by less. */
const aheadMs = 60_000;

export function jobConcerns(view: MeshView, parts: JobWithEntry, nowMs: number): string[] {
  return [
    ...calendarConcerns(parts.entry, view.snapshot.calendars, nowMs),
    ...keyConcerns(parts, nowMs),
  ];
}

export function needsAttention(view: MeshView, parts: JobWithEntry, nowMs: number): boolean {
  return hasSuspectKeys(parts, nowMs) || isStopped(parts.entry, view.snapshot.calendars);
}

/** Whether keys of it cannot be read, or its cursor stands in the future. */
export function hasSuspectKeys(
  parts: Pick<JobParts, 'unreadable' | 'cursor'>,
  nowMs: number,
): boolean {
  const { fire, trigger } = parts.unreadable;
  return fire.size + trigger.size > 0 || isAhead(countedTo(parts), nowMs);
}

/** The tick up to which everything is settled; undefined while none is counted. */
export function countedTo({ cursor }: Pick<JobWithEntry, 'cursor'>): number | undefined {
  const read = cursor?.cursor;
  return read !== undefined && isCounting(read) ? read.tick : undefined;
}

function keyConcerns(parts: JobWithEntry, nowMs: number): string[] {
  const { fire, trigger } = parts.unreadable;
  const tick = countedTo(parts);
  return [
    ...[...fire.values()].map((key) => `a run may be open: ${unreadableText(key)}`),
    ...[...trigger.values()].map((key) => `a fire waits: ${unreadableText(key)}`),
    ...(tick !== undefined && isAhead(tick, nowMs)
      ? [`nothing fires before ${timeText(tick)}: its cursor in etcd stands there`]
      : []),
  ];
}

function isAhead(tick: number | undefined, nowMs: number): boolean {
  return tick !== undefined && tick > nowMs + aheadMs;
}

/** A cursor may be put beyond what a date can say. */
function timeText(tick: number): string {
  return tick <= 8.64e15 ? new Date(tick).toISOString() : `${tick} ms after 1970`;
}
