/**
 * Reading schedules: canonical texts, the two Vixie rules, sharing, and what is said about
 * everything that is not a schedule.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CronmeshError, type FieldProblem } from '../../shared/errors.ts';
import { parseCanonical } from '../../shared/schedule/parse-canonical.ts';
import { parseSchedule } from '../../shared/schedule/parse-schedule.ts';

function problemsOf(cronExpr: string, timezone = 'UTC', afterMs?: number): readonly FieldProblem[] {
  try {
    parseSchedule(cronExpr, timezone, afterMs === undefined ? {} : { afterMs });
  } catch (error) {
    assert.ok(error instanceof CronmeshError);
    assert.equal(error.code, 'schedule-invalid');
    return error.problems;
  }
  return assert.fail(`${cronExpr} in ${timezone} was taken`);
}

describe('canonical text', () => {
  const cases = [
    ['30 2 * * *', '0 30 2 * * * *'],
    ['  30\t2   * * *\n', '0 30 2 * * * *'],
    ['0 30 02 * * *', '0 30 2 * * * *'],
    ['@yearly', '0 0 0 1 1 * *'],
    ['@ANNUALLY', '0 0 0 1 1 * *'],
    ['@monthly', '0 0 0 1 * * *'],
    ['@weekly', '0 0 0 * * 0 *'],
    ['@Daily', '0 0 0 * * * *'],
    ['@midnight', '0 0 0 * * * *'],
    ['@hourly', '0 0 * * * * *'],
    ['0 0 ? * mon-fri', '0 0 0 * * 1-5 *'],
    ['0 0 * JAN,feb,Mar SUN', '0 0 0 * 1-3 0 *'],
    ['0 0 * * 7', '0 0 0 * * 0 *'],
    ['0 0 * * 5-7', '0 0 0 * * 0,5,6 *'],
    ['0 0 * * 1-7', '0 0 0 * * * *'],
    ['0 0 1-31 * 1', '0 0 0 * * * *'],
    ['0 0 1-31 * *', '0 0 0 * * * *'],
    ['0 0 1-31 * */2', '0 0 0 * * */2 *'],
    ['5,1,3,5,2 * * * *', '0 1-3,5 * * * * *'],
    ['3,2,2-5,1 0 * * *', '0 1-5 0 * * * *'],
    ['0-59 0-23 * * *', '0 * * * * * *'],
    ['0/15 * * * *', '0 */15 * * * * *'],
    ['0,15,30,45 0 * * *', '0 0-45/15 0 * * * *'],
    ['*/15,7 0 * * *', '0 */15,7 0 * * * *'],
    ['*/30,*/10 0 * * *', '0 */10 0 * * * *'],
    ['*/60 3 * * *', '0 */60 3 * * * *'],
    ['0,20,40 * * * * *', '*/20 * * * * * *'],
    ['0 0 0 1 */1 * *', '0 0 0 1 * * *'],
    ['0 0 0 1 1 * 2025,2026,2027,2030', '0 0 0 1 1 * 2025-2027,2030'],
    ['0 0 L,15W,1,LW,L-2 * *', '0 0 0 1,15W,L-2,L,LW * * *'],
    ['0 0 * * FRIL,1#2,3', '0 0 0 * * 3,1#2,5L *'],
    ['0 0 * * 5,5L,5#2,7L', '0 0 0 * * 5,0L *'],
    ['0 0 *,15 * 1', '0 0 0 * * 1 *'],
  ] as const;

  for (const [text, canonical] of cases) {
    test(`${JSON.stringify(text)} is ${canonical}`, () => {
      const schedule = parseSchedule(text, 'europe/berlin');
      assert.equal(schedule.canonical, `${canonical} Europe/Berlin`);
      assert.equal(schedule.timezone, 'Europe/Berlin');
      const again = parseCanonical(schedule.canonical);
      assert.equal(again?.canonical, schedule.canonical);
      assert.equal(again?.kind, schedule.kind);
    });
  }

  test('a period is written shortest, and has no zone in it', () => {
    for (const [text, canonical] of [
      ['@every 10s', '@every 10s'],
      ['@EVERY 90M', '@every 1h30m'],
      ['@every 86400s', '@every 1d'],
      ['@every 1h30m', '@every 1h30m'],
      ['@every 366d', '@every 366d'],
    ] as const) {
      const schedule = parseSchedule(text, 'Asia/Tokyo');
      assert.equal(schedule.canonical, canonical);
      assert.equal(schedule.timezone, 'Asia/Tokyo');
      assert.equal(parseCanonical(canonical)?.canonical, canonical);
    }
  });

  test('a canonical text may be longer than what a person may write', () => {
    const specials = Array.from({ length: 31 }, (_, index) => `${31 - index}W`).join(',');
    const written = `1,3,6,8,11,13 1,3,6,8,11,13 * ${specials} * 1#1,2#1,3#1,4#1,5#1,6#1`;
    const { canonical } = parseSchedule(`${written} 1971-2099/2`, 'America/Argentina/Buenos_Aires');
    assert.equal(parseCanonical(canonical)?.canonical, canonical);
  });

  test('what is no canonical text gives nothing', () => {
    for (const text of [
      '',
      '-',
      'x',
      '0 30 2 * * *',
      '0 30 2 * * * * Mars/Base',
      '@every',
      '@every 0s',
    ]) {
      assert.equal(parseCanonical(text), undefined, text);
    }
  });
});

test('fixed is what has no wildcard in minute and hour', () => {
  for (const [expression, kind] of [
    ['30 2 * * *', 'fixed'],
    ['0,30 2-4 * * *', 'fixed'],
    ['* 30 2 * * *', 'fixed'],
    ['5/15 2 * * *', 'fixed'],
    ['0 9-17/2 * * *', 'fixed'],
    ['*/15 2 * * *', 'interval'],
    ['0/15 2 * * *', 'interval'],
    ['0-59/15 2 * * *', 'interval'],
    ['0-59 2 * * *', 'interval'],
    ['7,*/15 2 * * *', 'interval'],
    ['0 * * * *', 'interval'],
    ['0 */2 * * *', 'interval'],
    ['0 0-23 * * *', 'interval'],
    ['@daily', 'fixed'],
    ['@hourly', 'interval'],
    ['@every 1d', 'interval'],
  ] as const) {
    assert.equal(parseSchedule(expression, 'UTC').kind, kind, expression);
  }
});

test('equal schedules are one object', () => {
  const schedule = parseSchedule('0 4 * * 1-5', 'Europe/Paris');
  assert.equal(parseSchedule('0 4 * * 1-5', 'Europe/Paris'), schedule);
  assert.equal(parseSchedule('0 4 * * MON-FRI', 'europe/paris'), schedule);
  assert.equal(parseCanonical(schedule.canonical), schedule);
});

describe('refusals name the field, what was expected and what came', () => {
  const cases: readonly (readonly [text: string, message: RegExp, got: string])[] = [
    ['', /expression is empty/, '""'],
    ['   ', /expression is empty/, '"   "'],
    ['*', /1 field$/, '"*"'],
    ['* * * *', /4 fields: one is missing/, '"* * * *"'],
    ['0 0 * * * * * *', /8 fields/, '"0 0 * * * * * *"'],
    [
      '0 0 * * * /usr/bin/backup --all now',
      /8 fields: a command/,
      '"0 0 * * * /usr/bin/backup --all now"',
    ],
    [
      'TZ=Europe/Berlin 0 0 * * * * *',
      /the zone goes into the job's timezone/,
      '"TZ=Europe/Berlin 0 0 * * * * *"',
    ],
    ['10s', /Did you mean @every 10s\?/, '"10s"'],
    ['every 5m', /Did you mean @every 5m\?/, '"every 5m"'],
    ['daily', /Did you mean @daily\?/, '"daily"'],
    ['*/0 * * * *', /minute field is wrong: a step of 0 never moves on/, '"*/0"'],
    ['*/-1 * * * *', /after \/ comes a step/, '"*/-1"'],
    ['*/1.5 * * * *', /after \/ comes a step/, '"*/1.5"'],
    ['*/ * * * *', /after \/ comes a step/, '"*/"'],
    ['*/2/3 * * * *', /more than one \//, '"*/2/3"'],
    ['*/90 * * * *', /a step of 90 is more than the field's 60 values.*@every 90m/, '"*/90"'],
    ['0 */36 * * *', /@every 36h/, '"*/36"'],
    ['60 * * * *', /minute field is wrong: 60 is above 59/, '"60"'],
    ['0 24 * * *', /hour field is wrong: 24 is above 23/, '"24"'],
    ['0 0 0 * *', /day-of-month field is wrong: 0 is below 1/, '"0"'],
    ['0 0 32 * *', /day-of-month field is wrong: 32 is above 31/, '"32"'],
    ['0 0 * 13 *', /month field is wrong: 13 is above 12/, '"13"'],
    ['0 0 * 0 *', /month field is wrong: 0 is below 1/, '"0"'],
    ['0 0 * * 8', /day-of-week field is wrong: 8 is above 7/, '"8"'],
    ['61 0 0 * * *', /second field is wrong: 61 is above 59/, '"61"'],
    ['0 0 0 * * * 1969', /year field is wrong: 1969 is below 1970/, '"1969"'],
    ['0 0 0 * * * 2100', /year field is wrong: 2100 is above 2099/, '"2100"'],
    ['0 0 0 1 1 2030', /Six fields begin with seconds; to give a year write all seven/, '"2030"'],
    ['99999999999999999999 * * * *', /above 59/, '"99999999999999999999"'],
    ['-5 * * * *', /a number is missing/, '"-5"'],
    ['5- * * * *', /a number is missing/, '"5-"'],
    ['1-2-3 * * * *', /one start and one end/, '"1-2-3"'],
    ['0 22-2 * * *', /cannot run backwards; write 22-23,0-2/, '"22-2"'],
    ['0 0 * * FRI-MON', /cannot run backwards; write 5-6,0-1/, '"FRI-MON"'],
    ['0 0 0 * * * 2030-2025', /cannot run backwards; write 2025-2030/, '"2030-2025"'],
    ['1,,2 * * * *', /an item of its list is empty/, '"1,,2"'],
    ['0 0 * 10-61 *', /61 is above 12/, '"61 in 10-61"'],
    ['0 0 * JANUARY *', /Did you mean JAN\?/, '"JANUARY"'],
    ['0 0 * * THR', /Did you mean THU\?/, '"THR"'],
    ['MON * * * *', /minute field is wrong: this is not a number/, '"MON"'],
    ['? * * * *', /\? may only stand alone/, '"?"'],
    ['0 0 ?/2 * *', /\? may only stand alone/, '"?/2"'],
    ['H 0 * * *', /this is not a number/, '"H"'],
    ['0 0 W * *', /W needs a day before it/, '"W"'],
    ['0 0 32W * *', /32 is above 31/, '"32 in 32W"'],
    ['0 0 1-5W * *', /this is not a number/, '"1-5 in 1-5W"'],
    ['0 0 L-31 * *', /no month has so many days/, '"L-31"'],
    ['0 0 5L * *', /this is not a number/, '"5L"'],
    ['0 0 1#2 * *', /# belongs to the day-of-week field/, '"1#2"'],
    ['0 0 * * L', /L needs a day of the week before it/, '"L"'],
    ['0 0 * * 15W', /W belongs to the day-of-month field/, '"15W"'],
    ['0 0 * * 5#6', /1 to 5/, '"5#6"'],
    ['0 0 * * 5#0', /1 to 5/, '"5#0"'],
    ['0 0 * * 5#1#2', /1 to 5/, '"5#1#2"'],
    ['0 0 * * #2', /a number is missing/, '"#2"'],
    ['0 0 * * 9L', /9 is above 7/, '"9 in 9L"'],
    ['@reboot', /@reboot is not supported: .* no boot of its own/, '"@reboot"'],
    ['@dialy', /no such macro. Did you mean @daily\?/, '"@dialy"'],
    ['@often', /no such macro/, '"@often"'],
    ['@daily /bin/true', /Nothing may follow @daily/, '"@daily /bin/true"'],
    ['@every', /@every needs a period/, '"@every"'],
    ['@every 0s', /shorter than a second/, '"0s"'],
    ['@every 10', /Did you mean 10s or 10m\?/, '"10"'],
    ['@every 500ms', /the least unit is a second/, '"500ms"'],
    ['@every 1.5h', /write 1h30m/, '"1.5h"'],
    ['@every 30m1h', /days before hours/, '"30m1h"'],
    ['@every 1h30', /its last number has no unit/, '"1h30"'],
    ['@every -5s', /not understood/, '"-5s"'],
    ['@every 367d', /longer than 366 days/, '"367d"'],
    ['@every 1h 30m', /one word without blanks/, '"1h 30m"'],
    ['@every 99999999999999999999999d', /longer than 366 days/, '"99999999999999999999999d"'],
    ['0 0 * * *\0', /control characters/, String.raw`"0 0 * * *\u0000"`],
    ['0 0 *\n* *', /control characters or line breaks/, String.raw`"0 0 *\n* *"`],
    ['0 0 *\u2028* *', /control characters or line breaks/, '"0 0 *\u2028* *"'],
    ['0 0 * * \u{1f4a5}', /neither a number nor a name/, '"\u{1f4a5}"'],
    ['\uff11 * * * *', /this is not a number/, '"\uff11"'],
    ['* '.repeat(200), /too long/, '400 characters'],
    ['* * 30 2 *', /never fires: February has no day 30/, '"* * 30 2 *"'],
    ['0 0 31 4 *', /never fires: April has no day 31/, '"0 0 31 4 *"'],
    ['0 0 31 4,6,9,11 *', /April, June, September, November has no day 31/, '"0 0 31 4,6,9,11 *"'],
    ['0 0 31W 6 *', /never fires/, '"0 0 31W 6 *"'],
    ['0 0 L-30 2,4 *', /never fires/, '"0 0 L-30 2,4 *"'],
    ['0 0 0 29 2 * 2027', /none of its years has a 29 February/, '"0 0 0 29 2 * 2027"'],
    ['0 0 30 2 *,1', /never fires/, '"0 0 30 2 *,1"'],
  ];
  for (const [text, message, got] of cases) {
    test(JSON.stringify(text.slice(0, 50)), () => {
      const [problem, ...more] = problemsOf(text).filter(({ message: said }) => message.test(said));
      assert.ok(problem !== undefined, JSON.stringify(problemsOf(text)));
      assert.equal(more.length, 0);
      assert.equal(problem.field, '/cronExpr');
      assert.equal(problem.got, got);
      assert.ok(problem.expected.length > 5);
    });
  }

  test('every wrong field is told at once, and the zone with them', () => {
    const problems = problemsOf('a b c d e', 'Nowhere/Land');
    assert.deepEqual(
      problems.map(({ field, expected, got }) => [field, expected.split(':')[0], got]),
      [
        ['/cronExpr', 'minute', '"a"'],
        ['/cronExpr', 'hour', '"b"'],
        ['/cronExpr', 'day-of-month', '"c"'],
        ['/cronExpr', 'month', '"d"'],
        ['/cronExpr', 'day-of-week', '"e"'],
        [
          '/timezone',
          'the name of an IANA time zone, such as Europe/Berlin or UTC',
          '"Nowhere/Land"',
        ],
      ],
    );
    assert.deepEqual(
      problemsOf('0 0 30 2 *', '').map(({ field }) => field),
      ['/cronExpr', '/timezone'],
    );
    assert.deepEqual(
      problemsOf('@every 5s', '+01:00').map(({ field }) => field),
      ['/timezone'],
    );
  });

  test('a local time that only a gap has is refused when its year is named', () => {
    const expression = '0 */10 2 30 3 * 2025';
    assert.match(problemsOf(expression, 'Europe/Berlin')[0]?.message ?? '', /clocks go forward/);
    assert.equal(parseSchedule(expression, 'UTC').kind, 'interval');
  });
});

test('a schedule that is over is refused where that is asked for, and only there', () => {
  const expression = '0 0 0 1 1 * 2020-2022';
  const now = Date.UTC(2025, 0, 1);
  const over = parseSchedule(expression, 'UTC');
  assert.equal(over.next(now), undefined);
  assert.equal(over.latest(now, 0), Date.UTC(2022, 0, 1));
  const [problem] = problemsOf(expression, 'UTC', now);
  assert.equal(problem?.field, '/cronExpr');
  assert.match(problem?.message ?? '', /never fires again/);
  assert.match(problem?.expected ?? '', /2025-01-01T00:00:00/);
  assert.equal(parseSchedule(expression, 'UTC', { afterMs: Date.UTC(2021, 5) }), over);
});
