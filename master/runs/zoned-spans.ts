/** A window cut where a zone's offset changes, so that days can be counted at one offset a span. */
import { zoneOffsetMs, zoneTransitions } from '../../shared/schedule/zone.ts';

export interface ZonedSpan {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  /** Minutes east of UTC. */
  readonly offsetMinutes: number;
}

/** Oldest first, without gaps. Throws `schedule-invalid` for an unknown zone. */
export function zonedSpans(zone: string, from: number, to: number): ZonedSpan[] {
  const changes = zoneTransitions(zone, from, to)
    .map(({ atMs }) => atMs)
    .filter((atMs) => atMs > from);
  return [from, ...changes].map((start, index) => ({
    from: start,
    to: changes[index] ?? to,
    // Zones of before 1972 have seconds in their offsets.
    offsetMinutes: Math.round(zoneOffsetMs(zone, start) / 60_000),
  }));
}
