import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { calendarEntryOf, type CalendarMap } from '../../shared/calendar/calendar-entry.ts';
import { calendarsIn, encodeCounted, parseCounted } from '../../shared/calendar/counted-text.ts';
import type { CalendarInput } from '../../shared/calendar/definition.ts';
import { ticksUnder } from '../../shared/calendar/job-ticks.ts';
import { parseCalendar } from '../../shared/calendar/parse-calendar.ts';
import { previewUnder } from '../../shared/calendar/preview.ts';
import { readSchedule } from '../../shared/schedule/parse-schedule.ts';
import { createDice, type Dice } from '../support/schedule-random.ts';
import { allowsDate, localDateReader } from '../support/calendar-oracle.ts';

const dayMs = 86_400_000;

function seen(...calendars: CalendarInput[]): CalendarMap {
  return new Map(calendars.map((each) => [each.name, calendarEntryOf(parseCalendar(each))]));
}

/** Places where a day of the clocks is cut, skipped or repeated, and some where it is not. */
const places = [
  ['UTC', '2026-12-20'],
  ['Europe/Berlin', '2026-03-26'],
  ['Europe/Berlin', '2026-10-22'],
  ['America/Sao_Paulo', '2018-02-14'],
  ['America/Sao_Paulo', '2018-11-01'],
  ['America/Havana', '2026-03-05'],
  ['America/Havana', '2026-10-29'],
  ['America/St_Johns', '2010-11-04'],
  ['America/St_Johns', '2011-03-10'],
  ['Pacific/Apia', '2011-12-27'],
  ['Pacific/Kwajalein', '1993-08-18'],
  ['Australia/Lord_Howe', '2027-04-01'],
  ['Africa/Cairo', '2026-04-21'],
  ['Asia/Kolkata', '2026-12-29'],
] as const;

const expressions = [
  '0 */7 * * * *',
  '*/15 * * * *',
  '30 0 * * *',
  '0 0 * * *',
  '30 23 * * *',
] as const;

function randomCalendar(name: string, fromMs: number, dice: Dice): CalendarInput {
  const date = (): string =>
    new Date(fromMs + dice.between(-1, 7) * dayMs).toISOString().slice(0, 10);
  const entry = (): string => {
    const kind = dice.between(1, 10);
    if (kind <= 4) return date();
    if (kind <= 6) return date().slice(5);
    if (kind <= 8) return [date(), date()].toSorted().join('..');
    return dice.pick(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']);
  };
  const dates = Array.from({ length: dice.between(0, 3) }, entry);
  return { name, mode: dice.chance(0.6) ? 'exclude' : 'only', dates };
}

describe('ticks under calendars', () => {
  it('are the ticks of the schedule on allowed local dates, in every zone', () => {
    const dice = createDice(20_261_225);
    let passed = 0;
    for (let round = 0; round < 400; round++) {
      const [zone, date] = dice.pick<readonly [string, string]>(places);
      const fromMs = Date.parse(date);
      const untilMs = fromMs + 7 * dayMs;
      const schedule = readSchedule(dice.pick(expressions), zone);
      const calendars = ['a', 'b']
        .slice(0, dice.chance(0.4) ? 2 : 1)
        .map((name) => randomCalendar(name, fromMs, dice));
      const names = calendars.map(({ name }) => name);
      const ticks = ticksUnder(schedule, names, seen(...calendars));
      const localDate = localDateReader(zone);
      const allowed: number[] = [];
      const excluded: number[] = [];
      for (let t = schedule.next(fromMs); t !== undefined && t <= untilMs; t = schedule.next(t)) {
        const day = localDate(t);
        const isAllowed = calendars.every((each) => allowsDate(each, day));
        (isAllowed ? allowed : excluded).push(t);
        assert.equal(ticks.exclusionAt(t) === undefined, isAllowed);
      }
      passed += excluded.length;
      for (const [side, expected] of [
        [ticks.allowed, allowed],
        [ticks.excluded ?? ticks.allowed, excluded],
      ] as const) {
        const what = `${JSON.stringify(calendars)} ${schedule.canonical}`;
        const forwards: number[] = [];
        for (let t = side.next(fromMs); t !== undefined && t <= untilMs; t = side.next(t)) {
          forwards.push(t);
        }
        assert.deepEqual(forwards, expected, what);
        const backwards: number[] = [];
        let t = side.latest(untilMs, fromMs);
        for (; t !== undefined; t = side.latest(t - 1, fromMs)) backwards.unshift(t);
        assert.deepEqual(backwards, expected, what);
        // From anywhere between, and in no order: what is remembered must not be in the way.
        for (let ask = 0; ask < 10; ask++) {
          const at = dice.between(fromMs, untilMs);
          const next = side.next(at);
          const first = expected.find((each) => each > at);
          assert.equal(next !== undefined && next <= untilMs ? next : undefined, first, what);
          assert.equal(
            side.latest(at, fromMs),
            expected.findLast((each) => each <= at),
            what,
          );
        }
      }
    }
    assert.ok(passed > 10_000, `${passed} ticks were excluded`);
  });

  it('jump over decades, and end where nothing is allowed any more', () => {
    const nowMs = Date.UTC(2026, 10, 21);
    const secondly = readSchedule('* * * * * *', 'Asia/Tokyo');
    const far = ticksUnder(
      secondly,
      ['c'],
      seen({ name: 'c', mode: 'only', dates: ['2098-01-01'] }),
    );
    assert.equal(far.allowed.next(nowMs), Date.UTC(2097, 11, 31, 15));
    assert.equal(far.allowed.latest(nowMs, 0), undefined);
    assert.equal(far.excluded?.next(nowMs), nowMs + 1_000);
    const sundays = readSchedule('0 12 * * sun', 'Europe/Berlin');
    const never = ticksUnder(sundays, ['c'], seen({ name: 'c', mode: 'exclude', dates: ['sun'] }));
    assert.equal(never.allowed.next(nowMs), undefined);
    assert.equal(never.allowed.next(nowMs + dayMs), undefined);
    assert.equal(never.allowed.latest(nowMs, 0), undefined);
    const daily = readSchedule('@every 24h', 'Europe/Berlin');
    const over = ticksUnder(daily, ['c'], seen({ name: 'c', mode: 'exclude', dates: ['thu'] }));
    assert.equal(over.allowed.next(Date.UTC(2099, 11, 31, 23)), undefined);
  });

  it('of a calendar that is not there or not valid are none, and say why', () => {
    const schedule = readSchedule('0 12 * * *', 'UTC');
    const nowMs = Date.UTC(2026, 11, 25);
    const absent = ticksUnder(schedule, ['gone'], new Map());
    assert.equal(absent.allowed.next(nowMs), undefined);
    assert.equal(absent.excluded?.next(nowMs), nowMs + dayMs / 2);
    assert.equal(absent.exclusionAt(nowMs)?.reason, 'calendar "gone" does not exist');
    assert.equal(absent.exclusionIn(nowMs, nowMs + 9 * dayMs), 'calendar "gone" does not exist');
    assert.deepEqual(absent.guards, [{ name: 'gone', modRevision: 0 }]);
    const broken = { ok: false, newer: false, problems: [], raw: Buffer.from('{') } as const;
    const bad = ticksUnder(
      schedule,
      ['bad'],
      new Map([['bad', { ...broken, name: 'bad', createRevision: 3, modRevision: 4 }]]),
    );
    assert.equal(bad.exclusionAt(nowMs)?.reason, 'calendar "bad" is not valid');
    assert.deepEqual(bad.guards, [{ name: 'bad', modRevision: 4 }]);
    assert.equal(bad.hasNewer, false);
  });

  it('say which calendars excluded a stretch', () => {
    const schedule = readSchedule('0 12 * * *', 'Europe/Berlin');
    const ticks = ticksUnder(
      schedule,
      ['holidays', 'weekends'],
      seen(
        { name: 'holidays', mode: 'exclude', dates: ['12-25'] },
        { name: 'weekends', mode: 'exclude', dates: ['sat', 'sun'] },
      ),
    );
    const noon = (day: number): number => Date.UTC(2026, 11, day, 11);
    assert.equal(ticks.exclusionIn(noon(25), noon(25)), 'calendar "holidays" excludes 2026-12-25');
    assert.equal(
      ticks.exclusionIn(noon(26), noon(27)),
      'calendar "weekends" excludes 2026-12-26 to 2026-12-27',
    );
    assert.equal(
      ticks.exclusionIn(noon(25), noon(27)),
      'calendars "holidays", "weekends" exclude 2026-12-25 to 2026-12-27',
    );
    assert.equal(ticks.allowed.next(noon(24)), noon(28));
  });
});

describe('the text that a cursor counts', () => {
  it('holds the calendars, sorted, and reads back', () => {
    const daily = readSchedule('30 2 * * *', 'Europe/Berlin');
    assert.equal(encodeCounted(daily, []), '0 30 2 * * * * Europe/Berlin');
    const text = encodeCounted(daily, ['weekends', 'a.b-c_9', 'Été']);
    assert.equal(text, '0 30 2 * * * * Europe/Berlin calendars=a.b-c_9,weekends,Été');
    assert.deepEqual(calendarsIn(text), ['a.b-c_9', 'weekends', 'Été']);
    assert.equal(parseCounted(text)?.schedule, daily);
    assert.deepEqual(calendarsIn(encodeCounted(daily, [])), []);
    assert.deepEqual(calendarsIn('-'), []);
  });

  it('names the zone of a period only where dates need it', () => {
    const tenSeconds = readSchedule('@every 10s', 'Asia/Tokyo');
    assert.equal(encodeCounted(tenSeconds, []), '@every 10s');
    const text = encodeCounted(tenSeconds, ['c']);
    assert.equal(text, '@every 10s Asia/Tokyo calendars=c');
    assert.equal(parseCounted(text)?.schedule.timezone, 'Asia/Tokyo');
    assert.equal(parseCounted('0 30 2 * * * * Nowhere/Atall calendars=c'), undefined);
  });
});

describe('a preview under calendars', () => {
  it('tells what is passed over on the way, and keeps the notes of DST changes', () => {
    const schedule = readSchedule('30 2 * * *', 'Europe/Berlin');
    const calendars = seen({ name: 'c', mode: 'exclude', dates: ['2026-03-28', '2026-03-31'] });
    const from = Date.UTC(2026, 2, 27, 12);
    const { ticks, excluded } = previewUnder(schedule, ['c'], calendars, from, 2);
    assert.deepEqual(ticks, [
      { tick: Date.UTC(2026, 2, 29, 1), note: 'moved-out-of-gap' },
      { tick: Date.UTC(2026, 2, 30, 0, 30) },
    ]);
    const reason = 'calendar "c" excludes 2026-03-28';
    assert.deepEqual(excluded, [{ tick: Date.UTC(2026, 2, 28, 1, 30), calendar: 'c', reason }]);
  });

  it('is bounded where nothing is allowed', () => {
    const schedule = readSchedule('* * * * * *', 'UTC');
    const { ticks, excluded } = previewUnder(schedule, ['gone'], new Map(), 0, 5);
    assert.deepEqual(ticks, []);
    assert.equal(excluded.length, 100);
  });
});
