/**
 * Runs over HTTP: run now and its repeats, kill, lists that merge history with open fires, output as
 * pages, text and live stream. Workers are played by the test: it writes what they would.
 */
import assert from 'node:assert/strict';
import { createConnection } from 'node:net';
import { after, before, describe, test } from 'node:test';
import {
  jobDetailShape,
  killOrderShape,
  outputPageShape,
  runDetailShape,
  runListShape,
  triggeredShape,
} from '../../master/api/shapes.ts';
import { decodeValue, orderSchema, triggerSchema } from '../../shared/protocol/values.ts';
import {
  baseTick,
  ended,
  lost,
  notRun,
  output,
  runFacts,
  started,
} from '../support/history-samples.ts';
import { startMongo, type MongoServer } from '../support/mongo-server.ts';
import { waitFor } from '../support/server-process.ts';
import { EventReader, fieldOf, MasterRig, type MasterClient } from './master-support.ts';

for (const kind of ['sqlite', 'mongodb'] as const) {
  describe(`runs of a master, history in ${kind}`, () => {
    let mongo: MongoServer | undefined;
    let rig: MasterRig;
    let client: MasterClient;

    before(async () => {
      mongo = kind === 'mongodb' ? await startMongo() : undefined;
      rig = await MasterRig.start(mongo?.databaseUrl('master'));
      client = await rig.master();
    });
    after(async () => {
      await rig.stop();
      await mongo?.stop();
    });

    const list = (query: string) => client.get(runListShape, `/api/v1/runs?${query}`);
    const seesOpen = (runId: string, isOpen: boolean) =>
      waitFor(
        async () => {
          const { items } = await list('outcome=running&limit=500');
          return items.some(({ id }) => id === runId) === isOpen;
        },
        { timeoutMs: 5_000, describe: () => `${runId} open: ${isOpen}` },
      );

    test('lists merge what history does not know yet, and page without loss', async () => {
      const runs = Array.from({ length: 12 }, (_, index) =>
        runFacts(`r${String(index).padStart(2, '0')}`, {
          job: index % 2 === 0 ? 'even' : 'odd',
          tick: baseTick + index * 1_000,
          worker: `w${index % 3}`,
        }),
      );
      await rig.store.ingest([
        ...runs.flatMap((run) => [started(run), ended(run)]),
        notRun('gap', { job: 'even', toTick: baseTick + 500 }),
      ]);
      await rig.fire('even', baseTick + 20_000, { runId: 'newest', worker: 'w9' });
      await rig.fire('odd', baseTick + 6_500, { runId: 'between', group: 'g' });
      await seesOpen('newest', true);
      await seesOpen('between', true);
      const first = await list('limit=5');
      assert.deepEqual(
        first.items.map(({ id }) => id),
        ['newest', 'r11', 'r10', 'r09', 'r08', 'r07'],
      );
      const newest = first.items[0];
      assert.equal(newest?.outcome, undefined);
      assert.equal(newest?.worker, 'w9');
      assert.ok((newest?.fence ?? 0) > 0);
      const rest: string[] = [];
      for (let cursor = first.nextCursor; cursor !== undefined;) {
        const page = await list(`limit=5&cursor=${cursor}`);
        rest.push(...page.items.map(({ id }) => id));
        cursor = page.nextCursor;
      }
      const expected = ['between', 'r06', 'r05', 'r04', 'r03', 'r02', 'r01', 'gap', 'r00'];
      assert.deepEqual(rest, expected);
      const ids = async (query: string) => (await list(query)).items.map(({ id }) => id);
      assert.deepEqual(await ids('job=odd&limit=2'), ['r11', 'r09']);
      assert.deepEqual(await ids('group=g'), ['between']);
      assert.deepEqual(await ids('worker=w9'), ['newest']);
      assert.deepEqual(await ids('outcome=missed'), ['gap']);
      assert.deepEqual(await ids('outcome=running'), ['newest', 'between']);
      assert.deepEqual(await ids('outcome=running&job=odd'), ['between']);
      assert.deepEqual(await ids('outcome=running&outcome=missed'), ['newest', 'between', 'gap']);
      assert.deepEqual(await ids(`order=asc&from=${baseTick + 6_000}&to=${baseTick + 8_000}`), [
        'r06',
        'between',
        'r07',
      ]);
      const firstRunning = await list('outcome=running&limit=1');
      assert.deepEqual(
        firstRunning.items.map(({ id }) => id),
        ['newest'],
      );
      assert.deepEqual(await ids(`outcome=running&limit=1&cursor=${firstRunning.nextCursor}`), [
        'between',
      ]);
      for (const [job, tick] of [
        ['even', baseTick + 20_000],
        ['odd', baseTick + 6_500],
      ] as const) {
        await rig.delete(rig.keys.fire(job, `t${tick}`));
      }
      await seesOpen('newest', false);
    });

    test('a run is shown from its open fire, then from history', async () => {
      const run = runFacts('shown', { job: 'shown' });
      await rig.fire('shown', baseTick, { runId: 'shown' });
      await seesOpen('shown', true);
      const detail = () => client.get(runDetailShape, '/api/v1/runs/shown');
      assert.deepEqual([(await detail()).open, (await detail()).startedAt], [true, undefined]);
      await rig.store.ingest([started(run)]);
      assert.deepEqual([(await detail()).open, (await detail()).startedAt], [true, baseTick + 20]);
      const running = (await list('outcome=running')).items.find(({ id }) => id === 'shown');
      assert.equal(running?.startedAt, baseTick + 20, 'with what the store knows beyond the claim');
      await rig.store.ingest([ended(run, { outcome: 'failed', exitCode: 3 })]);
      await rig.delete(rig.keys.fire('shown', `t${baseTick}`));
      await seesOpen('shown', false);
      const done = await detail();
      assert.deepEqual([done.open, done.outcome, done.exitCode], [false, 'failed', 3]);
    });

    test('output by pages, from any byte, and as text', async () => {
      const run = runFacts('printed', { job: 'printed' });
      const odd = Buffer.from([0xff, 0xfe, 0x1b, 0x5b, 0x33, 0x31, 0x6d, 0x0d, 0x3c, 0x62, 0x3e]);
      await rig.store.ingest([
        started(run),
        output('printed', 0, 'hello '),
        output('printed', 6, 'wörld\n', { stream: 'stderr' }),
        output('printed', 13, odd),
        ended(run, { outputBytes: 24 }),
      ]);
      const page = (query: string) =>
        client.get(outputPageShape, `/api/v1/runs/printed/output${query}`);
      const whole = await page('');
      assert.deepEqual(
        whole.items.map(({ offset, stream }) => [offset, stream]),
        [
          [0, 'stdout'],
          [6, 'stderr'],
          [13, 'stdout'],
        ],
      );
      assert.deepEqual([whole.nextOffset, whole.ended], [24, true]);
      assert.equal(Buffer.from(whole.items[2]?.base64 ?? '', 'base64').compare(odd), 0);
      const later = await page('?from=8');
      assert.deepEqual([later.items[0]?.offset, later.nextOffset], [8, 24]);
      assert.equal(Buffer.from(later.items[0]?.base64 ?? '', 'base64')[0], 0xb6);
      const small = await page('?limitBytes=1');
      assert.deepEqual([small.items.length, small.nextOffset, small.ended], [1, 6, false]);
      const beyond = await page('?from=1000');
      assert.deepEqual(beyond, { items: [], nextOffset: 1000, ended: true });
      const text = await fetch(`${client.url}/api/v1/runs/printed/output?from=6`, {
        headers: { accept: 'text/plain' },
      });
      assert.match(text.headers.get('content-type') ?? '', /^text\/plain; charset=utf-8/);
      assert.match(
        text.headers.get('content-disposition') ?? '',
        /attachment; filename="printed\.log"/,
      );
      assert.equal(text.headers.get('x-content-type-options'), 'nosniff');
      const bytes = Buffer.from(await text.arrayBuffer());
      assert.equal(bytes.compare(Buffer.concat([Buffer.from('wörld\n'), odd])), 0);
    });

    test('output is streamed as it is written, to all who watch, and ends with the row', async () => {
      const run = runFacts('live', { job: 'live' });
      await rig.fire('live', baseTick, { runId: 'live' });
      await seesOpen('live', true);
      const url = `${client.url}/api/v1/runs/live/output/stream`;
      const first = await EventReader.open(url);
      assert.equal(first.headers.get('x-accel-buffering'), 'no');
      await rig.store.ingest([started(run), output('live', 0, 'one ')]);
      await first.next(({ event }) => event === 'output');
      const second = await EventReader.open(`${url}?from=2`);
      await rig.store.ingest([output('live', 4, 'two ', { stream: 'stderr' })]);
      await second.next(({ id }) => id === '8');
      await rig.store.ingest([output('live', 8, 'three'), ended(run, { outputBytes: 13 })]);
      await Promise.all([first.ended(), second.ended()]);
      const streamed = (reader: EventReader) =>
        reader.events
          .filter(({ event }) => event === 'output')
          .map(({ data }) => Buffer.from(String(fieldOf(data, 'base64')), 'base64').toString())
          .join('');
      assert.equal(streamed(first), 'one two three');
      assert.equal(streamed(second), 'e two three');
      for (const reader of [first, second]) {
        const last = reader.events.at(-1);
        assert.equal(last?.event, 'end');
        assert.equal(fieldOf(fieldOf(last?.data, 'row'), 'outcome'), 'succeeded');
      }
      // Whoever comes back goes on at the byte it had.
      const again = await EventReader.open(url, { 'last-event-id': '8' });
      await again.ended();
      assert.equal(streamed(again), 'three');
      assert.equal(again.events.at(0)?.id, '13');
    });

    test('after a lost verdict the stream waits for what comes late', async () => {
      const run = runFacts('vanished', { job: 'vanished', tick: Date.now() });
      await rig.store.ingest([
        started(run),
        output('vanished', 0, 'begun '),
        { kind: 'run-lost', run, reason: 'its worker vanished', at: Date.now() },
      ]);
      const reader = await EventReader.open(`${client.url}/api/v1/runs/vanished/output/stream`);
      await reader.next(({ event }) => event === 'output');
      await rig.store.ingest([output('vanished', 6, 'late'), ended(run, { outputBytes: 10 })]);
      await reader.ended();
      const outputs = reader.events.filter(({ event }) => event === 'output');
      assert.equal(outputs.at(-1)?.id, '10');
      assert.equal(fieldOf(fieldOf(reader.events.at(-1)?.data, 'row'), 'outcome'), 'lost');
      // One that was lost long ago is not waited for.
      await rig.store.ingest([lost(runFacts('old', { job: 'vanished' }))]);
      const old = await EventReader.open(`${client.url}/api/v1/runs/old/output/stream`);
      await old.ended(3_000);
    });

    test('run now puts one trigger, however often the same request comes', async () => {
      await client.putNew('asked');
      const run = (headers: Record<string, string> = {}) =>
        client.expect(202, '/api/v1/jobs/asked/run', { method: 'POST', headers });
      const begunAt = Date.now();
      const first = triggeredShape.parse((await run({ 'idempotency-key': 'k/1 \u007e' })).body);
      assert.match(first.triggerId, /^m\d{16}-[0-9a-z]{8}$/);
      const repeats = await Promise.all(
        Array.from({ length: 5 }, () => run({ 'idempotency-key': 'k/1 \u007e' })),
      );
      for (const repeat of repeats) assert.deepEqual(triggeredShape.parse(repeat.body), first);
      const triggers = await rig.list('trigger/');
      assert.deepEqual([...triggers.keys()], [`asked/${first.triggerId}`]);
      const trigger = decodeValue(triggerSchema, [...triggers.values()][0] ?? '');
      assert.equal(trigger?.cause, 'manual');
      assert.ok(trigger.tick >= begunAt && trigger.expires === trigger.tick + 60_000);
      assert.equal(trigger.expires, first.expiresAt);
      assert.match(trigger.by ?? '', /^api /);
      const job = await rig.read(rig.keys.job('asked'));
      assert.equal(trigger.jobCreate, job?.createRevision);
      for (const [, value] of await rig.list('once/')) assert.equal(value, first.triggerId);
      const [markKey] = [...(await rig.list('once/')).keys()];
      const mark = await rig.read(`${rig.prefix}/once/${markKey ?? ''}`);
      assert.notEqual(mark?.lease, '0', 'the mark goes by itself');
      // Without a key every request is one; the same key for another job is another request.
      await run();
      await run();
      assert.equal((await rig.list('trigger/')).size, 3);
      await client.putNew('asked-too');
      await client.expect(202, '/api/v1/jobs/asked-too/run', {
        method: 'POST',
        headers: { 'idempotency-key': 'k/1 \u007e' },
      });
      assert.equal((await rig.list('trigger/')).size, 4);
      // While it is paused, too.
      await client.expect(200, '/api/v1/jobs/asked/pause', {
        method: 'POST',
        headers: { 'if-match': '*' },
      });
      await run();
    });

    test('kill orders: one run, all of a job, and none that is over', async () => {
      await client.putNew('killed');
      await rig.fire('killed', baseTick, { runId: 'k1' });
      await rig.fire('killed', baseTick + 1, { runId: 'k2' });
      await seesOpen('k2', true);
      const one = await client.expect(202, '/api/v1/runs/k1/kill', {
        method: 'POST',
        json: { graceSeconds: 2 },
      });
      const ordered = killOrderShape.parse(one.body);
      assert.deepEqual(ordered.runs, ['k1']);
      const key = await rig.read(rig.keys.killer('killed', 'k1'));
      assert.equal(String(key?.modRevision), ordered.orderId);
      assert.notEqual(key?.lease, '0');
      const order = decodeValue(orderSchema, key?.value ?? '');
      assert.equal(order?.graceSeconds, 2);
      const all = await client.expect(202, '/api/v1/jobs/killed/kill', { method: 'POST' });
      assert.deepEqual(killOrderShape.parse(all.body).runs.toSorted(), ['k1', 'k2']);
      assert.ok(await rig.read(rig.keys.killer('killed')));
      // Its fire is gone, and its row has not come yet.
      await rig.delete(rig.keys.fire('killed', `t${baseTick}`));
      await waitFor(
        async () => (await client.get(jobDetailShape, '/api/v1/jobs/killed')).running.length === 1,
        { timeoutMs: 5_000, describe: () => 'its end is seen' },
      );
      await client.expect(200, '/api/v1/runs/k1/kill');
      await rig.store.ingest([ended(runFacts('k0', { job: 'killed' }))]);
      await client.refusal(409, '/api/v1/runs/k0/kill', { method: 'POST' });
      await client.refusal(404, '/api/v1/runs/never/kill', { method: 'POST' });
    });

    test('an order is told with the run it stands against, as long as it stands', async () => {
      await client.putNew('ordered');
      const fire = await rig.fire('ordered', baseTick, { runId: 'o1', session: '77' });
      await seesOpen('o1', true);
      const run = () => client.get(runDetailShape, '/api/v1/runs/o1');
      assert.equal((await run()).order, undefined);
      const given = await client.expect(202, '/api/v1/runs/o1/kill', {
        method: 'POST',
        json: { graceSeconds: 2 },
      });
      const { orderId } = killOrderShape.parse(given.body);
      const { order } = await run();
      assert.equal(order?.orderId, orderId);
      assert.equal(order.graceSeconds, 2);
      assert.match(order.by ?? '', /127\.0\.0\.1/);
      assert.equal(order.workerAlive, false, 'its session is not there');
      const revision = await rig.put(rig.keys.session('77'), { v: 1, worker: 'w1' });
      await waitFor(async () => ((await run()).order?.workerAlive === true ? true : undefined), {
        timeoutMs: 5_000,
        describe: () => `the session of revision ${revision}`,
      });
      const { running } = await client.get(jobDetailShape, '/api/v1/jobs/ordered');
      assert.equal(running[0]?.order?.orderId, orderId);

      // What is claimed after an order is none of its business; the order of all is.
      await rig.fire('ordered', baseTick + 1, { runId: 'o2' });
      await seesOpen('o2', true);
      const later = () => client.get(runDetailShape, '/api/v1/runs/o2');
      assert.equal((await later()).order, undefined);
      const all = await client.expect(202, '/api/v1/jobs/ordered/kill', { method: 'POST' });
      assert.equal((await later()).order?.orderId, killOrderShape.parse(all.body).orderId);
      await rig.delete(rig.keys.killer('ordered'));
      await waitFor(async () => ((await later()).order === undefined ? true : undefined), {
        timeoutMs: 5_000,
        describe: () => 'an order that ran out',
      });
      assert.ok((await later()).open, 'and the run is still there');

      for (const [tick, runId] of [
        [fire.tick, 'o1'],
        [baseTick + 1, 'o2'],
      ] as const) {
        await rig.delete(rig.keys.fire('ordered', `t${tick}`));
        await seesOpen(runId, false);
      }
      const none = await client.expect(202, '/api/v1/jobs/ordered/kill', { method: 'POST' });
      assert.deepEqual(killOrderShape.parse(none.body).runs, [], 'nothing to kill');
    });

    test('a client that does not read its stream fills no memory', async () => {
      const run = runFacts('flood', { job: 'flood' });
      const block = Buffer.alloc(1024 * 1024, 'x');
      await rig.store.ingest([started(run)]);
      for (let megabyte = 0; megabyte < 24; megabyte++) {
        await rig.store.ingest([output('flood', megabyte * block.length, block)]);
      }
      await rig.store.ingest([ended(run, { outputBytes: 24 * block.length })]);
      const { port } = new URL(client.url);
      const rssBefore = process.memoryUsage().rss;
      const socket = createConnection(Number(port), '127.0.0.1');
      socket.pause();
      socket.write('GET /api/v1/runs/flood/output/stream HTTP/1.1\r\nHost: localhost\r\n\r\n');
      const reader = await EventReader.open(`${client.url}/api/v1/runs/flood/output/stream`);
      await reader.ended(20_000);
      assert.equal(reader.events.at(-2)?.id, String(24 * block.length));
      // The one that reads holds all of it here, as base64, parsed and not: three times 32 MiB.
      assert.ok(process.memoryUsage().rss - rssBefore < 256 * 1024 * 1024);
      socket.destroy();
    });
  });
}
