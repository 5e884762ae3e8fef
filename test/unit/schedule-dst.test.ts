/**
 * What a clock change does, worked out by hand: fixed-time jobs run once, interval jobs follow the
 * clock (Vixie's rule), and the preview says which fires were touched.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSchedule } from '../../shared/schedule/parse-schedule.ts';
import { previewTicks } from '../../shared/schedule/preview.ts';

interface DstCase {
  readonly zone: string;
  readonly expression: string;
  readonly after: string;
  /** Local times with their offset, and what the preview notes. */
  readonly ticks: readonly string[];
}

function localTicks({ zone, expression, after, ticks }: DstCase): string[] {
  const schedule = parseSchedule(expression, zone);
  const date = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'short',
  });
  const offset = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
  return previewTicks(schedule, Date.parse(after), ticks.length).map(({ tick, note }) => {
    const zoneOffset = /GMT(.*)$/.exec(offset.format(tick))?.[1] ?? '';
    return `${date.format(tick)}${zoneOffset === '' ? 'Z' : zoneOffset}${note === undefined ? '' : ` ${note}`}`;
  });
}

const moved = 'moved-out-of-gap';
const once = 'once-of-doubled';

const cases: readonly (DstCase & { readonly what: string })[] = [
  {
    what: 'a fixed time in the gap runs at the end of the gap',
    zone: 'Europe/Berlin',
    expression: '30 2 * * *',
    after: '2025-03-28T12:00Z',
    ticks: ['2025-03-29 02:30+01:00', `2025-03-30 03:00+02:00 ${moved}`, '2025-03-31 02:30+02:00'],
  },
  {
    what: 'many fixed times in one gap run once, together with one at its end',
    zone: 'Europe/Berlin',
    expression: '0,20,40 2,3 * * *',
    after: '2025-03-29T12:00Z',
    ticks: [`2025-03-30 03:00+02:00 ${moved}`, '2025-03-30 03:20+02:00', '2025-03-30 03:40+02:00'],
  },
  {
    what: 'seconds do not make an interval of a fixed time',
    zone: 'Europe/Berlin',
    expression: '*/30 30 2 * * *',
    after: '2025-03-29T12:00Z',
    ticks: [`2025-03-30 03:00+02:00 ${moved}`, '2025-03-31 02:30+02:00', '2025-03-31 02:30+02:00'],
  },
  {
    what: 'a fixed time that comes twice runs the first time',
    zone: 'Europe/Berlin',
    expression: '30 2 * * *',
    after: '2025-10-25T12:00Z',
    ticks: [`2025-10-26 02:30+02:00 ${once}`, '2025-10-27 02:30+01:00'],
  },
  {
    what: 'the doubled hour begins and ends sharply',
    zone: 'Europe/Berlin',
    expression: '0,59 1,2,3 * * *',
    after: '2025-10-25T22:30Z',
    ticks: [
      '2025-10-26 01:00+02:00',
      '2025-10-26 01:59+02:00',
      `2025-10-26 02:00+02:00 ${once}`,
      `2025-10-26 02:59+02:00 ${once}`,
      '2025-10-26 03:00+01:00',
      '2025-10-26 03:59+01:00',
    ],
  },
  {
    what: 'an interval skips the gap',
    zone: 'Europe/Berlin',
    expression: '*/30 * * * *',
    after: '2025-03-30T00:00Z',
    ticks: ['2025-03-30 01:30+01:00', '2025-03-30 03:00+02:00', '2025-03-30 03:30+02:00'],
  },
  {
    what: 'an interval within the hour of the gap does not run at all',
    zone: 'Europe/Berlin',
    expression: '*/30 2 * * *',
    after: '2025-03-29T12:00Z',
    ticks: ['2025-03-31 02:00+02:00', '2025-03-31 02:30+02:00'],
  },
  {
    what: 'an interval runs through both passes of the doubled hour',
    zone: 'Europe/Berlin',
    expression: '*/30 * * * *',
    after: '2025-10-25T23:30Z',
    ticks: [
      '2025-10-26 02:00+02:00',
      '2025-10-26 02:30+02:00',
      '2025-10-26 02:00+01:00',
      '2025-10-26 02:30+01:00',
      '2025-10-26 03:00+01:00',
    ],
  },
  {
    what: 'hours in steps are an interval, hours in a list are not',
    zone: 'America/New_York',
    expression: '30 */1 * * *',
    after: '2024-11-03T04:45Z',
    ticks: ['2024-11-03 01:30-04:00', '2024-11-03 01:30-05:00', '2024-11-03 02:30-05:00'],
  },
  {
    what: 'a range of hours is fixed',
    zone: 'America/New_York',
    expression: '30 1-3 * * *',
    after: '2024-11-03T04:45Z',
    ticks: [`2024-11-03 01:30-04:00 ${once}`, '2024-11-03 02:30-05:00', '2024-11-03 03:30-05:00'],
  },
  {
    what: 'a whole range is an interval however it is written',
    zone: 'America/New_York',
    expression: '30 0-23 * * *',
    after: '2024-11-03T04:45Z',
    ticks: ['2024-11-03 01:30-04:00', '2024-11-03 01:30-05:00', '2024-11-03 02:30-05:00'],
  },
  {
    what: 'half an hour is lost',
    zone: 'Australia/Lord_Howe',
    expression: '15 2 * * *',
    after: '2024-10-05T00:00Z',
    ticks: [`2024-10-06 02:30+11:00 ${moved}`, '2024-10-07 02:15+11:00'],
  },
  {
    what: 'half an hour comes twice, the half before does not',
    zone: 'Australia/Lord_Howe',
    expression: '15,45 1 * * *',
    after: '2025-04-05T00:00Z',
    ticks: ['2025-04-06 01:15+11:00', `2025-04-06 01:45+11:00 ${once}`, '2025-04-07 01:15+10:30'],
  },
  {
    what: 'midnight itself is skipped: a daily job runs at 01:00',
    zone: 'America/Sao_Paulo',
    expression: '@daily',
    after: '2018-11-03T12:00Z',
    ticks: [`2018-11-04 01:00-02:00 ${moved}`, '2018-11-05 00:00-02:00'],
  },
  {
    what: 'the hour before midnight comes twice: the day changes once',
    zone: 'America/Sao_Paulo',
    expression: '0 0,23 * * *',
    after: '2018-02-17T12:00Z',
    ticks: [`2018-02-17 23:00-02:00 ${once}`, '2018-02-18 00:00-03:00', '2018-02-18 23:00-03:00'],
  },
  {
    what: 'a monthly job on a skipped midnight',
    zone: 'Asia/Beirut',
    expression: '0 0 30 3 *',
    after: '2025-01-01T00:00Z',
    ticks: [`2025-03-30 01:00+03:00 ${moved}`, '2026-03-30 00:00+03:00'],
  },
  {
    what: 'midnight skipped in Cairo, after nine years without clock changes',
    zone: 'Africa/Cairo',
    expression: '5 0 * * FRI',
    after: '2023-04-27T00:00Z',
    ticks: [`2023-04-28 01:00+03:00 ${moved}`, '2023-05-05 00:05+03:00'],
  },
  {
    what: 'midnight skipped in Havana',
    zone: 'America/Havana',
    expression: '30 0 9 3 *',
    after: '2025-01-01T00:00Z',
    ticks: [`2025-03-09 01:00-04:00 ${moved}`],
  },
  {
    what: 'midnight skipped in Tehran, in its last year of DST',
    zone: 'Asia/Tehran',
    expression: '@daily',
    after: '2022-03-21T12:00Z',
    ticks: [`2022-03-22 01:00+04:30 ${moved}`, '2022-03-23 00:00+04:30'],
  },
  {
    what: 'a day that never was: its tick runs when the next day begins',
    zone: 'Pacific/Apia',
    expression: '30 2 * * *',
    after: '2011-12-29T00:00Z',
    ticks: ['2011-12-29 02:30-10:00', `2011-12-31 00:00+14:00 ${moved}`, '2011-12-31 02:30+14:00'],
  },
  {
    what: 'an interval does not know of the day that never was',
    zone: 'Pacific/Apia',
    expression: '0 */12 * * *',
    after: '2011-12-29T12:00Z',
    ticks: ['2011-12-29 12:00-10:00', '2011-12-31 00:00+14:00', '2011-12-31 12:00+14:00'],
  },
  {
    what: '@every takes no notice of the clocks',
    zone: 'Europe/Berlin',
    expression: '@every 1h',
    after: '2025-03-30T00:00Z',
    ticks: ['2025-03-30 03:00+02:00', '2025-03-30 04:00+02:00'],
  },
];

for (const dstCase of cases) {
  test(`${dstCase.zone}, ${dstCase.expression}: ${dstCase.what}`, () => {
    assert.deepEqual(localTicks(dstCase), dstCase.ticks);
  });
}

test('a schedule that only ever falls into gaps never fires', () => {
  // The last Sunday of March in Berlin, between two and three, is skipped since 1981.
  const schedule = parseSchedule('* 2 * 3 7L', 'Europe/Berlin');
  assert.equal(schedule.next(Date.UTC(1981, 0)), undefined);
  assert.equal(schedule.latest(Date.UTC(2099, 0), Date.UTC(1981, 0)), undefined);
});

test('the zone of a schedule may have changed its clocks at any time since 1970', () => {
  const schedule = parseSchedule('30 2 28 4 * ', 'America/New_York');
  // 1974: the energy crisis brought DST forward; 1975: 23 February.
  assert.equal(schedule.next(Date.UTC(1974, 3, 1)), Date.UTC(1974, 3, 28, 6, 30));
  assert.equal(schedule.next(Date.UTC(1973, 3, 1)), Date.UTC(1973, 3, 28, 7, 30));
});
