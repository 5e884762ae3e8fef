/**
 * Schedules in words, and previews with their notes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCronmeshError } from '../../shared/errors.ts';
import { describeSchedule } from '../../shared/schedule/describe.ts';
import { parseSchedule } from '../../shared/schedule/parse-schedule.ts';
import { previewTicks } from '../../shared/schedule/preview.ts';

const ofMonth = 'of the month';

const cases = [
  ['* * * * * *', 'Every second'],
  ['*/10 * * * * *', 'Every 10 seconds'],
  ['*/10 * 9-17 * * 1', 'Every 10 seconds from 09:00:00 to 17:59:50 on Mondays'],
  ['*/7 0 * * * *', 'At seconds 0 to 59 in steps of 7 of minute 0 of every hour'],
  ['* * * * *', 'Every minute'],
  ['30 * * * * *', 'Every minute at second 30'],
  ['*/5 * * * *', 'Every 5 minutes'],
  ['30 */5 9 * * *', 'Every 5 minutes at second 30 from 09:00:30 to 09:55:30'],
  ['*/7 * * * *', 'At minutes 0 to 59 in steps of 7 of every hour'],
  ['*/15 9-17 * * MON-FRI', 'Every 15 minutes from 09:00 to 17:45 from Monday to Friday'],
  ['*/15 9,17 * * *', 'At 09:00, 09:15, 09:30, 09:45, 17:00, 17:15, 17:30 and 17:45 every day'],
  ['* 2 * * *', 'Every minute from 02:00 to 02:59'],
  ['* */2 * * *', 'At every minute of hours 0 to 23 in steps of 2'],
  ['@hourly', 'Every hour'],
  ['1 * * * *', 'Every hour at 1 minute past'],
  ['30 15 * * * *', 'Every hour at 15 minutes and 30 seconds past'],
  ['15 */6 * * *', 'Every 6 hours from 00:15'],
  ['0 */5 * * *', 'At 00:00, 05:00, 10:00, 15:00 and 20:00 every day'],
  ['0 9-17 * * *', 'Every hour from 09:00 to 17:00'],
  ['30 2 * * *', 'At 02:30 every day'],
  ['5 30 2 * * *', 'At 02:30:05 every day'],
  ['0 8,12 * * *', 'At 08:00 and 12:00 every day'],
  ['0 9 * * MON,FRI', 'At 09:00 on Mondays and Fridays'],
  ['0 9 * * 6,0', 'At 09:00 on Saturdays and Sundays'],
  ['@weekly', 'At 00:00 on Sundays'],
  ['@monthly', `At 00:00 on the 1st ${ofMonth}`],
  ['0 0 1-7,15,22 * *', `At 00:00 on the 1st to the 7th, the 15th and the 22nd ${ofMonth}`],
  ['0 0 L * *', `At 00:00 on the last day ${ofMonth}`],
  ['0 0 LW * *', `At 00:00 on the last working day (Monday to Friday) ${ofMonth}`],
  ['0 0 3W * *', `At 00:00 on the working day (Monday to Friday) nearest to the 3rd ${ofMonth}`],
  ['0 0 L-1 * *', `At 00:00 on the day before the last ${ofMonth}`],
  ['0 0 L-3 * *', `At 00:00 on the day 3 days before the last ${ofMonth}`],
  ['0 0 * * 5L', `At 00:00 on the last Friday ${ofMonth}`],
  ['0 0 * * 2,5#2', `At 00:00 on Tuesdays and on the second Friday ${ofMonth}`],
  ['0 0 1-7 * 1', `At 00:00 on the 1st to the 7th ${ofMonth} and also on Mondays`],
  [
    '0 0 */10 * 1',
    `At 00:00 on Mondays, but only on the 1st, the 11th, the 21st and the 31st ${ofMonth}`,
  ],
  ['@yearly', 'At 00:00 on 1 January'],
  ['0 0 29 2 *', 'At 00:00 on 29 February'],
  ['0 0 1,15 1,7 *', `At 00:00 on the 1st and the 15th ${ofMonth}, in January and July`],
  ['0 0 * 3 *', 'At 00:00 every day in March'],
  ['0 0 * 3 1', 'At 00:00 on Mondays, in March'],
  ['0 0 0 1 1 * 2027', 'At 00:00 on 1 January, in 2027'],
  ['0 0 0 * * * 2025-2027,2030', 'At 00:00 every day in the years 2025 to 2027 and 2030'],
  ['*/30 * * * * *', 'Every 30 seconds'],
  ['0,20,40 * * * * *', 'Every 20 seconds'],
  ['0,20 * * * * *', 'At seconds 0 and 20 of every minute of every hour'],
  ['10,40 * * * * *', 'At seconds 10 and 40 of every minute of every hour'],
  ['0,30 5-10 3,7,9 * * *', 'At seconds 0 and 30 of minutes 5 to 10 of hours 3, 7 and 9'],
  ['@every 1s', 'Every second'],
  ['@every 90s', 'Every 1 minute and 30 seconds'],
  ['@every 1h', 'Every hour, counted in UTC'],
  ['@every 1d12h', 'Every 1 day and 12 hours, counted in UTC'],
] as const;

test('common forms are said in plain words, the rest field by field', () => {
  for (const [expression, words] of cases) {
    assert.equal(describeSchedule(expression), words, expression);
    assert.equal(describeSchedule(parseSchedule(expression, 'Europe/Berlin')), words);
  }
});

test('what is no schedule has no words', () => {
  assert.throws(
    () => describeSchedule('61 * * * *'),
    (error) => isCronmeshError(error, 'schedule-invalid'),
  );
});

test('a preview gives the next ticks, with notes where the clocks change', () => {
  const nightly = parseSchedule('30 2 * * *', 'Europe/Berlin');
  assert.deepEqual(previewTicks(nightly, Date.UTC(2025, 2, 29), 3), [
    { tick: Date.UTC(2025, 2, 29, 1, 30) },
    { tick: Date.UTC(2025, 2, 30, 1, 0), note: 'moved-out-of-gap' },
    { tick: Date.UTC(2025, 2, 31, 0, 30) },
  ]);
  assert.deepEqual(previewTicks(nightly, Date.UTC(2025, 9, 26), 1), [
    { tick: Date.UTC(2025, 9, 26, 0, 30), note: 'once-of-doubled' },
  ]);
  const quarterly = parseSchedule('*/15 * * * *', 'Europe/Berlin');
  assert.ok(
    previewTicks(quarterly, Date.UTC(2025, 9, 25, 22), 20).every(({ note }) => note === undefined),
  );
});

test('a preview ends with its schedule', () => {
  const twice = parseSchedule('0 0 0 1 1 * 2026-2027', 'UTC');
  assert.equal(previewTicks(twice, Date.UTC(2025, 0), 10).length, 2);
  assert.deepEqual(previewTicks(twice, Date.UTC(2028, 0), 10), []);
  assert.deepEqual(previewTicks(twice, Date.UTC(2025, 0), 0), []);
});
