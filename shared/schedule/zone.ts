/**
 * The offset of an IANA zone at any instant, from Intl, as segments of constant offset.
 * Segments are found by sampling and bisection, one block of 400 days at a time, when first asked
 * for, and kept per zone for the life of the process: every schedule of a zone shares them.
 */
import { CronmeshError, renderGot } from '../errors.ts';
import { modernZoneNames, plainZoneNames, spellZoneName } from './zone-name.ts';

const dayMs = 86_400_000;
const blockMs = 400 * dayMs;
/** The shortest stay at one offset since 1970 is seven days (America/Recife, October 2000). */
const sampleMs = 3 * dayMs;

/** A span of one offset. Neighbours may have equal offsets where one block ends and the next begins. */
export interface ZoneSegment {
  readonly startMs: number;
  /** The first instant after the segment. */
  readonly endMs: number;
  /** Local time minus UTC. */
  readonly offsetMs: number;
  /** The offset just before `startMs`; smaller than `offsetMs` when a gap ends here. */
  readonly previousOffsetMs: number;
  /** The local time from which on the segment's local times have not been seen before. */
  readonly freshLocalMs: number;
}

/** One change of a zone's offset, at its first instant under the new one. */
export interface ZoneTransition {
  readonly atMs: number;
  readonly beforeMs: number;
  readonly afterMs: number;
}

export class Zone {
  readonly name: string;
  readonly #blocks = new Map<number, readonly ZoneSegment[]>();
  /** Nearly every question is about the present, so the last answer nearly always holds. */
  #recent: ZoneSegment | undefined;

  constructor(name: string) {
    this.name = name;
  }

  segmentAt(atMs: number): ZoneSegment {
    const recent = this.#recent;
    if (recent !== undefined && atMs >= recent.startMs && atMs < recent.endMs) return recent;
    const index = Math.floor(atMs / blockMs);
    let block = this.#blocks.get(index);
    if (block === undefined) {
      block = readBlock(this.name, index * blockMs);
      this.#blocks.set(index, block);
    }
    const found = block.find((segment) => atMs < segment.endMs);
    if (found === undefined) throw new RangeError(`no offset of ${this.name} at ${atMs}`);
    this.#recent = found;
    return found;
  }
}

function readBlock(name: string, startMs: number): readonly ZoneSegment[] {
  const endMs = startMs + blockMs;
  // Begins before the block, so that a change just before it is known for what it repeats.
  const changes = readChanges(name, startMs - sampleMs, endMs);
  const segments: ZoneSegment[] = [];
  let seenLocalMs = -Infinity;
  changes.forEach(({ atMs, offsetMs }, index) => {
    const untilMs = changes[index + 1]?.atMs ?? endMs;
    const fromMs = Math.max(atMs, startMs);
    if (untilMs > startMs) {
      segments.push({
        startMs: fromMs,
        endMs: untilMs,
        offsetMs,
        previousOffsetMs: atMs < startMs ? offsetMs : (changes[index - 1]?.offsetMs ?? offsetMs),
        freshLocalMs: Math.max(seenLocalMs, fromMs + offsetMs),
      });
    }
    seenLocalMs = Math.max(seenLocalMs, untilMs + offsetMs);
  });
  return segments;
}

interface OffsetChange {
  readonly atMs: number;
  readonly offsetMs: number;
}

/** The offset at `fromMs` and every change in (fromMs, toMs). */
function readChanges(name: string, fromMs: number, toMs: number): OffsetChange[] {
  const offsetAt = offsetReader(name);
  let offsetMs = offsetAt(fromMs);
  const changes = [{ atMs: fromMs, offsetMs }];
  for (let sampledMs = fromMs; sampledMs < toMs; sampledMs += sampleMs) {
    const nextMs = Math.min(sampledMs + sampleMs, toMs);
    const nextOffsetMs = offsetAt(nextMs);
    if (nextOffsetMs === offsetMs) continue;
    const atMs = firstChange(offsetAt, sampledMs, nextMs, offsetMs);
    offsetMs = nextOffsetMs;
    if (atMs < toMs) changes.push({ atMs, offsetMs });
  }
  return changes;
}

/** The first whole second in (from, to] whose offset is not `offset`. */
function firstChange(
  offsetAt: (atMs: number) => number,
  fromMs: number,
  toMs: number,
  offset: number,
): number {
  let low = fromMs;
  let high = toMs;
  while (high - low > 1000) {
    const middle = low + Math.floor((high - low) / 2000) * 1000;
    if (offsetAt(middle) === offset) low = middle;
    else high = middle;
  }
  return high;
}

/** A formatter is some 40 KB, so it lives only while a block is read. */
function offsetReader(name: string): (atMs: number) => number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' });
  return (atMs) => {
    const text = format.format(atMs);
    const parts = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text);
    if (parts === null) throw new RangeError(`Intl gives no offset for ${name}: ${text}`);
    const [, sign, hours = '0', minutes = '0', seconds = '0'] = parts;
    const size = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
    return sign === '-' ? -size : size;
  };
}

const zones = new Map<string, Zone>();

/** The zone of that name, shared. Throws `schedule-invalid` when `isKnownZone(name)` is false. */
export function zoneOf(name: string): Zone {
  const spelt = spellZoneName(name);
  let zone = zones.get(spelt);
  if (zone === undefined) {
    if (!isKnownZone(name)) {
      const problem = {
        field: '/timezone',
        message: 'There is no such time zone',
        expected: 'the name of an IANA time zone, such as Europe/Berlin or UTC',
        got: renderGot(name),
      };
      throw new CronmeshError('schedule-invalid', problem.message, { problems: [problem] });
    }
    zone = new Zone(spelt);
    zones.set(spelt, zone);
  }
  return zone;
}

/** Whether a schedule may name this zone: an IANA name, in any case, that this machine's Intl knows. */
export function isKnownZone(name: string): boolean {
  const spelt = spellZoneName(name);
  if (zones.has(spelt)) return true;
  if (name.length > 64 || !/^[A-Za-z][A-Za-z0-9/_+-]*$/.test(name)) return false;
  // ICU takes these beside the IANA names; other machines' tools would not.
  if (spelt.startsWith('Systemv/')) return false;
  if (!spelt.includes('/') && !plainZoneNames.includes(spelt)) return false;
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: spelt }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

let listed: readonly string[] | undefined;

/** Zone names to choose from, sorted: one for each place, old and new spellings, and UTC. Not every accepted alias. */
export function listZones(): readonly string[] {
  listed ??= [
    ...new Set([
      ...Intl.supportedValuesOf('timeZone').filter((name) => isKnownZone(name)),
      ...modernZoneNames.filter((name) => isKnownZone(name)),
      'UTC',
    ]),
  ].sort();
  return listed;
}

/** Local time minus UTC in the zone at that instant, in milliseconds. Throws `schedule-invalid` for an unknown zone. */
export function zoneOffsetMs(zone: string, atMs: number): number {
  return zoneOf(zone).segmentAt(atMs).offsetMs;
}

/** The offset changes in [fromMs, toMs), in order. Throws `schedule-invalid` for an unknown zone. */
export function zoneTransitions(zone: string, fromMs: number, toMs: number): ZoneTransition[] {
  const source = zoneOf(zone);
  const found: ZoneTransition[] = [];
  let segment = source.segmentAt(fromMs);
  while (segment.startMs < toMs) {
    if (segment.startMs >= fromMs && segment.previousOffsetMs !== segment.offsetMs) {
      found.push({
        atMs: segment.startMs,
        beforeMs: segment.previousOffsetMs,
        afterMs: segment.offsetMs,
      });
    }
    segment = source.segmentAt(segment.endMs);
  }
  return found;
}
