import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  lineNaming,
  namedDays,
  readDateLines,
  toggleDay,
  withLines,
} from '../../webroot/src/calendars/date-lines.ts';
import { dateText, dayMs, epochDayOf, monthsOf } from '../../webroot/src/calendars/year-days.ts';
import { fireRows } from '../../webroot/src/format/fire-rows.ts';

test('dates are read line by line, and what is wrong is said by line', () => {
  const lines = readDateLines('01-01\n\n  12-24..01-02 \n2026-02-30\nsat\nSaturday\n');
  assert.deepEqual(lines.dates, ['01-01', '12-24..01-02', '2026-02-30', 'sat', 'Saturday']);
  assert.deepEqual(lines.lineOfDate, [1, 3, 4, 5, 6]);
  assert.deepEqual(
    lines.good.map(({ text }) => text),
    ['01-01', '12-24..01-02', 'sat'],
  );
  assert.deepEqual(
    lines.problems.map(({ line, got }) => [line, got]),
    [
      [4, '"2026-02-30"'],
      [6, '"Saturday"'],
    ],
  );
  for (const { message, expected } of lines.problems) assert.ok(message !== '' && expected !== '');
  assert.deepEqual(readDateLines('').dates, []);
});

test('the line that names a day is the one of the set of all', () => {
  const { good } = readDateLines('2026-05-14\n12-24..01-02\n02-29\nsun\n2026-07-01..2026-07-03');
  const named = namedDays(good);
  for (let day = epochDayOf(2023, 1, 1); day < epochDayOf(2029, 1, 1); day++) {
    assert.equal(lineNaming(good, day) !== undefined, named.has(day), dateText(day));
  }
  const nameOf = (year: number, month: number, day: number) =>
    lineNaming(good, epochDayOf(year, month, day))?.text;
  assert.equal(nameOf(2026, 5, 14), '2026-05-14');
  assert.equal(nameOf(2027, 1, 2), '12-24..01-02');
  assert.equal(nameOf(2028, 2, 29), '02-29');
  assert.equal(nameOf(2026, 7, 2), '2026-07-01..2026-07-03');
  assert.equal(nameOf(2026, 11, 22), 'sun');
  assert.equal(nameOf(2026, 11, 23), undefined);
});

test('a click names a day, takes that line back, and leaves other lines alone', () => {
  const day = epochDayOf(2026, 5, 14);
  assert.equal(toggleDay('', day), '2026-05-14\n');
  assert.equal(toggleDay('01-01\n\n', day), '01-01\n2026-05-14\n');
  assert.equal(toggleDay('01-01\n 2026-05-14 \nsun\n', day), '01-01\nsun\n');
  assert.equal(toggleDay('05-14\n', day), '05-14\n', 'named by a date of every year');
  assert.equal(toggleDay('thu\n', day), 'thu\n', 'named by its weekday');
  assert.equal(withLines('sat\n', ['sat', 'sun']), 'sat\nsun\n');
  assert.equal(withLines('sat\nsun', ['sat', 'sun']), 'sat\nsun');
});

test('months are laid out in weeks from Monday on', () => {
  const months = monthsOf(2026);
  assert.deepEqual(
    months.map(({ days }) => days.length),
    [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31],
  );
  assert.equal(monthsOf(2028)[1]?.days.length, 29);
  for (const year of [1970, 2000, 2026, 2099]) {
    for (const { days } of monthsOf(year)) {
      for (const { epochDay, column, week } of days) {
        const weekday = (new Date(epochDay * dayMs).getUTCDay() + 6) % 7;
        assert.equal(column, weekday, dateText(epochDay));
        assert.ok(week >= 0 && week < 6);
      }
    }
  }
});

test('what is passed over stands between the fires, one row for one reason', () => {
  const over = (tick: number, calendar: string, reason: string) => ({ tick, calendar, reason });
  const fires = [{ tick: 10 }, { tick: 50 }];
  const excluded = [
    over(5, 'a', 'a excludes 1'),
    over(20, 'a', 'a excludes 2'),
    over(30, 'a', 'a excludes 2'),
    over(40, 'b', 'b excludes 2'),
  ];
  assert.deepEqual(fireRows(fires, excluded), [
    { kind: 'passed', ...over(5, 'a', 'a excludes 1'), count: 1, more: false },
    { kind: 'fire', fire: { tick: 10 } },
    { kind: 'passed', ...over(20, 'a', 'a excludes 2'), count: 2, more: false },
    { kind: 'passed', ...over(40, 'b', 'b excludes 2'), count: 1, more: false },
    { kind: 'fire', fire: { tick: 50 } },
  ]);
  assert.deepEqual(fireRows(fires, []), [
    { kind: 'fire', fire: { tick: 10 } },
    { kind: 'fire', fire: { tick: 50 } },
  ]);
  const many = Array.from({ length: 100 }, (_, index) => over(index, 'a', 'a is gone'));
  assert.deepEqual(fireRows([], many), [
    { kind: 'passed', ...over(0, 'a', 'a is gone'), count: 100, more: true },
  ]);
});
