/**
 * Zone names and offsets: against Intl at random instants, known transitions, spelling, refusals.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCronmeshError } from '../../shared/errors.ts';
import { readZone } from '../../shared/schedule/read-zone.ts';
import { plainZoneNames, spellZoneName } from '../../shared/schedule/zone-name.ts';
import {
  isKnownZone,
  listZones,
  zoneOf,
  zoneOffsetMs,
  zoneTransitions,
} from '../../shared/schedule/zone.ts';
import { readLocalSpan } from '../support/schedule-oracle.ts';
import { createDice } from '../support/schedule-random.ts';

const hourMs = 3_600_000;

test('offsets are those of Intl at random instants of every zone', () => {
  const dice = createDice(4);
  for (const zone of listZones()) {
    for (let round = 0; round < 3; round++) {
      const atMs = dice.between(0, Date.UTC(2037, 0) / 1000) * 1000;
      const [instant] = readLocalSpan(zone, atMs, atMs + 1, 1000);
      assert.equal(
        zoneOffsetMs(zone, atMs),
        (instant?.localMs ?? 0) - atMs,
        `${zone} ${new Date(atMs).toISOString()}`,
      );
    }
  }
});

test('transitions are found to the second, even those a week apart', () => {
  const iso = (zone: string, from: string, to: string): string[] =>
    zoneTransitions(zone, Date.parse(from), Date.parse(to)).map(
      ({ atMs, beforeMs, afterMs }) =>
        `${new Date(atMs).toISOString()} ${beforeMs / hourMs} ${afterMs / hourMs}`,
    );
  assert.deepEqual(iso('Europe/Berlin', '2025-01-01', '2026-01-01'), [
    '2025-03-30T01:00:00.000Z 1 2',
    '2025-10-26T01:00:00.000Z 2 1',
  ]);
  assert.deepEqual(iso('America/Recife', '2000-10-01', '2000-11-01'), [
    '2000-10-08T03:00:00.000Z -3 -2',
    '2000-10-15T02:00:00.000Z -2 -3',
  ]);
  assert.deepEqual(iso('Pacific/Apia', '2011-12-01', '2012-01-01'), [
    '2011-12-30T10:00:00.000Z -10 14',
  ]);
  assert.deepEqual(iso('Asia/Tokyo', '1970-01-01', '2030-01-01'), []);
  assert.equal(iso('Africa/Casablanca', '2026-01-01', '2028-01-01').length, 4);
});

test('segments tile time without holes, across the blocks they are read in', () => {
  const zone = zoneOf('Europe/Lisbon');
  let segment = zone.segmentAt(0);
  while (segment.endMs < Date.UTC(2030, 0)) {
    const next = zone.segmentAt(segment.endMs);
    assert.equal(next.startMs, segment.endMs);
    assert.equal(next.previousOffsetMs, segment.offsetMs);
    assert.ok(next.freshLocalMs >= next.startMs + next.offsetMs);
    assert.ok(next.freshLocalMs >= segment.endMs + segment.offsetMs);
    segment = next;
  }
});

test('every listed zone is known and spelt as IANA spells it', () => {
  const zones = listZones();
  assert.ok(zones.length > 400);
  for (const zone of [...zones, ...plainZoneNames, 'Etc/GMT+5', 'US/Eastern', 'America/Knox_IN']) {
    assert.equal(spellZoneName(zone.toLowerCase()), zone);
    assert.equal(spellZoneName(zone.toUpperCase()), zone);
  }
  for (const zone of ['UTC', 'Asia/Kolkata', 'Europe/Kyiv', 'Europe/Berlin', 'America/Nuuk']) {
    assert.ok(zones.includes(zone), zone);
  }
});

test('an alias is kept as it was written, in the right case', () => {
  for (const [text, name] of [
    ['europe/berlin', 'Europe/Berlin'],
    ['ASIA/CALCUTTA', 'Asia/Calcutta'],
    ['Asia/Kolkata', 'Asia/Kolkata'],
    ['us/pacific', 'US/Pacific'],
    ['utc', 'UTC'],
    ['etc/gmt-14', 'Etc/GMT-14'],
    ['america/port-au-prince', 'America/Port-au-Prince'],
    ['AUSTRALIA/lhi', 'Australia/LHI'],
    ['antarctica/dumontdurville', 'Antarctica/DumontDUrville'],
  ] as const) {
    assert.deepEqual(readZone(text), { ok: true, name });
    assert.equal(zoneOf(text).name, name);
  }
});

test('what is not an IANA zone is refused, with the one that was meant', () => {
  for (const [text, message] of [
    ['', /empty/],
    ['+05:30', /offset is not a time zone/],
    ['-0800', /offset is not a time zone/],
    ['UTC+2', /offset is not a time zone/],
    ['GMT-3', /offset is not a time zone/],
    ['Europe/Berln', /Did you mean Europe\/Berlin\?/],
    ['Berlin', /Did you mean Europe\/Berlin\?/],
    ['America/New York', /Did you mean America\/New_York\?/],
    ['Los Angeles', /Did you mean America\/Los_Angeles\?/],
    ['PST', /Did you mean America\/Los_Angeles\?/],
    ['IST', /Did you mean Asia\/Kolkata\?/],
    ['SystemV/PST8PDT', /no time zone/],
    ['Mars/Olympus_Mons', /no time zone/],
    ['Europe/Berlin ', /Did you mean Europe\/Berlin\?/],
    ['../../etc/passwd', /no time zone/],
    ['Europe/Berlin\0', /no time zone/],
    ['constructor', /no time zone/],
    ['x'.repeat(5000), /so long a name/],
  ] as const) {
    const read = readZone(text);
    assert.ok(!read.ok, text);
    assert.equal(read.problem.field, '/timezone');
    assert.match(read.problem.message, message);
    assert.match(read.problem.expected, /IANA/);
    assert.ok(read.problem.got.length <= 80);
    assert.equal(isKnownZone(text), false);
    assert.throws(
      () => zoneOffsetMs(text, 0),
      (error) => isCronmeshError(error, 'schedule-invalid'),
    );
  }
});
