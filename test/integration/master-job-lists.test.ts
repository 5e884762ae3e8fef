/** Lists of jobs over HTTP: pages in every order, filters, facets, and where a page goes on. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { jobListShape } from '../../master/api/shapes.ts';
import { waitFor } from '../support/server-process.ts';
import { MasterRig, type MasterClient } from './master-support.ts';

describe('lists of jobs', () => {
  let rig: MasterRig;
  let client: MasterClient;
  const names = Array.from({ length: 23 }, (_, index) => `job-${String(index).padStart(2, '0')}`);

  before(async () => {
    rig = await MasterRig.start();
    client = await rig.master();
    for (const [index, name] of names.entries()) {
      await rig.put(rig.keys.job(name), {
        name,
        command: index === 7 ? 'echo NEEDLE' : 'true',
        cronExpr: `0 ${index} 0 1 1 *`,
        group: index % 3 === 0 ? 'third' : 'other',
        enabled: index % 5 !== 0,
      });
    }
    for (const [index, outcome] of ['failed', 'succeeded', 'lost', 'timed-out'].entries()) {
      await rig.put(rig.keys.state(names[index] ?? ''), {
        v: 1,
        outcome,
        tick: 1,
        runId: 'r',
        worker: 'w',
        endedAt: 1_000 - index,
      });
    }
    await rig.fire('job-02', 1_000);
    await waitFor(
      async () => (await client.get(jobListShape, '/api/v1/jobs?status=running')).total === 1,
      { timeoutMs: 5_000, describe: () => 'the master has seen all of it' },
    );
  });
  after(() => rig.stop());

  async function pages(query: string): Promise<string[]> {
    const seen: string[] = [];
    let cursor = '';
    do {
      const page = await client.get(
        jobListShape,
        `/api/v1/jobs?${query}${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      assert.ok(page.items.length <= 5);
      seen.push(...page.items.map(({ name }) => name));
      cursor = page.nextCursor ?? '';
    } while (cursor !== '');
    return seen;
  }

  test('pages hold every job once, in each order', async () => {
    const reversed = names.toReversed();
    assert.deepEqual(await pages('limit=5'), names);
    assert.deepEqual(await pages('limit=5&sort=-name'), reversed);
    // Paused jobs have no next tick, and come last either way.
    const isPaused = (name: string) => Number(name.slice(4)) % 5 === 0;
    const due = names.filter((name) => !isPaused(name));
    const paused = names.filter(isPaused);
    assert.deepEqual(await pages('limit=5&sort=nextTick'), [...due, ...paused]);
    assert.deepEqual(await pages('limit=5&sort=-nextTick'), [...due.toReversed(), ...paused]);
    const ended = names.slice(0, 4);
    assert.deepEqual(await pages('limit=5&sort=-lastEnded'), [...ended, ...names.slice(4)]);
    assert.deepEqual(await pages('limit=5&sort=lastEnded'), [
      ...ended.toReversed(),
      ...names.slice(4),
    ]);
  });

  test('filters, facets and totals', async () => {
    const list = (query: string) => client.get(jobListShape, `/api/v1/jobs?limit=500&${query}`);
    const all = await list('');
    assert.equal(all.total, 23);
    assert.deepEqual(all.facets.groups, [
      { value: 'other', count: 15 },
      { value: 'third', count: 8 },
    ]);
    const third = await list('group=third');
    assert.equal(third.total, 8);
    assert.equal(third.facets.groups.length, 2);
    assert.equal((await list('group=third&group=other')).total, 23);
    assert.equal((await list('enabled=false')).total, 5);
    assert.equal((await list('status=paused')).total, 5);
    assert.deepEqual(
      (await list('status=failing')).items.map(({ name }) => name),
      ['job-00', 'job-02', 'job-03'],
    );
    assert.equal((await list('status=running&status=paused')).total, 6);
    for (const q of ['needle', 'JOB-07', 'NEEDLE']) {
      assert.deepEqual(
        (await list(`q=${q}`)).items.map(({ name }) => name),
        ['job-07'],
      );
    }
    assert.equal((await list('q=THIRD')).total, 8);
    const running = (await list('status=running')).items[0];
    assert.equal(running?.running, 1);
    assert.equal(running.state?.outcome, 'lost');
  });

  test('a cursor of another order, or of nothing, is refused', async () => {
    const page = await client.get(jobListShape, '/api/v1/jobs?limit=5');
    for (const query of [
      `sort=-name&cursor=${page.nextCursor ?? ''}`,
      'cursor=abc',
      `cursor=${Buffer.from('["name",{},1]').toString('base64url')}`,
    ]) {
      const refusal = await client.refusal(400, `/api/v1/jobs?${query}`);
      assert.equal(refusal.errors[0]?.pointer, 'cursor');
    }
  });

  test('a page goes on where it stopped when the job it ended with is gone', async () => {
    const page = await client.get(jobListShape, '/api/v1/jobs?limit=5');
    await client.expect(204, '/api/v1/jobs/job-04', {
      method: 'DELETE',
      headers: { 'if-match': '*' },
    });
    const next = await client.get(
      jobListShape,
      `/api/v1/jobs?limit=5&cursor=${page.nextCursor ?? ''}`,
    );
    assert.equal(next.items[0]?.name, 'job-05');
  });
});
