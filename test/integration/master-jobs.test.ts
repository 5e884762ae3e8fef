/** Definitions over HTTP: lists, edits, conditions, what stands in etcd afterwards; two masters at once. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  dryRunShape,
  jobDetailShape,
  jobListShape,
  savedJobShape,
} from '../../master/api/shapes.ts';
import { parseCursor } from '../../shared/protocol/cursor.ts';
import { decodeValue, doneSchema } from '../../shared/protocol/values.ts';
import { waitFor } from '../support/server-process.ts';
import { MasterRig, type MasterClient } from './master-support.ts';

describe('jobs of a master', () => {
  let rig: MasterRig;
  let a: MasterClient;
  let b: MasterClient;

  before(async () => {
    rig = await MasterRig.start();
    a = await rig.master();
    b = await rig.master();
  });
  after(() => rig.stop());

  const detail = (client: MasterClient, name: string) =>
    client.get(jobDetailShape, `/api/v1/jobs/${encodeURIComponent(name)}`);

  test('create, read, replace, pause, resume, delete', async () => {
    const created = await a.putNew('life', { command: 'echo 1', cronExpr: '*/5 * * * * *' });
    const { revision } = savedJobShape.parse(created.body);
    assert.equal(created.headers.get('etag'), `"${revision}"`);
    const read = await a.expect(200, '/api/v1/jobs/life');
    assert.equal(read.headers.get('etag'), `"${revision}"`);
    const shown = jobDetailShape.parse(read.body);
    assert.equal(shown.job?.command, 'echo 1');
    assert.equal(shown.nextTicks.length, 5);
    assert.equal(shown.scheduleText, 'Every 5 seconds');

    const replaced = await a.expect(200, '/api/v1/jobs/life', {
      method: 'PUT',
      json: {
        name: 'life',
        command: 'echo 2',
        cronExpr: '*/5 * * * * *',
        labels: { b: '1', a: '2' },
      },
      headers: { 'if-match': `"${revision}"` },
    });
    const second = savedJobShape.parse(replaced.body);
    assert.ok(second.revision > revision);
    assert.equal(
      await rig.readText(rig.keys.job('life')),
      '{"name":"life","command":"echo 2","cronExpr":"*/5 * * * * *","labels":{"b":"1","a":"2"}}',
    );

    const paused = await a.expect(200, '/api/v1/jobs/life/pause', {
      method: 'POST',
      headers: { 'if-match': `"${second.revision}"` },
    });
    assert.equal(savedJobShape.parse(paused.body).job.enabled, false);
    assert.match((await rig.readText(rig.keys.cursor('life'))) ?? '', / -$/);
    assert.deepEqual((await detail(a, 'life')).nextTicks, []);
    await a.refusal(412, '/api/v1/jobs/life/resume', {
      method: 'POST',
      headers: { 'if-match': `"${second.revision}"` },
    });
    await a.expect(200, '/api/v1/jobs/life/resume', {
      method: 'POST',
      headers: { 'if-match': '*' },
    });
    assert.match((await rig.readText(rig.keys.cursor('life'))) ?? '', /UTC$/);

    await a.expect(204, '/api/v1/jobs/life', { method: 'DELETE', headers: { 'if-match': '*' } });
    assert.equal(await rig.read(rig.keys.job('life')), undefined);
    assert.match((await rig.readText(rig.keys.cursor('life'))) ?? '', /^\d{16} x$/);
    await a.refusal(404, '/api/v1/jobs/life');
    await a.refusal(404, '/api/v1/jobs/life', { method: 'DELETE', headers: { 'if-match': '*' } });
  });

  test('an edit without, or with the wrong, condition is refused and changes nothing', async () => {
    const { revision } = savedJobShape.parse((await a.putNew('guarded')).body);
    const json = { command: 'other', cronExpr: '@daily' };
    const put = { method: 'PUT', json } as const;
    const path = '/api/v1/jobs/guarded';
    const missing = await a.refusal(428, path, put);
    assert.equal(missing.errors[0]?.pointer, 'If-Match');
    const stale = await a.ask(path, { ...put, headers: { 'if-match': `"${revision - 1}"` } });
    assert.equal(stale.status, 412);
    assert.equal(stale.headers.get('etag'), `"${revision}"`);
    await a.refusal(412, path, { ...put, headers: { 'if-none-match': '*' } });
    await a.refusal(412, '/api/v1/jobs/never-there', { ...put, headers: { 'if-match': '"1"' } });
    for (const bad of ['12', 'W12', '"a', '', ' ']) {
      const refusal = await a.refusal(400, path, { ...put, headers: { 'if-match': bad } });
      assert.equal(refusal.errors[0]?.pointer, 'If-Match', bad);
    }
    await a.refusal(400, path, { ...put, headers: { 'if-match': '*', 'if-none-match': '*' } });
    await a.refusal(400, path, { ...put, headers: { 'if-none-match': '"1"' } });
    await a.refusal(412, path, { ...put, headers: { 'if-match': '"abc"' } });
    for (const verb of ['pause', 'resume']) {
      await a.refusal(428, `${path}/${verb}`, { method: 'POST' });
      await a.refusal(404, `/api/v1/jobs/never-there/${verb}`, {
        method: 'POST',
        headers: { 'if-match': '*' },
      });
    }
    await a.refusal(428, path, { method: 'DELETE' });
    await a.refusal(412, path, { method: 'DELETE', headers: { 'if-match': '"1"' } });
    assert.equal((await rig.read(rig.keys.job('guarded')))?.modRevision, revision);
    // A list of tags, and one that a compressing proxy has weakened.
    await a.expect(200, path, { ...put, headers: { 'if-match': `"1", W/"${revision}"` } });
  });

  test('the same definition again is no edit', async () => {
    const first = savedJobShape.parse(
      (await a.putNew('same', { timezone: 'UTC', env: { A: '1' } })).body,
    );
    const again = await a.expect(200, '/api/v1/jobs/same', {
      method: 'PUT',
      json: { ...first.job },
      headers: { 'if-match': `"${first.revision}"` },
    });
    assert.equal(savedJobShape.parse(again.body).revision, first.revision);
    assert.equal((await rig.read(rig.keys.job('same')))?.version, 1);
  });

  test('a dry run tells the changes and writes nothing', async () => {
    const path = '/api/v1/jobs/tried?dryRun=true';
    const json = { command: 'echo', cronExpr: '@hourly' };
    const asNew = await a.expect(200, path, { method: 'PUT', json });
    assert.deepEqual(
      dryRunShape.parse(asNew.body).changes.map(({ field }) => field),
      ['/name', '/command', '/cronExpr'],
    );
    assert.equal(await rig.read(rig.keys.job('tried')), undefined);
    const { revision } = savedJobShape.parse((await a.putNew('tried', json)).body);
    const change = await a.expect(200, path, {
      method: 'PUT',
      json: { ...json, cronExpr: '@daily', group: 'g' },
      headers: { 'if-match': `"${revision}"` },
    });
    assert.deepEqual(dryRunShape.parse(change.body).changes, [
      { field: '/cronExpr', before: '@hourly', after: '@daily' },
      { field: '/group', before: 'default', after: 'g' },
    ]);
    await a.refusal(412, path, { method: 'PUT', json, headers: { 'if-match': '"1"' } });
    await a.refusal(422, path, { method: 'PUT', json: { ...json, cronExpr: '* *' } });
  });

  test('a changed schedule moves the cursor to now and accounts for what was due before', async () => {
    await a.putNew('moved', { cronExpr: '* * * * * *' });
    const counted = parseCursor((await rig.readText(rig.keys.cursor('moved'))) ?? '');
    assert.ok(counted !== undefined);
    // Nobody ran it for a minute, by what its cursor says.
    const old = `${String(counted.tick - 60_000).padStart(16, '0')} ${counted.schedule}`;
    await rig.put(rig.keys.cursor('moved'), old);
    const begunAt = Date.now();
    await a.expect(200, '/api/v1/jobs/moved', {
      method: 'PUT',
      json: { command: 'true', cronExpr: '@daily' },
      headers: { 'if-match': '*' },
    });
    const now = parseCursor((await rig.readText(rig.keys.cursor('moved'))) ?? '');
    assert.ok(now !== undefined && now.tick >= begunAt && now.schedule !== counted.schedule);
    const dones = [...(await rig.list('done/')).entries()].filter(([key]) =>
      key.startsWith('moved/'),
    );
    assert.equal(dones.length, 1);
    const done = decodeValue(doneSchema, dones[0]?.[1] ?? '');
    assert.equal(done?.outcome, 'missed');
    assert.ok(done.outcome === 'missed' && (done.count ?? 0) >= 60);
  });

  test('two masters: an edit on one is seen on the other, and of two with one ETag one wins', async () => {
    const { revision } = savedJobShape.parse((await a.putNew('shared')).body);
    await waitFor(async () => (await b.ask('/api/v1/jobs/shared')).status === 200, {
      timeoutMs: 5_000,
      describe: () => 'the other master shows it',
    });
    for (let round = 0, etag = revision; round < 10; round++) {
      const answers = await Promise.all(
        [a, b].map((client, index) =>
          client.ask('/api/v1/jobs/shared', {
            method: 'PUT',
            json: { command: `echo ${round} ${index}`, cronExpr: '@daily' },
            headers: { 'if-match': `"${etag}"` },
          }),
        ),
      );
      const statuses = answers.map(({ status }) => status).toSorted((x, y) => x - y);
      assert.deepEqual(statuses, [200, 412]);
      const won = answers.find(({ status }) => status === 200);
      etag = savedJobShape.parse(won?.body).revision;
    }
    const created = await Promise.all(
      [a, b].map((client) =>
        client.ask('/api/v1/jobs/raced', {
          method: 'PUT',
          json: { command: 'true', cronExpr: '@daily' },
          headers: { 'if-none-match': '*' },
        }),
      ),
    );
    assert.deepEqual(
      created.map(({ status }) => status).toSorted((x, y) => x - y),
      [201, 412],
    );
  });

  test('a job whose cursor never rests can be edited', async () => {
    const { revision } = savedJobShape.parse(
      (await a.putNew('restless', { cronExpr: '* * * * * *' })).body,
    );
    const first = parseCursor((await rig.readText(rig.keys.cursor('restless'))) ?? '');
    assert.ok(first !== undefined);
    let isOver = false;
    let moves = 0;
    const moving = (async () => {
      for (let tick = first.tick; !isOver; tick += 1) {
        // As claims do: only forward, and never over another schedule.
        const raw = await rig.readText(rig.keys.cursor('restless'));
        const { succeeded } = await rig.etcd.txn({
          compare: [
            { key: rig.keys.cursor('restless'), target: 'value', op: '=', value: raw ?? '' },
          ],
          success: [
            {
              put: {
                key: rig.keys.cursor('restless'),
                value: `${String(tick).padStart(16, '0')} ${first.schedule}`,
              },
            },
          ],
          failure: [],
        });
        if (succeeded) moves++;
      }
    })();
    await waitFor(() => moves > 5, { timeoutMs: 5_000, describe: () => 'the cursor moves' });
    let etag = revision;
    for (let round = 0; round < 5; round++) {
      const answer = await a.expect(200, '/api/v1/jobs/restless', {
        method: 'PUT',
        json: { command: `echo ${round}`, cronExpr: '* * * * * *' },
        headers: { 'if-match': `"${etag}"` },
      });
      etag = savedJobShape.parse(answer.body).revision;
    }
    isOver = true;
    await moving;
    assert.ok(moves > 10);
  });

  test('what was put by hand is a whole job, or is quarantined and shown with its reasons', async () => {
    await rig.put(rig.keys.job('by-hand'), '{"name":"by-hand","command":"x","cronExpr":"@daily"}');
    await rig.put(rig.keys.job('broken'), '{"name":"broken","command":"x","cronExpr":"61 * * * *"');
    await rig.put(rig.keys.job('wrong'), {
      name: 'wrong',
      command: '',
      cronExpr: '61 * * * *',
      x: 1,
    });
    await rig.put(rig.keys.job('a/b c'), { name: 'a/b c', command: 'x', cronExpr: '@daily' });
    await waitFor(async () => (await a.ask('/api/v1/jobs/a%2Fb%20c')).status === 200, {
      timeoutMs: 5_000,
      describe: () => 'the master shows it',
    });
    assert.equal((await detail(a, 'by-hand')).job?.timeoutSeconds, 86_400);
    const broken = await detail(a, 'broken');
    assert.equal(broken.job, undefined);
    assert.match(broken.raw ?? '', /61 \* \* \* \*/);
    assert.equal(broken.quarantined?.[0]?.field, '');
    const wrong = (await detail(a, 'wrong')).quarantined?.map(({ field }) => field);
    assert.ok(wrong?.includes('/command') && wrong.includes('/x'));
    const list = await a.get(jobListShape, '/api/v1/jobs?status=quarantined');
    assert.deepEqual(
      list.items.map(({ name }) => name),
      ['a/b c', 'broken', 'wrong'],
    );
    // A quarantined one is neither paused nor run, but replaced or deleted.
    await a.refusal(409, '/api/v1/jobs/wrong/pause', {
      method: 'POST',
      headers: { 'if-match': '*' },
    });
    await a.refusal(409, '/api/v1/jobs/wrong/run', { method: 'POST' });
    await a.expect(200, '/api/v1/jobs/broken', {
      method: 'PUT',
      json: { command: 'x', cronExpr: '@daily' },
      headers: { 'if-match': `"${broken.revision}"` },
    });
    assert.equal((await detail(a, 'broken')).quarantined, undefined);
    for (const name of ['a%2Fb%20c', 'wrong']) {
      await a.expect(204, `/api/v1/jobs/${name}`, {
        method: 'DELETE',
        headers: { 'if-match': '*' },
      });
    }
    assert.equal((await a.get(jobListShape, '/api/v1/jobs?status=quarantined')).total, 0);
  });
});
