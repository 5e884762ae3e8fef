import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pruneRound, ruleOf } from '../../master/retention/prune-round.ts';
import { dueInMs } from '../../master/retention/pruner.ts';
import type { PruneAsk } from '../../shared/history/prune.ts';
import { defaultRetention } from '../../shared/history/retention-rule.ts';
import { readJobEntry, type JobEntry } from '../../shared/mesh/job-entry.ts';
import { ManualClock } from '../support/manual-clock.ts';

const dayMs = 86_400_000;
const nowMs = 1_000 * dayMs;

function entry(name: string, text: string): JobEntry {
  const value = Buffer.from(text);
  return readJobEntry(name, {
    key: `/cron/jobs/${name}`,
    value,
    createRevision: 1,
    modRevision: 1,
    version: 1,
    lease: '0',
  });
}

const job = (name: string, more: object = {}) =>
  entry(name, JSON.stringify({ name, command: 'true', cronExpr: '@daily', ...more }));

describe('the rule of a job', () => {
  it('is that of the mesh, but for what the job says itself', () => {
    const mesh = { maxAgeDays: 2, maxRuns: 7, keepLastFailure: false };
    const plain = { before: 998 * dayMs, maxRows: 7, keepLastFailure: false };
    assert.deepEqual(ruleOf(job('a'), mesh, nowMs), plain);
    assert.deepEqual(ruleOf(undefined, mesh, nowMs), plain, 'a deleted job');
    const own = { history: { maxAgeDays: 0.5, keepLastFailure: true } };
    assert.deepEqual(ruleOf(job('a', own), mesh, nowMs), {
      before: 999.5 * dayMs,
      maxRows: 7,
      keepLastFailure: true,
    });
    assert.equal(ruleOf(job('a'), { ...mesh, maxAgeDays: 36_500 }, nowMs)?.before, 0);
  });

  it('is to keep all when the definition cannot be read', () => {
    assert.equal(ruleOf(entry('a', '{"name":"a"}'), defaultRetention, nowMs), undefined);
    assert.equal(ruleOf(entry('a', 'no json'), defaultRetention, nowMs), undefined);
    assert.equal(ruleOf(job('a', { later: 1 }), defaultRetention, nowMs), undefined);
  });
});

describe('a round', () => {
  it('goes through all jobs, step by step, and leaves those out that cannot be read', async () => {
    const asked: string[] = [];
    const names = ['a', 'b', 'c'];
    const round = pruneRound(
      {
        clock: {
          wallMs: () => nowMs,
          monotonicMs: () => 0,
          after: runAtOnce,
          soon: (callback) => void setImmediate(callback),
        },
        retention: defaultRetention,
        entryOf: (name) => (name === 'b' ? entry('b', 'no json') : undefined),
        goOn: async () => undefined,
        store: {
          nextJob: async (after) => names.find((name) => name > after),
          prune: async ({ job: name, after }: PruneAsk) => {
            asked.push(`${name}${after?.id ?? ''}`);
            const step = { rows: 2, chunks: 1 };
            return after === undefined ? { ...step, next: { tick: 1, id: '-more' } } : step;
          },
        },
      },
      new AbortController().signal,
    );
    assert.deepEqual(await round, { rows: 8, chunks: 4, jobs: 3 });
    assert.deepEqual(asked, ['a', 'a-more', 'c', 'c-more']);
  });

  it('ends at once when it may not go on', async () => {
    const doubt = new Error('in doubt');
    const round = pruneRound(
      {
        clock: new ManualClock(),
        retention: defaultRetention,
        entryOf: () => undefined,
        goOn: () => Promise.reject(doubt),
        store: {
          nextJob: async () => 'a',
          prune: () => assert.fail('pruned'),
        },
      },
      new AbortController().signal,
    );
    await assert.rejects(round, doubt);
  });
});

describe('when a round is due', () => {
  const pruned = { v: 1, begunAt: nowMs, seen: 100 } as const;
  const last = { endedAt: nowMs, tookMs: 60_000, rows: 1, chunks: 1, jobs: 1 };

  it('at once the first time, then every ten minutes', () => {
    assert.equal(dueInMs(undefined, 0, nowMs), 0);
    assert.equal(dueInMs(pruned, 100, nowMs + 1_000), 599_000);
    assert.ok(dueInMs(pruned, 0, nowMs + 600_000) <= 0);
  });

  it('seconds after a change that the last one had not seen', () => {
    assert.equal(dueInMs(pruned, 101, nowMs + 1_000), 4_000);
  });

  it('less often when it takes long', () => {
    assert.equal(dueInMs({ ...pruned, last }, 101, nowMs), 120_000);
    assert.equal(dueInMs({ ...pruned, last }, 0, nowMs), 1_200_000);
  });

  it('also when a clock that was wrong announced one in the future', () => {
    assert.equal(dueInMs({ ...pruned, begunAt: nowMs + dayMs }, 0, nowMs), 0);
  });
});

function runAtOnce(_: number, callback: () => void): () => void {
  setImmediate(callback);
  return () => undefined;
}
