/**
 * Calendars over HTTP, on a real etcd: edits and their conditions, jobs that name calendars, deletions
 * that would leave a job without one, previews, and what needs attention.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  calendarDetailShape,
  calendarDryRunShape,
  calendarListShape,
  jobDetailShape,
  jobListShape,
  overviewShape,
  previewShape,
  savedCalendarShape,
} from '../../master/api/shapes.ts';
import { parseCursor } from '../../shared/protocol/cursor.ts';
import { waitFor } from '../support/server-process.ts';
import { EventReader, fieldOf, MasterRig, type MasterClient } from './master-support.ts';

const isNew = { 'if-none-match': '*' };
const any = { 'if-match': '*' };
const weekends = { mode: 'exclude', dates: ['sat', 'sun'] };

describe('calendars of a master', () => {
  let rig: MasterRig;
  let client: MasterClient;

  before(async () => {
    rig = await MasterRig.start();
    client = await rig.master();
  });
  after(() => rig.stop());

  const path = (name: string) => `/api/v1/calendars/${encodeURIComponent(name)}`;
  const create = async (name: string, json: object = weekends) =>
    savedCalendarShape.parse(
      (await client.expect(201, path(name), { method: 'PUT', json, headers: isNew })).body,
    );
  const remove = (status: number, name: string) =>
    client.expect(status, path(name), { method: 'DELETE', headers: any });
  const putJob = (name: string, job: object = {}) =>
    client.ask(`/api/v1/jobs/${name}`, {
      method: 'PUT',
      json: { command: 'true', cronExpr: '0 12 * * *', ...job },
      headers: isNew,
    });
  const detail = (name: string) => client.get(calendarDetailShape, path(name));
  const job = (name: string) => client.get(jobDetailShape, `/api/v1/jobs/${name}`);

  test('create, read, replace, list, delete', async () => {
    const created = await create('holidays', {
      description: 'Public holidays',
      mode: 'exclude',
      dates: ['12-25', '2026-12-31..2027-01-02'],
    });
    assert.deepEqual(created.calendar.dates, ['12-25', '2026-12-31..2027-01-02']);
    assert.equal(
      await rig.readText(rig.keys.calendar('holidays')),
      '{"name":"holidays","description":"Public holidays","mode":"exclude","dates":["12-25","2026-12-31..2027-01-02"]}',
      'one line of what differs from the defaults',
    );
    const read = await client.expect(200, path('holidays'));
    assert.equal(read.headers.get('etag'), `"${created.revision}"`);
    assert.deepEqual(await detail('holidays'), {
      calendar: created.calendar,
      revision: created.revision,
      createdRevision: created.revision,
      usedBy: 0,
      jobs: [],
    });
    const change = { mode: 'only', dates: ['mon'] };
    const ifMatch = { 'if-match': `"${created.revision}"` };
    const put = (status: number, json: object, headers: Record<string, string>) =>
      client.expect(status, path('holidays'), { method: 'PUT', json, headers });
    const replaced = savedCalendarShape.parse((await put(200, change, ifMatch)).body);
    assert.ok(replaced.revision > created.revision);
    assert.equal(replaced.calendar.description, '');
    await put(412, { mode: 'only', dates: [] }, ifMatch);
    const same = savedCalendarShape.parse((await put(200, change, any)).body);
    assert.equal(same.revision, replaced.revision, 'the same again is no edit');
    await create('another');
    const list = await client.get(calendarListShape, '/api/v1/calendars');
    assert.deepEqual(
      list.items.map(({ name, mode, usedBy }) => [name, mode, usedBy]),
      [
        ['another', 'exclude', 0],
        ['holidays', 'only', 0],
      ],
    );
    assert.deepEqual([list.total, list.missing, list.stale], [2, [], false]);
    await client.refusal(412, path('holidays'), { method: 'DELETE', headers: ifMatch });
    await remove(204, 'holidays');
    await remove(204, 'another');
    assert.equal(await rig.read(rig.keys.calendar('holidays')), undefined);
    await client.refusal(404, path('holidays'));
    await client.refusal(404, path('holidays'), { method: 'DELETE', headers: any });
  });

  test('an edit without, or with the wrong, condition changes nothing', async () => {
    await create('kept');
    const json = { mode: 'only', dates: [] };
    await client.refusal(428, path('kept'), { method: 'PUT', json });
    await client.refusal(428, path('kept'), { method: 'DELETE' });
    await client.refusal(412, path('kept'), { method: 'PUT', json, headers: isNew });
    await client.refusal(412, path('absent'), { method: 'PUT', json, headers: any });
    const stale = { 'if-match': '"1"' };
    const problem = await client.refusal(412, path('kept'), {
      method: 'PUT',
      json,
      headers: stale,
    });
    assert.match(problem.detail, /^The calendar was changed/);
    await client.refusal(400, path('kept'), {
      method: 'PUT',
      json,
      headers: { 'if-match': 'nonsense' },
    });
    assert.equal((await rig.read(rig.keys.calendar('kept')))?.version, 1);
    await remove(204, 'kept');
  });

  test('a dry run tells the changes and writes nothing', async () => {
    const dry = async (json: object, headers: Record<string, string> = {}) => {
      const ask = { method: 'PUT', json, headers };
      return calendarDryRunShape.parse(
        (await client.expect(200, `${path('tried')}?dryRun=true`, ask)).body,
      );
    };
    const fields = (changes: readonly { readonly field: string }[]) =>
      changes.map(({ field }) => field);
    assert.deepEqual(fields((await dry(weekends)).changes), ['/name', '/mode', '/dates']);
    assert.equal(await rig.read(rig.keys.calendar('tried')), undefined);
    await create('tried');
    assert.deepEqual((await dry(weekends, any)).changes, []);
    assert.deepEqual((await dry({ mode: 'exclude', dates: ['sat'] })).changes, [
      { field: '/dates', before: ['sat', 'sun'], after: ['sat'] },
    ]);
    await client.refusal(412, `${path('tried')}?dryRun=true`, {
      method: 'PUT',
      json: weekends,
      headers: isNew,
    });
    await remove(204, 'tried');
  });

  test('a calendar in use is not deleted, and the refusal says by whom', async () => {
    await create('used');
    for (let index = 0; index < 12; index++) {
      const name = `user-${String(index).padStart(2, '0')}`;
      assert.equal((await putJob(name, { calendars: ['used'] })).status, 201);
    }
    const problem = await client.refusal(409, path('used'), { method: 'DELETE', headers: any });
    assert.equal(problem.code, 'conflict');
    assert.match(problem.detail, /12 jobs: user-00, .*user-09 and 2 more$/);
    const { usedBy, jobs } = await detail('used');
    assert.deepEqual([usedBy, jobs.length, jobs[0], jobs[11]], [12, 12, 'user-00', 'user-11']);
    for (const name of jobs) {
      await client.expect(204, `/api/v1/jobs/${name}`, { method: 'DELETE', headers: any });
    }
    assert.equal((await detail('used')).usedBy, 0);
    await remove(204, 'used');
  });

  test("the list of a job's calendars is part of what its cursor counts, what they hold is not", async () => {
    await create('counted');
    assert.equal((await putJob('counts', { calendars: ['counted'] })).status, 201);
    const cursor = async () =>
      parseCursor((await rig.readText(rig.keys.cursor('counts'))) ?? '')?.schedule;
    assert.match((await cursor()) ?? '', / UTC calendars=counted$/);
    const text = await rig.readText(rig.keys.cursor('counts'));
    await client.expect(200, path('counted'), {
      method: 'PUT',
      json: { mode: 'exclude', dates: ['mon'] },
      headers: any,
    });
    assert.equal(await rig.readText(rig.keys.cursor('counts')), text);
    const { running: _, ...shown } = await job('counts');
    assert.deepEqual(shown.job?.calendars, ['counted']);
    await client.expect(200, '/api/v1/jobs/counts', {
      method: 'PUT',
      json: { command: 'true', cronExpr: '0 12 * * *' },
      headers: any,
    });
    assert.match((await cursor()) ?? '', / UTC$/);
    await client.expect(204, '/api/v1/jobs/counts', { method: 'DELETE', headers: any });
    await remove(204, 'counted');
  });

  test('the preview passes dates over and says why', async () => {
    await create('weekends');
    await create('freeze', { mode: 'exclude', dates: ['2026-12-21..2026-12-24'] });
    const preview = async (json: object) => {
      const ask = { method: 'POST', json };
      return previewShape.parse((await client.expect(200, '/api/v1/schedule/preview', ask)).body);
    };
    const noon = (day: number) => Date.UTC(2026, 11, day, 12);
    const daily = { cronExpr: '0 12 * * *', after: Date.UTC(2026, 11, 17, 13), count: 3 };
    const plain = await preview(daily);
    assert.deepEqual(
      plain.ticks.map(({ tick }) => tick),
      [noon(18), noon(19), noon(20)],
    );
    assert.deepEqual(plain.excluded, []);
    const dated = await preview({ ...daily, calendars: ['weekends', 'freeze'] });
    assert.deepEqual(
      dated.ticks.map(({ tick }) => tick),
      [noon(18), noon(25), noon(28)],
    );
    assert.deepEqual(
      dated.excluded.map(({ tick, calendar }) => [tick, calendar]),
      [
        [noon(19), 'weekends'],
        [noon(20), 'weekends'],
        [noon(21), 'freeze'],
        [noon(22), 'freeze'],
        [noon(23), 'freeze'],
        [noon(24), 'freeze'],
        [noon(26), 'weekends'],
        [noon(27), 'weekends'],
      ],
    );
    assert.equal(dated.excluded[2]?.reason, 'calendar "freeze" excludes 2026-12-21');
    const problem = await client.refusal(422, '/api/v1/schedule/preview', {
      method: 'POST',
      json: { ...daily, calendars: ['weekends', 'absent'] },
    });
    assert.deepEqual(
      [problem.code, problem.errors[0]?.pointer],
      ['schedule-invalid', '/calendars/1'],
    );
    await client.refusal(400, '/api/v1/schedule/preview', {
      method: 'POST',
      json: { ...daily, calendars: 'weekends' },
    });
    await remove(204, 'weekends');
    await remove(204, 'freeze');
  });

  test('jobs without their calendars need attention, and say which', async () => {
    await create('fine');
    assert.equal((await putJob('well', { calendars: ['fine'] })).status, 201);
    const put = (name: string, calendars: readonly string[]) =>
      rig.put(rig.keys.job(name), { name, command: 'x', cronExpr: '0 12 * * *', calendars });
    await put('lonely', ['gone']);
    await put('confused', ['fine', 'garbled']);
    await put('never', ['nothing']);
    await rig.put(rig.keys.calendar('garbled'), '{"mode":"exclude","dates":["02-30"]}');
    const last = await rig.put(rig.keys.calendar('nothing'), {
      name: 'nothing',
      mode: 'only',
      dates: [],
    });
    await waitFor(async () => ((await detail('nothing')).revision === last ? true : undefined), {
      timeoutMs: 20_000,
      describe: () => 'the view to have them all',
    });
    const list = await client.get(jobListShape, '/api/v1/jobs?status=attention');
    assert.deepEqual(
      list.items.map(({ name, attention, nextTick }) => [name, attention, nextTick]),
      [
        ['confused', ['calendar "garbled" is not valid'], undefined],
        ['lonely', ['calendar "gone" does not exist'], undefined],
      ],
    );
    const ok = await client.get(jobListShape, '/api/v1/jobs?status=ok');
    assert.deepEqual(
      ok.items.map(({ name, calendars, attention }) => [name, calendars, attention]),
      [
        ['never', ['nothing'], ['its calendars allow none of its fires']],
        ['well', ['fine'], []],
      ],
    );
    const lonely = await job('lonely');
    assert.deepEqual(lonely.nextTicks, []);
    assert.deepEqual(lonely.attention, ['calendar "gone" does not exist']);
    assert.equal(lonely.excluded[0]?.reason, 'calendar "gone" does not exist');
    const well = await job('well');
    assert.equal(well.nextTicks.length, 5);
    assert.ok(well.nextTicks.every((tick) => ![0, 6].includes(new Date(tick).getUTCDay())));
    assert.ok(well.excluded.every(({ tick }) => [0, 6].includes(new Date(tick).getUTCDay())));
    assert.ok(well.excluded.length >= 1);
    const overview = await client.get(overviewShape, '/api/v1/overview');
    assert.equal(overview.jobs.attention, 2);
    assert.ok(overview.notes.some((note) => /2 jobs are stopped by a calendar/.test(note)));

    // Jobs are held up by other things as well; the overview counts whom the list shows.
    const fire = rig.keys.fire('never', 't1');
    const cursor = (await rig.readText(rig.keys.cursor('well'))) ?? '';
    await rig.put(fire, 'nonsense');
    await rig.put(rig.keys.cursor('well'), cursor.replace(/^\d{16}/, '0004102444800000'));
    const seesHeldUp = (count: number) =>
      waitFor(
        async () => {
          const { jobs } = await client.get(overviewShape, '/api/v1/overview');
          const { total } = await client.get(jobListShape, '/api/v1/jobs?status=attention');
          return jobs.attention === count && total === count ? true : undefined;
        },
        { timeoutMs: 20_000, describe: () => `${count} jobs to be held up` },
      );
    await seesHeldUp(4);
    await rig.delete(fire);
    await rig.put(rig.keys.cursor('well'), cursor);
    await seesHeldUp(2);

    const calendars = await client.get(calendarListShape, '/api/v1/calendars');
    assert.deepEqual(calendars.missing, [{ name: 'gone', usedBy: 1 }]);
    const garbled = calendars.items.find(({ name }) => name === 'garbled');
    assert.equal(garbled?.mode, undefined);
    assert.ok(garbled?.problems?.some(({ field }) => field === '/dates/0'));
    assert.match((await detail('garbled')).raw ?? '', /02-30/);
    // It can be mended here; and paused and resumed meanwhile.
    for (const verb of ['pause', 'resume']) {
      await client.expect(200, `/api/v1/jobs/lonely/${verb}`, { method: 'POST', headers: any });
    }
    await client.expect(200, path('garbled'), { method: 'PUT', json: weekends, headers: any });
    await create('gone', weekends);
    assert.deepEqual((await job('confused')).attention, []);
    assert.deepEqual((await job('lonely')).attention, []);
    for (const name of ['well', 'lonely', 'confused', 'never']) {
      await client.expect(204, `/api/v1/jobs/${name}`, { method: 'DELETE', headers: any });
    }
    for (const name of ['fine', 'gone', 'garbled', 'nothing']) await remove(204, name);
  });

  test('what was put by hand under a name that is none, or of a newer form, is shown', async () => {
    await rig.put(rig.keys.calendar('a b'), { name: 'a b', ...weekends });
    const last = await rig.put(rig.keys.calendar('future'), { schemaVersion: 9, name: 'future' });
    await waitFor(async () => (await client.ask(path('future'))).status === 200, {
      timeoutMs: 20_000,
      describe: () => `revision ${last}`,
    });
    const { items } = await client.get(calendarListShape, '/api/v1/calendars');
    assert.deepEqual(
      items.map(({ name, problems }) => [name, problems?.[0]?.field]),
      [
        ['a b', '/name'],
        ['future', '/schemaVersion'],
      ],
    );
    await remove(204, 'a b');
    await remove(204, 'future');
  });

  test('hints name the calendar that changed', async () => {
    const stream = await EventReader.open(`${client.url}/api/v1/stream?topics=calendars`);
    await stream.next(({ event }) => event === 'snapshot');
    await create('hinted');
    const hint = await stream.next(({ event }) => event === 'calendars');
    assert.deepEqual(fieldOf(hint.data, 'names'), ['hinted']);
    stream.close();
    await remove(204, 'hinted');
  });
});
