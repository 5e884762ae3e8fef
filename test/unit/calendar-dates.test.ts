import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { calendarEntryOf } from '../../shared/calendar/calendar-entry.ts';
import { dateText } from '../../shared/calendar/date-set.ts';
import type { CalendarInput } from '../../shared/calendar/definition.ts';
import { parseCalendar, parseStoredCalendar } from '../../shared/calendar/parse-calendar.ts';
import { CronmeshError } from '../../shared/errors.ts';
import { allowsDate } from '../support/calendar-oracle.ts';

const lastDay = Date.UTC(2099, 11, 31) / 86_400_000;

function calendar(dates: string[], mode: CalendarInput['mode'] = 'exclude') {
  return calendarEntryOf(parseCalendar({ name: 'c', mode, dates }));
}

function dayOf(date: string): number {
  return Date.parse(date) / 86_400_000;
}

function problemsOf(input: unknown): CronmeshError['problems'] {
  try {
    parseCalendar(input);
  } catch (error) {
    assert.ok(error instanceof CronmeshError);
    assert.equal(error.code, 'calendar-invalid');
    return error.problems;
  }
  throw new Error('it was taken');
}

describe('the dates of a calendar', () => {
  const cases: readonly (readonly [string, CalendarInput['mode'], readonly string[]])[] = [
    ['one day', 'exclude', ['2026-12-25']],
    ['every year', 'exclude', ['12-25', '01-01', '05-01']],
    ['29 February', 'exclude', ['02-29']],
    ['up to 29 February', 'only', ['02-27..02-29']],
    ['from 29 February', 'only', ['02-29..03-02']],
    ['a range over a turn of the year', 'exclude', ['2026-12-24..2027-01-02']],
    ['every turn of the year', 'exclude', ['12-24..01-02']],
    ['the whole year, from a day to the one before', 'exclude', ['03-01..02-29']],
    ['weekends', 'exclude', ['sat', 'sun']],
    ['working days only', 'only', ['mon', 'tue', 'wed', 'thu', 'fri']],
    [
      'all of it together',
      'exclude',
      ['sun', '12-25..12-26', '2026-05-14', '2027-08-01..2027-08-20'],
    ],
    ['overlapping ranges', 'exclude', ['2026-01-01..2026-03-01', '2026-02-01..2026-04-01']],
    ['the first and the last day', 'only', ['1970-01-01', '2099-12-31']],
    ['nothing excluded', 'exclude', []],
    ['nothing allowed', 'only', []],
  ];
  for (const [what, mode, dates] of cases) {
    it(`agree with a comparison of texts: ${what}`, () => {
      const { allowed, excluded } = calendar([...dates], mode);
      for (let day = 0; day <= lastDay; day++) {
        const expected = allowsDate({ mode, dates }, dateText(day));
        if (allowed.has(day) !== expected || excluded.has(day) === expected) {
          assert.fail(`${dateText(day)} should be ${expected ? 'allowed' : 'excluded'}`);
        }
      }
    });
  }

  it('are jumped through in both directions as a walk would find them', () => {
    for (const dates of [['02-29'], ['sat', 'sun'], ['12-24..01-02', '2050-06-07'], []]) {
      const { excluded } = calendar(dates);
      let next = Infinity;
      for (let day = lastDay; day >= 0; day--) {
        if (excluded.has(day)) next = day;
        assert.equal(excluded.next(day), next);
      }
      let last = -Infinity;
      for (let day = 0; day <= lastDay; day++) {
        if (excluded.has(day)) last = day;
        assert.equal(excluded.last(day), last);
      }
    }
  });

  it('end with the year 2099 and begin with 1970, whatever is named', () => {
    const { allowed, excluded } = calendar(['sat']);
    for (const set of [allowed, excluded]) {
      assert.equal(set.has(lastDay + 1), false);
      assert.equal(set.has(-1), false);
      assert.equal(set.next(lastDay + 1), Infinity);
      assert.equal(set.last(-1), -Infinity);
      assert.ok(set.next(-5) >= 0);
      assert.ok(set.last(lastDay + 9) <= lastDay);
    }
    assert.equal(dateText(allowed.last(Infinity)), '2099-12-31');
  });

  it('are ready at once, for 2,000 entries that each name every day', () => {
    const years = calendar(Array.from({ length: 2_000 }, () => '01-01..12-31'));
    const spans = calendar(Array.from({ length: 2_000 }, () => '1970-01-01..2099-12-31'));
    assert.equal(years.allowed.next(0), Infinity);
    assert.equal(spans.allowed.next(0), Infinity);
    assert.ok(calendar(['2026-12-25']).excluded.has(dayOf('2026-12-25')));
  });
});

describe('bad calendars', () => {
  const refusals: readonly (readonly [string, string])[] = [
    ['2026-02-30', 'is no date of the calendar'],
    ['2027-02-29', 'is no date of the calendar'],
    ['02-30', 'is no date of the calendar'],
    ['13-01', 'is no date of the calendar'],
    ['04-31', 'is no date of the calendar'],
    ['2026-00-10', 'is no date of the calendar'],
    ['1969-12-31', 'is out of range'],
    ['2100-01-01', 'is out of range'],
    ['2026-12-25..2026-12-24', 'is a range that ends before it begins'],
    ['12-24..2027-01-02', 'mixes a date of one year with one of every year'],
    ['2026-12-24..01-02', 'mixes a date of one year with one of every year'],
    ['2026-12-24..', 'is not a date'],
    ['..12-24', 'is not a date'],
    ['12-24..12-25..12-26', 'is not a date'],
    ['2026-12-24...2026-12-25', 'is not a date'],
    ['2026-1-1', 'is not a date'],
    ['25.12.2026', 'is not a date'],
    ['Sat', 'is not a date'],
    ['saturday', 'is not a date'],
    ['', 'is not a date'],
    [' 12-25', 'is not a date'],
    ['12-25\n', 'is not a date'],
    ['2026-12-25T00:00:00Z', 'is not a date'],
  ];
  for (const [text, message] of refusals) {
    it(`refuse ${JSON.stringify(text)}`, () => {
      const [problem, ...more] = problemsOf({ name: 'c', mode: 'exclude', dates: ['12-25', text] });
      assert.equal(problem?.field, '/dates/1');
      assert.equal(problem.message, message);
      assert.notEqual(problem.expected, '');
      assert.equal(problem.got, JSON.stringify(text));
      assert.deepEqual(more, []);
    });
  }

  it('name every problem at once', () => {
    const problems = problemsOf({ name: 'a/b', mode: 'never', dates: ['12-25', 7, 'x'], more: 1 });
    const fields = problems.map(({ field }) => field);
    assert.deepEqual(fields.toSorted(), ['/dates/1', '/dates/2', '/mode', '/more', '/name']);
  });

  it('take no more than 2,000 dates', () => {
    const dates = Array.from({ length: 2_001 }, () => '12-25');
    assert.equal(problemsOf({ name: 'c', mode: 'only', dates })[0]?.field, '/dates');
    assert.equal(
      parseCalendar({ name: 'c', mode: 'only', dates: dates.slice(1) }).dates.length,
      2_000,
    );
  });

  it('are quarantined where they stand, and left alone when they are of a newer form', () => {
    const stored = (value: unknown) =>
      parseStoredCalendar(
        'c',
        Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
      );
    assert.equal(stored({ name: 'c', mode: 'only', dates: ['sat'] }).ok, true);
    const cases = ['{', '[]', 'null', { name: 'd', mode: 'only', dates: [] }, { name: 'c' }];
    for (const value of cases) {
      const parsed = stored(value);
      assert.equal(parsed.ok, false);
      assert.equal(parsed.newer, false);
      assert.ok(parsed.problems.length > 0);
    }
    const newer = stored({ schemaVersion: 2, name: 'c', mode: 'lunar' });
    assert.equal(!newer.ok && newer.newer, true);
  });
});
