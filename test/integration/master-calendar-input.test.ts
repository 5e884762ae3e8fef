/**
 * Bad input for calendars and for jobs that name them: every refusal names the field, what was
 * expected and what came, and nothing is written.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { MasterRig, type MasterClient } from './master-support.ts';

const isNew = { 'if-none-match': '*' };
const weekends = { mode: 'exclude', dates: ['sat', 'sun'] };

describe('bad input for calendars', () => {
  let rig: MasterRig;
  let client: MasterClient;

  before(async () => {
    rig = await MasterRig.start();
    client = await rig.master();
  });
  after(() => rig.stop());

  const path = (name: string) => `/api/v1/calendars/${encodeURIComponent(name)}`;
  const putJob = (name: string, job: object = {}) =>
    client.ask(`/api/v1/jobs/${name}`, {
      method: 'PUT',
      json: { command: 'true', cronExpr: '0 12 * * *', ...job },
      headers: isNew,
    });

  const badCalendars: readonly (readonly [why: string, field: string, calendar: unknown])[] = [
    ['no mode', '/mode', { mode: undefined }],
    ['an unknown mode', '/mode', { mode: 'skip' }],
    ['no dates', '/dates', { dates: undefined }],
    ['dates that are one text', '/dates', { dates: '12-25' }],
    ['more than 2,000 dates', '/dates', { dates: Array.from({ length: 2_001 }, () => '12-25') }],
    ['30 February', '/dates/1', { dates: ['12-25', '02-30'] }],
    ['29 February of no leap year', '/dates/0', { dates: ['2027-02-29'] }],
    ['a thirteenth month', '/dates/0', { dates: ['2026-13-01'] }],
    ['a day of nought', '/dates/0', { dates: ['2026-01-00'] }],
    ['no leading zero', '/dates/0', { dates: ['2026-1-1'] }],
    ['a year long gone', '/dates/0', { dates: ['1969-12-31'] }],
    ['a year too far', '/dates/0', { dates: ['2100-01-01'] }],
    ['a range backwards', '/dates/0', { dates: ['2026-12-25..2026-12-24'] }],
    ['a range of both kinds', '/dates/0', { dates: ['12-24..2026-12-26'] }],
    ['a range of three', '/dates/0', { dates: ['01-01..01-02..01-03'] }],
    ['half a range', '/dates/0', { dates: ['12-24..'] }],
    ['a weekday with a capital', '/dates/0', { dates: ['Sat'] }],
    ['a weekday range', '/dates/0', { dates: ['sat..sun'] }],
    ['an empty date', '/dates/0', { dates: [''] }],
    ['blanks around a date', '/dates/0', { dates: [' 12-25'] }],
    ['NUL in a date', '/dates/0', { dates: ['12-25\0'] }],
    ['other digits', '/dates/0', { dates: ['٢٠٢٦-١٢-٢٥'] }],
    ['a number for a date', '/dates/0', { dates: [20_261_225] }],
    ['null for a date', '/dates/0', { dates: [null] }],
    ['an unknown field', '/date', { date: ['12-25'] }],
    ['a description too long', '/description', { description: 'x'.repeat(4_001) }],
    ['NUL in a description', '/description', { description: '\0' }],
    ['another name', '/name', { name: 'other' }],
    ['a newer form', '/schemaVersion', { schemaVersion: 2 }],
  ];
  for (const [why, field, calendar] of badCalendars) {
    test(`a calendar with ${why} names ${field}`, async () => {
      const json = { ...weekends, ...(calendar as object) };
      for (const query of ['', '?dryRun=true']) {
        const problem = await client.refusal(422, `${path('bad')}${query}`, {
          method: 'PUT',
          json,
          headers: isNew,
        });
        assert.equal(problem.code, 'calendar-invalid');
        const error = problem.errors.find(({ pointer }) => pointer === field);
        assert.ok(error, JSON.stringify(problem.errors).slice(0, 500));
        assert.ok(error.message !== '' && error.expected !== '' && error.got !== '');
        assert.ok(error.got.length <= 100, 'the value is shortened');
      }
      assert.equal(await rig.read(rig.keys.calendar('bad')), undefined);
    });
  }

  test('every wrong date is told, not the first alone', async () => {
    const problem = await client.refusal(422, path('bad'), {
      method: 'PUT',
      json: { mode: 'exclude', dates: ['x', '12-25', 'y'] },
      headers: isNew,
    });
    assert.deepEqual(
      problem.errors.map(({ pointer }) => pointer),
      ['/dates/0', '/dates/2'],
    );
  });

  test('names that are none, bodies that are none, queries that are none', async () => {
    for (const name of ['a b', '.hidden', 'a..b', 'x'.repeat(129), 'a\u0000']) {
      await client.refusal(400, path(name), { method: 'PUT', json: weekends, headers: isNew });
      await client.refusal(400, path(name));
    }
    for (const json of [[], 'text', 5, null, true]) {
      await client.refusal(422, path('bad'), { method: 'PUT', json, headers: isNew });
    }
    await client.refusal(400, '/api/v1/calendars?limit=5');
    await client.refusal(400, `${path('bad')}?dryRun=perhaps`, {
      method: 'PUT',
      json: weekends,
      headers: isNew,
    });
    await client.refusal(405, '/api/v1/calendars', { method: 'POST', json: weekends });
  });

  test('a job that names no calendar is refused, with the place of the name', async () => {
    await client.expect(201, path('there'), { method: 'PUT', json: weekends, headers: isNew });
    for (const query of ['', '?dryRun=true']) {
      const problem = await client.refusal(422, `/api/v1/jobs/hopeful${query}`, {
        method: 'PUT',
        json: { command: 'true', cronExpr: '@daily', calendars: ['there', 'absent'] },
        headers: isNew,
      });
      assert.deepEqual(problem.errors, [
        {
          pointer: '/calendars/1',
          message: 'does not exist',
          expected: 'the name of a calendar that is there',
          got: '"absent"',
        },
      ]);
    }
    for (const [calendars, pointer] of [
      [['there', 'there'], '/calendars/1'],
      [['a b'], '/calendars/0'],
      [[5], '/calendars/0'],
      ['there', '/calendars'],
      [Array.from({ length: 9 }, (_, index) => `c${index}`), '/calendars'],
    ] as const) {
      const answer = await putJob('hopeful', { calendars });
      assert.equal(answer.status, 422, answer.text);
      assert.ok(answer.text.includes(`"pointer":"${pointer}"`), answer.text);
    }
    assert.equal(await rig.read(rig.keys.job('hopeful')), undefined, 'nothing was written');
  });
});
