/**
 * Retention at real masters: the setting and its conditions, that a change holds at once for what is
 * there, that a job's own rule wins, and that what cannot be read deletes nothing.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  retentionAnswerShape,
  savedRetentionShape,
  storageShape,
  storeCheckShape,
} from '../../master/retention/retention-routes.ts';
import type { HistoryRecord } from '../../shared/history/records.ts';
import { ended, output, runFacts, started } from '../support/history-samples.ts';
import { waitFor } from '../support/server-process.ts';
import { MasterRig, type MasterClient } from './master-support.ts';

const path = '/api/v1/settings/history';
const isNew = { 'if-none-match': '*' };
const any = { 'if-match': '*' };
const dayMs = 86_400_000;
const now = Date.now();

/** Runs of one a day, the newest of an hour ago. */
function daily(job: string, count: number): HistoryRecord[] {
  return Array.from({ length: count }, (_, n) => {
    const tick = now - 3_600_000 - n * dayMs;
    const run = runFacts(`${job}-${n}`, { job, tick });
    return [output(run.runId, 0, 'kept'), ended(run, { endedAt: tick + 50 })];
  }).flat();
}

describe('retention at a master', () => {
  let rig: MasterRig;
  let client: MasterClient;
  let other: MasterClient;

  before(async () => {
    rig = await MasterRig.start(undefined, true);
    client = await rig.master();
    other = await rig.master();
  });
  after(() => rig.stop());

  const put = async (status: number, json: object, headers: Record<string, string> = any) =>
    client.expect(status, path, { method: 'PUT', json, headers });
  const setting = () => client.get(retentionAnswerShape, path);
  const idsOf = async (job: string): Promise<string[]> => {
    const { items } = await rig.store.listRuns({ jobs: [job], limit: 100 });
    return items.map(({ id }) => id);
  };
  const waitForRows = (job: string, count: number) =>
    waitFor(async () => (await idsOf(job)).length === count, {
      timeoutMs: 60_000,
      describe: () => `${job} has ${count} rows`,
    });

  test('says what holds, and refuses what does not, field by field', async () => {
    const { retention, revision } = await setting();
    assert.equal(revision, 0);
    assert.deepEqual(retention, { maxAgeDays: 30, maxRuns: 10_000, keepLastFailure: true });
    const bad = { maxAgeDays: 0, maxRuns: 1.5, keepLastFailure: 'yes', foo: 1 };
    const { errors } = await client.refusal(400, path, {
      method: 'PUT',
      json: bad,
      headers: isNew,
    });
    assert.deepEqual(
      errors
        .map(({ pointer, expected, got }) => [pointer, expected, got].join(' '))
        .toSorted((a, b) => (a < b ? -1 : 1)),
      [
        '/foo a known field "foo"',
        '/keepLastFailure boolean "yes"',
        '/maxAgeDays at least 0.01 0',
        '/maxRuns whole number 1.5',
      ],
    );
    await client.refusal(428, path, { method: 'PUT', json: {} });
    await client.refusal(412, path, { method: 'PUT', json: {}, headers: any });
    assert.equal(await rig.readText(rig.keys.setting('history')), undefined);
  });

  test('a change holds at once, for what is there, and the own rule of a job wins', async () => {
    await client.putNew('plain');
    await client.putNew('long', { history: { maxAgeDays: 365 } });
    await client.putNew('few', { history: { maxRuns: 2, keepLastFailure: false } });
    await rig.store.ingest([
      ...daily('plain', 20),
      ...daily('long', 20),
      ...daily('few', 20),
      ...daily('gone', 20),
      started(runFacts('open', { job: 'plain', tick: now - 90 * dayMs })),
      ended(runFacts('failed-plain', { job: 'plain', tick: now - 80 * dayMs }), {
        outcome: 'failed',
        endedAt: now - 80 * dayMs,
      }),
      ended(runFacts('failed-few', { job: 'few', tick: now - 80 * dayMs }), {
        outcome: 'failed',
        endedAt: now - 80 * dayMs,
      }),
    ]);
    const created = await put(201, { maxAgeDays: 10 }, isNew);
    const saved = savedRetentionShape.parse(created.body);
    assert.equal(created.headers.get('etag'), `"${saved.revision}"`);
    await waitForRows('plain', 10 + 2);
    await waitForRows('few', 2);
    await waitForRows('gone', 10);
    assert.deepEqual(await idsOf('few'), ['few-0', 'few-1']);
    assert.equal((await idsOf('long')).length, 20);
    const left = await idsOf('plain');
    for (const id of ['open', 'failed-plain', 'plain-0', 'plain-9'])
      assert.ok(left.includes(id), id);
    assert.equal(await rig.store.outputEnd('plain-9'), 4);
    assert.equal(await rig.store.outputEnd('plain-10'), 0);
    const { lastPrune } = await waitFor(
      async () => {
        const answer = await setting();
        // The round before, of no jobs yet, may be the last that is told for a moment.
        return (answer.lastPrune?.jobs ?? 0) >= 1 ? answer : undefined;
      },
      { timeoutMs: 10_000, describe: () => 'what was pruned is told' },
    );
    assert.ok(lastPrune);
    assert.equal((await other.get(retentionAnswerShape, path)).revision, saved.revision);

    // The job's own rule is changed, and takes effect.
    const { revision } = (await client.expect(200, '/api/v1/jobs/long')).body as {
      revision: number;
    };
    await client.expect(200, '/api/v1/jobs/long', {
      method: 'PUT',
      json: { command: 'true', cronExpr: '0 0 1 1 *', history: { maxRuns: 5 } },
      headers: { 'if-match': `"${revision}"` },
    });
    await waitForRows('long', 5);
    assert.match((await rig.readText(rig.keys.job('long'))) ?? '', /"history":\{"maxRuns":5\}/);
    await put(412, { maxAgeDays: 9 }, { 'if-match': '"1"' });
  });

  test('what cannot be read deletes nothing', async () => {
    await rig.put(rig.keys.job('broken'), '{"name":"broken","history":{"maxAgeDays":3650}}');
    await rig.store.ingest([...daily('broken', 5), ...daily('sound', 5)]);
    await put(200, { maxAgeDays: 1, maxRuns: 3 });
    await waitForRows('sound', 1);
    assert.equal((await idsOf('broken')).length, 5);

    // A round of a change by hand would delete what the next setting keeps.
    await rig.put(rig.keys.setting('history'), '{"maxAgeDays":"10 years"}');
    await rig.store.ingest(daily('sound', 5));
    const unread = await setting();
    assert.equal(unread.retention, undefined);
    assert.ok(unread.revision > 0);
    await put(200, { maxAgeDays: 4 });
    await waitForRows('sound', 4);
  });

  test('tells what history takes and what was pruned, and checks the file', async () => {
    const storage = await client.get(storageShape, '/api/v1/stats/storage');
    assert.ok(storage.rows > 0 && storage.bytes > 10_000, JSON.stringify(storage));
    assert.ok(storage.lastPrune !== undefined && storage.lastPrune.endedAt >= now);
    const check = await client.get(storeCheckShape, '/api/v1/health/store?fresh=true');
    assert.deepEqual([check.state, check.problems], ['whole', []]);
    const again = await client.get(storeCheckShape, '/api/v1/health/store');
    assert.equal(again.startedAt, check.startedAt);
    const metrics = await Promise.all([client.ask('/metrics'), other.ask('/metrics')]);
    const pruned = metrics
      .map(({ text }) => Number(/^cronmesh_history_pruned_rows_total (\d+)$/m.exec(text)?.[1]))
      .reduce((a, b) => a + b);
    assert.ok(pruned >= 50, String(pruned));
    const size = /^cronmesh_history_bytes\{kind="total"\} \d+$/m;
    for (const master of [client, other]) {
      await waitFor(async () => size.test((await master.ask('/metrics')).text), {
        timeoutMs: 10_000,
        describe: () => 'every master tells what history takes',
      });
    }
  });
});
