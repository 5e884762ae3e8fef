/** The live stream, its hints and limits; workers and the overview; and what an outage looks like. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  jobDetailShape,
  jobListShape,
  overviewShape,
  readinessShape,
  runListShape,
  workerListShape,
} from '../../master/api/shapes.ts';
import { ended, runFacts, started } from '../support/history-samples.ts';
import { startMongo } from '../support/mongo-server.ts';
import { waitFor } from '../support/server-process.ts';
import { EventReader, fieldOf, MasterRig, type MasterClient } from './master-support.ts';

const worker = {
  v: 1,
  id: 'w1',
  session: '7',
  sequence: 1,
  wallMs: 2_000,
  host: 'h',
  version: '0.1.0',
  pid: 3,
  startedAt: 1_000,
  slots: 4,
  running: 1,
  load: [0.5, 0.25, 0.1],
  state: 'ready',
  reasons: [],
  spool: { pendingRecords: 0, pendingBytes: 0 },
};

describe('live view of a master', () => {
  let rig: MasterRig;
  let client: MasterClient;

  before(async () => {
    rig = await MasterRig.start();
    client = await rig.master();
  });
  after(() => rig.stop());

  test('hints name what changed, by topic, and nothing else', async () => {
    const all = await EventReader.open(`${client.url}/api/v1/stream`);
    const jobsOnly = await EventReader.open(`${client.url}/api/v1/stream?topics=jobs`);
    const snapshot = await all.next(({ event }) => event === 'snapshot');
    assert.equal(fieldOf(snapshot.data, 'etcd'), 'ok');
    await client.putNew('hinted');
    await rig.fire('hinted', 1_000);
    await rig.put(rig.keys.worker('w1'), worker);
    const names = (event: { data: unknown }) => fieldOf(event.data, 'names');
    assert.deepEqual(names(await all.next(({ event }) => event === 'jobs')), ['hinted']);
    assert.deepEqual(names(await all.next(({ event }) => event === 'runs')), ['hinted']);
    assert.deepEqual(names(await all.next(({ event }) => event === 'workers')), ['w1']);
    await jobsOnly.next(({ event }) => event === 'jobs');
    assert.ok(!jobsOnly.events.some(({ event }) => event === 'runs' || event === 'workers'));
    all.close();
    jobsOnly.close();
  });

  test('many changes are told together', async () => {
    const reader = await EventReader.open(`${client.url}/api/v1/stream?topics=jobs`);
    await reader.next(({ event }) => event === 'snapshot');
    const count = 300;
    const begunAt = Date.now();
    for (let index = 0; index < count; index++) {
      await rig.put(rig.keys.job(`many-${index}`), {
        name: `many-${index}`,
        command: 'x',
        cronExpr: '@daily',
      });
    }
    await waitFor(
      async () => (await client.get(jobListShape, '/api/v1/jobs?q=many-&limit=1')).total === count,
      { timeoutMs: 5_000, describe: () => 'the master has seen them' },
    );
    const tookMs = Date.now() - begunAt;
    await reader.next(({ data }) => {
      const names = fieldOf(data, 'names');
      return (
        fieldOf(data, 'more') === true ||
        (Array.isArray(names) && names.includes(`many-${count - 1}`))
      );
    });
    const hints = reader.events.filter(({ event }) => event === 'jobs').length;
    assert.ok(hints <= tookMs / 250 + 2, `${hints} hints in ${tookMs} ms`);
    reader.close();
  });

  test('workers and overview', async () => {
    await rig.put(rig.keys.worker('w0'), {
      ...worker,
      id: 'w0',
      state: 'blocked',
      reasons: ['clock'],
      clockOffsetMs: 1500,
    });
    await rig.put(rig.keys.worker('rubbish'), 'not json');
    await waitFor(
      async () => (await client.get(workerListShape, '/api/v1/workers')).items.length === 2,
      { timeoutMs: 5_000, describe: () => 'both workers' },
    );
    const { items } = await client.get(workerListShape, '/api/v1/workers');
    assert.deepEqual(
      items.map(({ id, state, beatAt }) => [id, state, beatAt]),
      [
        ['w0', 'blocked', 2_000],
        ['w1', 'ready', 2_000],
      ],
    );
    const overview = await client.get(overviewShape, '/api/v1/overview');
    assert.deepEqual(overview.workers, { ready: 1, draining: 0, blocked: 1 });
    assert.equal(overview.running, 1);
    assert.equal(overview.store, 'ok');
    const [blocked, unreadable, ...more] = overview.notes;
    assert.equal(blocked, '1 worker is blocked.');
    assert.match(unreadable ?? '', /workers\/rubbish cannot be read: .* is not JSON/);
    assert.deepEqual(more, []);
  });

  test('there is an end to how many streams one master serves', async () => {
    const limit = 20;
    const small = await rig.master({ maxStreams: limit });
    const readers: EventReader[] = [];
    while (readers.length < limit) {
      readers.push(await EventReader.open(`${small.url}/api/v1/stream`));
    }
    const refused = await small.ask('/api/v1/stream');
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get('retry-after'), '1');
    assert.equal(fieldOf(refused.body, 'code'), 'busy');
    await small.expect(200, '/livez');
    for (const reader of readers) reader.close();
    await waitFor(
      async () => /^cronmesh_live_streams 0$/m.test((await small.ask('/metrics')).text),
      { timeoutMs: 5_000, describe: () => 'streams of clients that left are forgotten' },
    );
  });
});

describe('outages', () => {
  test('etcd stops and comes back: the master says so, refuses edits, recovers by itself', async () => {
    const rig = await MasterRig.start();
    try {
      const client = await rig.master();
      await client.putNew('before');
      const reader = await EventReader.open(`${client.url}/api/v1/stream`);
      await reader.next(({ event }) => event === 'snapshot');
      await rig.etcdServer.kill();
      const stale = await reader.next(
        ({ event, data }) => event === 'status' && fieldOf(data, 'etcd') === 'stale',
      );
      assert.ok(Math.abs(Number(fieldOf(stale.data, 'since')) - Date.now()) < 10_000);
      const ready = await client.expect(503, '/readyz');
      const readiness = readinessShape.parse(ready.body);
      assert.deepEqual(
        readiness.checks.map(({ name, ok, reason }) => [name, ok, typeof reason]),
        [
          ['etcd', false, 'string'],
          ['view', false, 'string'],
          ['store', true, 'undefined'],
          ['restore', true, 'undefined'],
        ],
      );
      await client.expect(200, '/livez');
      const list = await client.get(jobListShape, '/api/v1/jobs');
      assert.deepEqual([list.total, list.stale], [1, true], 'what it knew is shown, as old');
      await client.get(jobDetailShape, '/api/v1/jobs/before');
      const overview = await client.get(overviewShape, '/api/v1/overview');
      assert.equal(overview.etcd, 'stale');
      assert.match(overview.notes[0] ?? '', /has not heard etcd since/);
      const json = { command: 'x', cronExpr: '@daily' };
      const askedAt = Date.now();
      await Promise.all(
        (
          [
            ['/api/v1/jobs/new', 'PUT', { 'if-none-match': '*' }],
            ['/api/v1/jobs/before', 'DELETE', { 'if-match': '*' }],
            ['/api/v1/jobs/before/run', 'POST', {}],
            ['/api/v1/jobs/before/kill', 'POST', {}],
          ] as const
        ).map(async ([path, method, headers]) => {
          const body = method === 'PUT' ? { json } : {};
          const refusal = await client.refusal(503, path, { method, headers, ...body });
          assert.equal(refusal.code, 'etcd-unavailable', path);
        }),
      );
      assert.ok(Date.now() - askedAt < 10_000, 'nobody is kept waiting');
      await rig.etcdServer.start();
      await reader.next(
        ({ event, data }) =>
          event === 'status' &&
          fieldOf(data, 'etcd') === 'ok' &&
          Number(fieldOf(data, 'since')) > Number(fieldOf(stale.data, 'since')),
      );
      await client.expect(200, '/readyz');
      await client.putNew('after');
      reader.close();
    } finally {
      await rig.stop();
    }
  });

  test('a master that starts before etcd answers that it cannot, until it can', async () => {
    const rig = await MasterRig.start();
    try {
      await rig.etcdServer.kill();
      const client = await rig.master({}, false);
      await client.expect(200, '/livez');
      const readiness = readinessShape.parse((await client.expect(503, '/readyz')).body);
      assert.match(
        readiness.checks.find(({ name }) => name === 'view')?.reason ?? '',
        /not read yet/,
      );
      for (const path of [
        '/api/v1/jobs',
        '/api/v1/jobs/x',
        '/api/v1/workers',
        '/api/v1/overview',
        '/api/v1/runs',
      ]) {
        assert.equal((await client.refusal(503, path)).code, 'etcd-unavailable');
      }
      await rig.etcdServer.start();
      await waitFor(async () => (await client.ask('/readyz')).status === 200, {
        timeoutMs: 10_000,
        describe: () => 'it is ready',
      });
      await client.putNew('first');
    } finally {
      await rig.stop();
    }
  });

  test('the store hangs: lists answer without it, running runs are shown, and it comes back', async () => {
    const mongo = await startMongo();
    const rig = await MasterRig.start(mongo.databaseUrl('outage'));
    try {
      const client = await rig.master();
      await client.putNew('job');
      const run = runFacts('r1', { job: 'job' });
      await rig.store.ingest([started(run), ended(run)]);
      const list = () => client.get(jobListShape, '/api/v1/jobs');
      assert.equal((await list()).items[0]?.lastRuns[0]?.id, 'r1');
      await rig.fire('job', 5_000, { runId: 'open' });
      mongo.freeze();
      // On a busy machine a frozen server may still answer what it had begun.
      const without = await waitFor(
        async () => {
          const askedAt = Date.now();
          const page = await list();
          assert.ok(Date.now() - askedAt < 5_000, 'a list does not wait for a hanging store');
          return page.storeDown ? page : undefined;
        },
        { timeoutMs: 10_000, describe: () => 'the store is missed' },
      );
      assert.deepEqual(without.items[0]?.lastRuns, []);
      assert.equal((await client.get(overviewShape, '/api/v1/overview')).store, 'down');
      const readiness = await client.get(readinessShape, '/readyz');
      assert.equal(readiness.status, 'degraded');
      const running = await client.get(runListShape, '/api/v1/runs?outcome=running');
      assert.deepEqual([running.storeDown, running.items.map(({ id }) => id)], [true, ['open']]);
      mongo.thaw();
      await waitFor(async () => !(await list()).storeDown, {
        timeoutMs: 15_000,
        describe: () => 'the store is used again',
      });
      await mongo.kill();
      await waitFor(async () => (await list()).storeDown, {
        timeoutMs: 10_000,
        describe: () => 'it is missed again',
      });
      const refusal = await client.refusal(503, '/api/v1/runs/r1');
      assert.equal(refusal.code, 'store-unavailable');
      await client.expect(202, '/api/v1/jobs/job/run', { method: 'POST' });
    } finally {
      await rig.stop();
      await mongo.stop();
    }
  });
});
