/**
 * Every clock change of every zone from 2020 to 2030, as this machine's zone data has them: jobs at a
 * fixed time run once a day, whatever the clock does; interval jobs follow the clock; both as a slow
 * oracle says that shares no code with the engine.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseSchedule } from '../../shared/schedule/parse-schedule.ts';
import { listZones, zoneTransitions } from '../../shared/schedule/zone.ts';
import { oracleTicks, readLocalSpan } from '../support/schedule-oracle.ts';

const quarterMs = 900_000;
const dayMs = 86_400_000;
const from = Date.UTC(2020, 0, 1);
const to = Date.UTC(2031, 0, 1);

interface Change {
  readonly zone: string;
  readonly atMs: number;
}

/** One zone for each instant and pair of offsets: thousands of changes are the same few hundred. */
function distinctChanges(): { changes: Change[]; zones: number; all: number } {
  const changes = new Map<string, Change>();
  const zones = listZones();
  let all = 0;
  for (const zone of zones) {
    for (const { atMs, beforeMs, afterMs } of zoneTransitions(zone, from, to)) {
      all++;
      changes.set(`${atMs} ${beforeMs} ${afterMs}`, { zone, atMs });
    }
  }
  return { changes: [...changes.values()], zones: zones.length, all };
}

it('keeps the rule at every clock change of every zone from 2020 to 2030', (t) => {
  const { changes, zones, all } = distinctChanges();
  t.diagnostic(`${zones} zones, ${all} changes, ${changes.length} of them distinct`);
  assert.ok(changes.length > 100, 'the zone data must hold clock changes');
  for (const { zone, atMs } of changes) {
    const start = Math.floor(atMs / quarterMs) * quarterMs - 2 * dayMs - 3_600_000;
    const end = start + 4 * dayMs;
    // A few changes are not on a quarter of an hour; there the oracle looks at every minute.
    const stepMs = atMs % quarterMs === 0 ? quarterMs : 60_000;
    const span = readLocalSpan(zone, start, end, stepMs);
    const firstMs = start + 25 * 3_600_000;
    const check = (minute: string, hour: string): number[] => {
      const schedule = parseSchedule(`0 ${minute} ${hour} * * *`, zone);
      const ticks: number[] = [];
      for (
        let tick = schedule.next(firstMs - 1);
        tick !== undefined && tick < end;
        tick = schedule.next(tick)
      ) {
        ticks.push(tick);
      }
      const expected = oracleTicks(`0 ${minute} ${hour} * * * *`, span, stepMs);
      assert.deepEqual(
        ticks,
        expected,
        `${minute} ${hour} in ${zone} at ${new Date(atMs).toISOString()}`,
      );
      return ticks;
    };
    check('*/15', '*');
    check('*/30', '1-3');
    // The hours around the change, where a fixed time can be swallowed or doubled.
    const local = span.find((instant) => instant.atMs >= atMs)?.localMs ?? 0;
    for (let hour = -2; hour <= 1; hour++) {
      const localHour = new Date(local + hour * 3_600_000).getUTCHours();
      for (const minute of ['0', '15', '30']) {
        const ticks = check(minute, String(localHour));
        const pauses = ticks.slice(1).map((tick, index) => tick - (ticks[index] ?? tick));
        assert.ok(
          pauses.every((pause) => pause > dayMs / 2 && pause < 2 * dayMs),
          `once a day: ${minute} ${localHour} in ${zone}`,
        );
      }
    }
  }
});
