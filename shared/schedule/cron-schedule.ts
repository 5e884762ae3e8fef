/**
 * The ticks of a cron expression in a zone: local matches laid over the zone's segments of constant
 * offset. Vixie's rule decides what happens where segments meet:
 * - interval: every instant whose local time matches; so nothing in a gap, twice in a doubled hour;
 * - fixed: a local match that comes twice counts the first time only; all matches that a gap
 *   swallows make one tick, at the first instant after the gap.
 */
import type { CronSpec } from './cron-spec.ts';
import { firstMatchFrom, lastMatchTo } from './local-calendar.ts';
import type { DstNote, Schedule } from './schedule.ts';
import type { Zone, ZoneSegment } from './zone.ts';

const dayMs = 86_400_000;
/** No zone is further from UTC, and none ever set its clocks back by more. */
const slackMs = 2 * dayMs;
/** A distance over which it pays to pass by the segments between instead of reading each. */
const leapMs = 400 * dayMs;

export class CronSchedule implements Schedule {
  readonly canonical: string;
  readonly #spec: CronSpec;
  readonly #zone: Zone;

  constructor(spec: CronSpec, zone: Zone) {
    this.canonical = `${spec.text} ${zone.name}`;
    this.#spec = spec;
    this.#zone = zone;
  }

  get timezone(): string {
    return this.#zone.name;
  }

  get kind(): 'fixed' | 'interval' {
    return this.#spec.kind;
  }

  next(afterMs: number): number | undefined {
    const spec = this.#spec;
    let at = Math.max(Math.floor(afterMs / 1000) * 1000 + 1000, -slackMs);
    while (at !== Infinity) {
      const segment = this.#zone.segmentAt(at);
      if (at === segment.startMs && this.#swallows(segment)) return at;
      const local = at + segment.offsetMs;
      const found = firstMatchFrom(spec, Math.max(local, this.#openLocal(segment)));
      if (found < segment.endMs + segment.offsetMs) return found - segment.offsetMs;
      at = segment.endMs;
      // Nothing at all up to `found`, even if the clocks are set back on the way: go near it at once.
      if (found - local > leapMs && firstMatchFrom(spec, local - slackMs) === found) {
        at = Math.max(at, found - slackMs);
      }
    }
    return undefined;
  }

  latest(atMs: number, floorMs: number): number | undefined {
    const spec = this.#spec;
    let at = Math.min(Math.floor(atMs / 1000) * 1000, latestMs);
    while (at > floorMs) {
      const segment = this.#zone.segmentAt(at);
      const local = at + segment.offsetMs;
      const found = lastMatchTo(spec, local);
      if (found >= this.#openLocal(segment)) {
        const tick = found - segment.offsetMs;
        return tick > floorMs ? tick : undefined;
      }
      if (this.#swallows(segment)) {
        return segment.startMs > floorMs ? segment.startMs : undefined;
      }
      at = segment.startMs - 1000;
      if (local - found > leapMs && lastMatchTo(spec, local + slackMs) === found) {
        at = Math.min(at, found + slackMs);
      }
    }
    return undefined;
  }

  /** What a DST change did to this tick; undefined for most, and for all of an interval schedule. */
  dstNote(tick: number): DstNote | undefined {
    if (this.#spec.kind === 'interval') return undefined;
    let segment = this.#zone.segmentAt(tick);
    if (tick === segment.startMs && this.#swallows(segment)) return 'moved-out-of-gap';
    const local = tick + segment.offsetMs;
    while (segment.endMs <= tick + dayMs) {
      segment = this.#zone.segmentAt(segment.endMs);
      const repeatsFrom = segment.startMs + segment.offsetMs;
      if (segment.offsetMs < segment.previousOffsetMs && local >= repeatsFrom) {
        return 'once-of-doubled';
      }
    }
    return undefined;
  }

  /** The local time from which the segment's matches count. */
  #openLocal(segment: ZoneSegment): number {
    return this.#spec.kind === 'fixed' ? segment.freshLocalMs : segment.startMs + segment.offsetMs;
  }

  /** Whether the segment begins after a gap that swallowed a match of a fixed schedule. */
  #swallows({ startMs, offsetMs, previousOffsetMs }: ZoneSegment): boolean {
    return (
      this.#spec.kind === 'fixed' &&
      previousOffsetMs < offsetMs &&
      firstMatchFrom(this.#spec, startMs + previousOffsetMs) < startMs + offsetMs
    );
  }
}

/** 3 January 2100: after every local time of 2099. */
const latestMs = Date.UTC(2100, 0, 3);
