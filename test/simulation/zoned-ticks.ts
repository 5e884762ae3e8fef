/**
 * Ticks of schedules of minutes, hours and days in a time zone, by plain arithmetic over clock changes
 * written down by hand (2026-11 to 2028-03): what is expected is worked out here, without the code
 * that is tested and without the zone database that it asks.
 */
const minuteMs = 60_000;
const dayMs = 86_400_000;

/** From `fromMs` on, local time is UTC + `offsetMs`. */
interface Segment {
  readonly fromMs: number;
  readonly offsetMs: number;
}

function zone(...segments: readonly (readonly [string, number])[]): readonly Segment[] {
  return segments.map(([from, minutes]) => ({
    fromMs: from === '' ? -Infinity : Date.parse(from),
    offsetMs: minutes * minuteMs,
  }));
}

export const zones = {
  UTC: zone(['', 0]),
  'Asia/Kolkata': zone(['', 330]),
  'Europe/Zurich': zone(['', 60], ['2027-03-28T01:00Z', 120], ['2027-10-31T01:00Z', 60]),
  'America/New_York': zone(['', -300], ['2027-03-14T07:00Z', -240], ['2027-11-07T06:00Z', -300]),
  // Midnight itself is skipped, and comes twice.
  'America/Havana': zone(['', -300], ['2027-03-14T05:00Z', -240], ['2027-11-07T05:00Z', -300]),
  // Half an hour.
  'Australia/Lord_Howe': zone(['', 660], ['2027-04-03T15:00Z', 630], ['2027-10-02T15:30Z', 660]),
} as const;

export type ZoneName = keyof typeof zones;

/** Every clock change above, epoch ms. */
export const clockChanges: readonly number[] = Object.values(zones).flatMap((segments) =>
  segments.flatMap(({ fromMs }) => (fromMs === -Infinity ? [] : [fromMs])),
);

export function offsetAt(name: ZoneName, atMs: number): number {
  return zones[name].findLast(({ fromMs }) => fromMs <= atMs)?.offsetMs ?? 0;
}

/** `YYYY-MM-DD` on the clocks of a zone. */
export function localDate(name: string, atMs: number): string {
  if (!isZone(name)) throw new RangeError(`no clocks of ${name} are written down`);
  return new Date(atMs + offsetAt(name, atMs)).toISOString().slice(0, 10);
}

function isZone(name: string): name is ZoneName {
  return Object.hasOwn(zones, name);
}

/** An interval: the minutes of every hour that are multiples of `every`, plus `phase`. */
export function intervalTicks(
  name: ZoneName,
  every: number,
  phase: number,
): (afterMs: number, untilMs: number) => number[] {
  return (afterMs, untilMs) => {
    const ticks: number[] = [];
    let at = Math.floor(afterMs / minuteMs) * minuteMs + minuteMs;
    for (; at <= untilMs; at += minuteMs) {
      const minute = (((at + offsetAt(name, at)) / minuteMs) % 60) - phase;
      if (minute >= 0 && minute % every === 0) ticks.push(at);
    }
    return ticks;
  };
}

/**
 * Fixed times of day: once each. What comes twice counts the first time; what a gap swallows makes one
 * tick at its end, which may be another one's own.
 */
export function fixedTicks(
  name: ZoneName,
  minutesOfDay: readonly number[],
  isDay: (weekday: number) => boolean = () => true,
): (afterMs: number, untilMs: number) => number[] {
  return (afterMs, untilMs) => {
    const ticks = new Set<number>();
    for (let day = Math.floor(afterMs / dayMs) - 1; day * dayMs <= untilMs + dayMs; day++) {
      // The first day of the epoch was a Thursday.
      if (!isDay((day + 4) % 7)) continue;
      for (const minutes of minutesOfDay) {
        const at = instantOf(name, day * dayMs + minutes * minuteMs);
        if (at > afterMs && at <= untilMs) ticks.add(at);
      }
    }
    return [...ticks].sort((a, b) => a - b);
  };
}

function instantOf(name: ZoneName, localMs: number): number {
  const segments = zones[name];
  for (const [index, { fromMs, offsetMs }] of segments.entries()) {
    const at = localMs - offsetMs;
    const endMs = segments[index + 1]?.fromMs ?? Infinity;
    if (at < fromMs) return fromMs;
    if (at < endMs) return at;
  }
  throw new RangeError(`no such local time in ${name}`);
}
