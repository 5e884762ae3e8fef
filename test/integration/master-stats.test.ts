/**
 * What a master answers in numbers and as downloads, over both stores: stats of a job, days in a zone,
 * rankings, a text in the output, runs chosen by names and labels, and whole lists as CSV or JSON lines.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { runListShape } from '../../master/api/shapes.ts';
import {
  dailyStatsShape,
  jobStatsShape,
  outputMatchesShape,
  ranBetweenShape,
  rankedJobsShape,
} from '../../master/api/stats-shapes.ts';
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
import { MasterRig, type MasterClient } from './master-support.ts';

const minuteMs = 60_000;
/** Midnight of that day in UTC. */
const day = Date.UTC(2026, 2, 28);

for (const kind of ['sqlite', 'mongodb'] as const) {
  describe(`numbers and downloads of a master, history in ${kind}`, () => {
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

    const record = (
      job: string,
      tick: number,
      outcome: 'succeeded' | 'failed' | 'killed',
      tookMs = 100,
    ) => {
      const run = runFacts(`${job}-${tick}`, { job, tick });
      return ended(run, { outcome, startedAt: tick, endedAt: tick + tookMs });
    };

    test('stats of a job: outcomes, rate, durations, in a window', async () => {
      const tick = (at: number) => baseTick + at * minuteMs;
      await rig.store.ingest([
        ...Array.from({ length: 20 }, (_, at) =>
          record('steady', tick(at), at === 3 ? 'failed' : 'succeeded', at < 10 ? 100 : 200),
        ),
        record('steady', tick(20), 'killed', 1),
        lost(runFacts('steady-lost', { job: 'steady', tick: tick(21) })),
        notRun('steady-gap', { job: 'steady', toTick: tick(22), fromTick: tick(21) }),
        record('steady', tick(500), 'failed'),
      ]);
      const window = `from=${tick(0)}&to=${tick(100)}`;
      const stats = await client.get(jobStatsShape, `/api/v1/jobs/steady/stats?${window}`);
      assert.deepEqual(stats.counts, { succeeded: 19, failed: 1, killed: 1, lost: 1, missed: 1 });
      assert.equal(stats.failures, 2);
      assert.equal(stats.successRate, 19 / 21);
      assert.deepEqual([stats.from, stats.to], [tick(0), tick(100)]);
      assert.deepEqual(stats.durations, { runs: 21, p50Ms: 100, p95Ms: 200, trend: 2 });
      const few = await client.get(jobStatsShape, `/api/v1/jobs/steady/stats?${window}&runs=5`);
      assert.deepEqual(few.durations, { runs: 5, p50Ms: 200, p95Ms: 200 });
      // No window: the last 30 days, in which nothing ran; its definition is not there either.
      await client.refusal(404, '/api/v1/jobs/steady/stats');
      await client.putNew('fresh');
      await waitFor(async () => (await client.ask('/api/v1/jobs/fresh')).status === 200, {
        timeoutMs: 5_000,
        describe: () => 'the new job to be seen',
      });
      const fresh = await client.get(jobStatsShape, '/api/v1/jobs/fresh/stats');
      assert.deepEqual([fresh.counts, fresh.failures, fresh.successRate], [{}, 0, undefined]);
      assert.deepEqual(fresh.durations, { runs: 0 });
      assert.equal(fresh.to - fresh.from, 30 * 24 * 60 * minuteMs);
      assert.ok(fresh.to > Date.now() - 1_000);
    });

    test('days, where the zone has them, through a clock change', async () => {
      const hour = 60 * minuteMs;
      await rig.store.ingest([
        // Berlin goes from +1 to +2 on 29 March 2026, at 01:00 UTC.
        record('daily', day + 22 * hour, 'succeeded'),
        record('daily', day + 23 * hour, 'failed'),
        record('daily', day + 25 * hour, 'succeeded'),
        record('daily', day + 45 * hour, 'succeeded'),
        record('daily', day + 46 * hour, 'failed'),
        record('other', day + 46 * hour, 'failed'),
      ]);
      const daily = (query: string) =>
        client.get(
          dailyStatsShape,
          `/api/v1/stats/daily?from=${day}&to=${day + 72 * hour}&${query}`,
        );
      const brief = ({ days }: Awaited<ReturnType<typeof daily>>) =>
        days.map(({ day: date, counts }) => [date, counts.succeeded ?? 0, counts.failed ?? 0]);
      assert.deepEqual(brief(await daily('job=daily&timezone=Europe/Berlin')), [
        ['2026-03-28', 1, 0],
        ['2026-03-29', 2, 1],
        ['2026-03-30', 0, 1],
      ]);
      assert.deepEqual(brief(await daily('job=daily')), [
        ['2026-03-28', 1, 1],
        ['2026-03-29', 2, 1],
      ]);
      assert.deepEqual(brief(await daily('offsetMinutes=120')), [
        ['2026-03-29', 3, 1],
        ['2026-03-30', 0, 2],
      ]);
      assert.equal((await daily('job=daily')).days[1]?.successRate, 2 / 3);
    });

    test('the jobs that fail most, and the slowest of some', async () => {
      const tick = (at: number) => Date.UTC(2025, 5, 1) + at * minuteMs;
      await rig.store.ingest([
        ...[0, 1, 2].map((at) => record('bad', tick(at), 'failed', 50)),
        record('bad', tick(3), 'succeeded', 50),
        ...[0, 1, 2].map((at) => record('worst', tick(at), 'failed', 10)),
        ...[0, 1, 2, 3].map((at) => record('good', tick(at), 'succeeded', 900)),
      ]);
      const window = `from=${tick(0)}&to=${tick(10)}`;
      const rank = async (query: string) => {
        const { items } = await client.get(rankedJobsShape, `/api/v1/stats/jobs?${window}${query}`);
        return items.map(({ job, failures, durations }) => [job, failures, durations.p95Ms]);
      };
      assert.deepEqual(await rank(''), [
        ['worst', 3, 10],
        ['bad', 3, 50],
        ['good', 0, 900],
      ]);
      assert.deepEqual(await rank('&limit=1'), [['worst', 3, 10]]);
      assert.deepEqual(await rank('&job=good&job=bad'), [
        ['bad', 3, 50],
        ['good', 0, 900],
      ]);
      assert.deepEqual(await rank('&sort=slowest&job=bad&job=good&job=never'), [
        ['good', 0, 900],
        ['bad', 3, 50],
        ['never', 0, undefined],
      ]);
    });

    test('where a text stands in the output', async () => {
      const run = runFacts('talk', { job: 'talk' });
      await rig.store.ingest([
        output('talk', 0, 'one needle, nee'),
        output('talk', 15, 'dle; Needle\n', { stream: 'stderr' }),
        ended(run, { outputBytes: 27 }),
      ]);
      const search = (query: string) =>
        client.get(outputMatchesShape, `/api/v1/runs/talk/output/search?${query}`);
      assert.deepEqual(await search('q=needle'), { offsets: [4, 12] });
      assert.deepEqual(await search('q=needle&limit=1'), { offsets: [4], nextOffset: 10 });
      assert.deepEqual(await search('q=needle&from=10'), { offsets: [12] });
      assert.deepEqual(await search('q=absent'), { offsets: [] });
      await client.refusal(404, '/api/v1/runs/nobody/output/search?q=x');
    });

    test('what ran between two instants', async () => {
      const at = Date.UTC(2024, 0, 1);
      await rig.store.ingest([
        record('long', at, 'succeeded', 3_600_000),
        record('short', at + minuteMs, 'failed', 1_000),
        record('later', at + 10 * minuteMs, 'succeeded', 1_000),
        notRun('never', { job: 'short', fromTick: at + 2 * minuteMs, toTick: at + 3 * minuteMs }),
      ]);
      const jobsIn = async (from: number, to: number, query = '') => {
        const path = `/api/v1/ran-between?from=${at + from * minuteMs}&to=${at + to * minuteMs}`;
        const { items } = await client.get(ranBetweenShape, path + query);
        return items.map(({ job }) => job);
      };
      assert.deepEqual(await jobsIn(1, 5), ['short', 'long']);
      assert.deepEqual(await jobsIn(5, 9), ['long']);
      assert.deepEqual(await jobsIn(5, 11), ['later', 'long']);
      assert.deepEqual(await jobsIn(5, 11, '&job=later'), ['later']);
      assert.deepEqual(await jobsIn(70, 80), []);
      const first = await client.get(
        ranBetweenShape,
        `/api/v1/ran-between?from=${at}&to=${at + 11 * minuteMs}&limit=1`,
      );
      assert.deepEqual([first.items[0]?.job, first.items.length], ['later', 1]);
      assert.deepEqual(await jobsIn(0, 11, `&cursor=${first.nextCursor}`), ['short', 'long']);
    });

    test('runs of jobs by the beginning of their names, and by their labels', async () => {
      await client.putNew('db-a', { labels: { team: 'ops' } });
      await client.putNew('db-b', { labels: { team: 'dev' } });
      await rig.store.ingest([
        record('db-a', baseTick, 'succeeded'),
        record('db-b', baseTick + 1, 'succeeded'),
        record('db-gone', baseTick + 2, 'succeeded'),
      ]);
      const jobsOf = async (query: string) =>
        (await client.get(runListShape, `/api/v1/runs?${query}`)).items.map(({ job }) => job);
      await waitFor(async () => (await jobsOf('q=db-')).length === 2, {
        timeoutMs: 5_000,
        describe: () => 'the new jobs to be seen',
      });
      assert.deepEqual(await jobsOf('q=db-'), ['db-b', 'db-a']);
      assert.deepEqual(await jobsOf('q=db-&label=team%3Dops'), ['db-a']);
      assert.deepEqual(await jobsOf('label=team&label=team%3Ddev'), ['db-b']);
      assert.deepEqual(await jobsOf('q=nothing'), []);
    });

    test('a whole list as CSV and as JSON lines, with its filters, in its order', async () => {
      const ticks = Array.from({ length: 700 }, (_, at) => baseTick + at);
      await rig.store.ingest([
        ...ticks.map((tick) => record('bulk', tick, tick % 7 === 0 ? 'failed' : 'succeeded')),
        started(runFacts('bulk-formula', { job: 'bulk', tick: baseTick + 900, command: '=1+1' })),
      ]);
      const asked = await fetch(`${client.url}/api/v1/runs?job=bulk&order=asc`, {
        headers: { accept: 'text/csv' },
      });
      assert.equal(asked.headers.get('content-type'), 'text/csv; charset=utf-8; header=present');
      assert.equal(asked.headers.get('x-row-limit'), '100000');
      assert.match(asked.headers.get('content-disposition') ?? '', /attachment; .*runs\.csv"/);
      const lines = (await asked.text()).split('\r\n');
      assert.equal(lines.length, 703);
      assert.match(lines[0] ?? '', /^id,job,group,kind,cause,outcome,tick,/);
      assert.match(lines[1] ?? '', new RegExp(`^bulk-${baseTick},bulk,`));
      assert.match(lines[701] ?? '', /^bulk-formula,.*,'=1\+1$/);
      assert.equal(lines[702], '');
      const { text } = await client.expect(
        200,
        '/api/v1/runs?job=bulk&outcome=failed&format=jsonl',
      );
      const rows = text
        .trimEnd()
        .split('\n')
        .map((line) => runListShape.shape.items.element.parse(JSON.parse(line)));
      const failed = ticks.filter((tick) => tick % 7 === 0).toReversed();
      assert.deepEqual(
        rows.map(({ tick }) => tick),
        failed,
      );
      const some = await client.expect(200, '/api/v1/runs?job=bulk&format=jsonl&limit=300');
      assert.equal(some.text.trimEnd().split('\n').length, 300);
      assert.equal(some.headers.get('x-row-limit'), '300');
      // A list of pages is what is answered unless a download is asked for.
      assert.equal((await client.get(runListShape, '/api/v1/runs?job=bulk')).items.length, 50);
      const none = await client.expect(200, '/api/v1/runs?job=nobody&format=csv');
      assert.equal(none.text.split('\r\n').length, 2);
    });

    test('what cannot be answered is refused, by field', async () => {
      for (const [path, field] of [
        ['/api/v1/jobs/x/stats?from=5&to=5', 'to'],
        ['/api/v1/jobs/x/stats?from=-1', 'from'],
        ['/api/v1/jobs/x/stats?from=0', 'from'],
        ['/api/v1/jobs/x/stats?runs=0', 'runs'],
        ['/api/v1/jobs/x/stats?to=9999999999999999', 'to'],
        ['/api/v1/jobs/x/stats?job=x', 'job'],
        ['/api/v1/stats/daily?timezone=Europe/Berln', 'timezone'],
        ['/api/v1/stats/daily?timezone=UTC&offsetMinutes=0', 'offsetMinutes'],
        ['/api/v1/stats/daily?offsetMinutes=841', 'offsetMinutes'],
        [`/api/v1/stats/daily?from=0&to=${401 * 24 * 60 * minuteMs}`, 'from'],
        ['/api/v1/stats/jobs?limit=51', 'limit'],
        ['/api/v1/stats/jobs?sort=slowest', 'job'],
        ['/api/v1/stats/jobs?sort=best', 'sort'],
        ['/api/v1/runs/x/output/search', 'q'],
        ['/api/v1/runs/x/output/search?q=', 'q'],
        [`/api/v1/runs/x/output/search?q=${'%C3%B6'.repeat(513)}`, 'q'],
        ['/api/v1/runs/x/output/search?q=a&limit=1001', 'limit'],
        ['/api/v1/ran-between?from=1', 'to'],
        ['/api/v1/ran-between?from=5&to=5', 'to'],
        [`/api/v1/ran-between?from=0&to=${32 * 24 * 60 * minuteMs}`, 'to'],
        ['/api/v1/ran-between?from=0&to=5&cursor=!!!', 'cursor'],
        ['/api/v1/runs?limit=501', 'limit'],
        ['/api/v1/runs?limit=1000001&format=csv', 'limit'],
        ['/api/v1/runs?format=xml', 'format'],
        ['/api/v1/runs?q=', 'q'],
        ['/api/v1/runs?label=', 'label'],
        ['/api/v1/runs?cause=manual', 'cause'],
        ['/api/v1/runs?format=csv&cursor=!!!', 'cursor'],
      ] as const) {
        const { errors } = await client.refusal(400, path);
        const error = errors.find(({ pointer }) => pointer.replace(/^\//, '') === field);
        assert.ok(error, `${path}: ${JSON.stringify(errors)}`);
        assert.ok(error.expected !== '' && error.got !== '', path);
      }
    });
  });
}
