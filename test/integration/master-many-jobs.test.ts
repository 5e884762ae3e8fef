/**
 * Lists of 100,000 jobs, from a view that is fed directly: what a page costs does not grow into a
 * wait. The bounds are far above what is measured, and only catch a change of kind.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { CalendarUses } from '../../master/calendars/calendar-uses.ts';
import { HeldUpJobs } from '../../master/jobs/held-up-jobs.ts';
import { JobIndex } from '../../master/jobs/job-index.ts';
import { JobQueries, type JobQuery } from '../../master/jobs/job-query.ts';
import { JobSearch } from '../../master/jobs/job-search.ts';
import { NextTicks } from '../../master/jobs/next-ticks.ts';
import { systemClock } from '../../shared/clock.ts';
import type { KeyValue } from '../../shared/etcd/port.ts';
import { MeshView } from '../../shared/mesh/view.ts';
import { createKeys } from '../../shared/protocol/keys.ts';

const jobs = 100_000;
/** Of this process's own time: how busy the machine is does not matter. */
const mostMs = 1_500;

describe('100,000 jobs', () => {
  const keys = createKeys('/cron');
  const view = new MeshView(keys);
  const index = new JobIndex(view);
  const search = new JobSearch(index);
  const queries = new JobQueries({
    index,
    search,
    nextTicks: new NextTicks(view),
    heldUp: new HeldUpJobs(view, new CalendarUses(view), systemClock),
  });
  const nowMs = Date.UTC(2026, 0, 1);

  const jobAt = (number: number, revision: number): KeyValue => {
    const name = `job-${String(number).padStart(6, '0')}`;
    const cronExpr = `${number % 60} ${Math.floor(number / 60) % 60} ${number % 24} * * *`;
    const job = { name, command: `run --shard ${number}`, cronExpr, group: `g${number % 40}` };
    return {
      key: keys.job(name),
      value: Buffer.from(JSON.stringify(job)),
      createRevision: revision,
      modRevision: revision,
      version: 1,
      lease: '0',
    };
  };

  before(() => {
    view.reset();
    view.items(Array.from({ length: jobs }, (_, number) => jobAt(number, number + 2)));
    view.synced(jobs + 2);
  });

  const timed = (query: Partial<JobQuery>) => {
    const begunAt = performance.now();
    const begun = process.cpuUsage();
    const selection = queries.select({ limit: 50, sort: 'name', ...query }, nowMs);
    const { user } = process.cpuUsage(begun);
    return { selection, tookMs: performance.now() - begunAt, cpuMs: user / 1000 };
  };

  for (const [what, query, total] of [
    ['the first page', {}, jobs],
    ['a search', { q: 'shard 99999' }, 1],
    ['the same search again', { q: 'shard 99999' }, 1],
    ['a group', { group: ['g7'] }, jobs / 40],
    ['what is due next', { sort: 'nextTick' }, jobs],
    ['what is due next, again', { sort: 'nextTick' }, jobs],
    ['the end of the alphabet', { sort: '-name', limit: 500 }, jobs],
  ] as const) {
    test(what, (context) => {
      const { selection, tookMs, cpuMs } = timed(query);
      context.diagnostic(`${tookMs.toFixed(1)} ms, ${cpuMs.toFixed(1)} ms of them ours`);
      assert.equal(selection.total, total);
      assert.ok(cpuMs < mostMs, `${cpuMs} ms`);
    });
  }

  test('jobs that come and go keep the order', () => {
    for (let round = 0; round < 500; round++) {
      const number = jobs + ((round * 7_919) % 1_000);
      view.events([{ type: 'put', kv: jobAt(number, jobs + 3 + round) }], jobs + 3 + round);
    }
    for (let number = 0; number < 500; number++) {
      const key = keys.job(`job-${String(number * 3).padStart(6, '0')}`);
      view.events([{ type: 'delete', key, modRevision: 200_000 }], 200_000 + number);
    }
    assert.equal(index.total, jobs);
    const names = [...index.order.subarray(0, index.total)].map(
      (slot) => index.at(slot)?.name ?? '',
    );
    assert.deepEqual(
      names,
      names.toSorted((a, b) => (a < b ? -1 : 1)),
    );
    assert.equal(index.count('paused') + index.count('quarantined'), 0);
    const grouped = index.groups.counts.reduce((sum, count) => sum + count, 0);
    assert.equal(grouped, jobs);
  });
});
