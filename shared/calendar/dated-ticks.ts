/**
 * The ticks of a schedule that fall on some dates only, local dates in a zone. Dates are laid over the
 * zone's segments of constant offset, so that a day that a zone skips, repeats or cuts in two is what
 * its clocks say; whole stretches of other dates are jumped over, and never walked tick by tick.
 */
import type { Ticks } from '../schedule/schedule.ts';
import type { Zone } from '../schedule/zone.ts';
import { dayMs, type DateSet } from './date-set.ts';

/** No zone is further from UTC, and none ever set its clocks back by more. */
const slackMs = 2 * dayMs;
/** A distance over which it pays to pass by the segments between instead of reading each. */
const leapMs = 400 * dayMs;
/** 3 January 2100: after every local time of 2099. */
const latestMs = Date.UTC(2100, 0, 3);

export class DatedTicks implements Ticks {
  readonly #base: Ticks;
  readonly #dates: DateSet;
  readonly #zone: Zone;
  /** Nearly every question is for the tick after the same cursor: nothing lies in (after, next). */
  #after = Infinity;
  #next: number | undefined;

  constructor(base: Ticks, dates: DateSet, zone: Zone) {
    this.#base = base;
    this.#dates = dates;
    this.#zone = zone;
  }

  next(afterMs: number): number | undefined {
    if (afterMs >= this.#after && afterMs < (this.#next ?? Infinity)) return this.#next;
    const next = this.#findNext(afterMs);
    this.#after = afterMs;
    this.#next = next;
    return next;
  }

  #findNext(afterMs: number): number | undefined {
    let tick = this.#base.next(afterMs);
    while (tick !== undefined) {
      const openMs = firstInstantOn(this.#dates, this.#zone, tick);
      if (openMs === undefined || openMs === tick) return openMs;
      tick = this.#base.next(openMs - 1);
    }
    return undefined;
  }

  latest(atMs: number, floorMs: number): number | undefined {
    let tick = this.#base.latest(atMs, floorMs);
    while (tick !== undefined) {
      const openMs = lastInstantOn(this.#dates, this.#zone, tick, floorMs);
      if (openMs === undefined || openMs === tick) return openMs;
      tick = this.#base.latest(openMs, floorMs);
    }
    return undefined;
  }
}

export function localDay(zone: Zone, atMs: number): number {
  return Math.floor((atMs + zone.segmentAt(atMs).offsetMs) / dayMs);
}

/** The first instant from `fromMs` on whose local date is in the set. */
function firstInstantOn(dates: DateSet, zone: Zone, fromMs: number): number | undefined {
  let at = fromMs;
  while (at < latestMs) {
    const { endMs, offsetMs } = zone.segmentAt(at);
    const local = at + offsetMs;
    const day = dates.next(Math.floor(local / dayMs));
    const found = Math.max(local, day * dayMs);
    if (found < endMs + offsetMs) return found - offsetMs;
    at = endMs;
    // No such date at all up to `found`, even if the clocks are set back on the way: go near it.
    if (found - local > leapMs && dates.next(Math.floor((local - slackMs) / dayMs)) === day) {
      at = Math.max(at, found - slackMs);
    }
  }
  return undefined;
}

/** The last whole second up to `toMs`, but after `floorMs`, whose local date is in the set. */
function lastInstantOn(
  dates: DateSet,
  zone: Zone,
  toMs: number,
  floorMs: number,
): number | undefined {
  let at = Math.min(toMs, latestMs);
  while (at > floorMs) {
    const { startMs, offsetMs } = zone.segmentAt(at);
    const local = at + offsetMs;
    const day = dates.last(Math.floor(local / dayMs));
    const found = Math.min(local, (day + 1) * dayMs - 1000);
    if (found >= startMs + offsetMs) {
      const instant = found - offsetMs;
      return instant > floorMs ? instant : undefined;
    }
    at = startMs - 1000;
    if (local - found > leapMs && dates.last(Math.floor((local + slackMs) / dayMs)) === day) {
      at = Math.min(at, found + slackMs);
    }
  }
  return undefined;
}
