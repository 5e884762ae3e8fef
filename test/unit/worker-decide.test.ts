import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JobInput } from '../../shared/job/definition.ts';
import type { JobParts } from '../../shared/mesh/view.ts';
import { decide } from '../../worker/schedule/decide.ts';
import { context, every, openFire, part, start, trigger } from '../support/decide-parts.ts';

describe('decide', () => {
  it('adopts a job without a cursor, and never fires before', () => {
    assert.deepEqual(decide(part(), context(start)), {
      kind: 'adopt',
      schedule: '* * * * * * * UTC',
    });
  });

  it('adopts when the cursor counts another schedule, is paused, or the job is gone', () => {
    const other = part(every, { tick: start, schedule: '0 * * * * * * UTC' });
    assert.equal(decide(other, context(start)).kind, 'adopt');
    const resumed = part(every, { tick: start, schedule: '-' });
    assert.equal(decide(resumed, context(start)).kind, 'adopt');
    const gone: JobParts = { ...part(every, { tick: start }), entry: undefined };
    assert.deepEqual(decide(gone, context(start)), { kind: 'adopt', schedule: 'x' });
    const paused = part({ ...every, enabled: false }, { tick: start });
    assert.deepEqual(decide(paused, context(start)), { kind: 'adopt', schedule: '-' });
    const broken = part({ cronExpr: 'nonsense' }, { tick: start, schedule: '* * * * * * * UTC' });
    assert.deepEqual(decide(broken, context(start)), { kind: 'adopt', schedule: '-' });
  });

  it('adopts a job that was made anew under the same schedule', () => {
    const job = part(every, { tick: start });
    assert.equal(decide(job, context(start + 1_000)).kind, 'claim-tick');
    const { entry } = job;
    assert.ok(entry);
    const anew: JobParts = { ...job, entry: { ...entry, createRevision: 10, modRevision: 10 } };
    assert.equal(decide(anew, context(start + 1_000)).kind, 'adopt');
  });

  it('waits until the next tick, and claims it when it is due, never early', () => {
    const job = part(every, { tick: start });
    assert.deepEqual(decide(job, context(start + 999)), { kind: 'wait', untilMs: start + 1_000 });
    assert.deepEqual(decide(job, context(start + 1_000)), {
      kind: 'claim-tick',
      tick: start + 1_000,
      calendars: [],
    });
  });

  it('waits for its rank, and for a slot', () => {
    const job = part(every, { tick: start });
    assert.deepEqual(decide(job, context(start + 1_100, { delayMs: () => 200 })), {
      kind: 'wait',
      untilMs: start + 1_200,
      afterOthersMs: start + 1_200,
    });
    const inTurn = decide(job, context(start + 1_200, { delayMs: () => 200 }));
    assert.deepEqual([inTurn.kind, inTurn.afterOthersMs], ['claim-tick', start + 1_200]);
    const full = decide(job, context(start + 1_100, { canClaim: () => false }));
    assert.equal(full.kind, 'wait');
    assert.equal(full.kind === 'wait' && full.wantsSlot, true);
  });

  it('takes the oldest due tick while it is fresh, and writes off what is stale', () => {
    const job = part(every, { tick: start });
    assert.deepEqual(decide(job, context(start + 2_500)), {
      kind: 'claim-tick',
      tick: start + 1_000,
      calendars: [],
    });
    const late = decide(job, context(start + 10_400));
    assert.equal(late.kind, 'write-off');
    // Ticks 1..8 are over 2 s old with newer ones due; 9 and 10 can still be run.
    assert.deepEqual(late.kind === 'write-off' && late.span, {
      fromTick: start,
      toTick: start + 8_000,
      count: 8,
    });
  });

  it('gives a lone tick up after the start deadline only', () => {
    const job = part({ cronExpr: '0 0 12 * * *' }, { tick: start - 1 });
    assert.equal(decide(job, context(start + 19_999)).kind, 'claim-tick');
    const late = decide(job, context(start + 20_000));
    assert.deepEqual(late.kind === 'write-off' && late.span, {
      fromTick: start - 1,
      toTick: start,
      count: 1,
    });
  });

  it('writes a year of silence off as one span', () => {
    const year = 365 * 86_400_000;
    const late = decide(part(every, { tick: start }), context(start + year + 500));
    assert.equal(late.kind === 'write-off' && late.span.toTick, start + year - 2_000);
    assert.equal(late.kind === 'write-off' && late.span.count, undefined);
  });

  it('never claims a stale tick while it waits for its turn to write it off', () => {
    const late = decide(
      part(every, { tick: start }),
      context(start + 10_000, { delayMs: () => 400 }),
    );
    assert.deepEqual(late, {
      kind: 'wait',
      untilMs: start + 10_400,
      afterOthersMs: start + 10_400,
    });
  });

  it('refuses an overlap while the holder lives, and waits for a dead one to be settled', () => {
    const job = part(every, { tick: start });
    job.fires.set('t0', openFire());
    assert.deepEqual(decide(job, context(start + 1_000)), {
      kind: 'refuse-overlap',
      tick: start + 1_000,
      holders: [{ fireId: 't0', runId: 'r1', modRevision: 20, sessionId: 's1' }],
      reason: 'an earlier run is still open',
      calendars: [],
    });
    const dead = decide(job, context(start + 1_000, { sessionAlive: () => false }));
    assert.equal(dead.kind, 'wait');
  });

  it('lets runs overlap where the job allows it', () => {
    const job = part({ ...every, concurrency: 'allow' }, { tick: start });
    job.fires.set('t0', openFire());
    assert.equal(decide(job, context(start + 1_000)).kind, 'claim-tick');
  });

  it('lets so many runs overlap as the job allows, and not one more', () => {
    const job = part({ ...every, concurrency: 'allow', maxConcurrent: 2 }, { tick: start });
    job.fires.set('t0', openFire());
    assert.equal(decide(job, context(start + 1_000)).kind, 'claim-tick');
    job.fires.set('t1', openFire());
    assert.equal(decide(job, context(start + 1_000)).kind, 'refuse-overlap');
  });

  it('queues one fire, and refuses the next while it waits', () => {
    const job = part({ ...every, concurrency: 'queue' }, { tick: start });
    job.fires.set('t0', openFire());
    const queued = decide(job, context(start + 1_000));
    assert.equal(queued.kind === 'queue-tick' && queued.replace, false);
    job.triggers.set('q1', trigger({ cause: 'tick' }));
    assert.equal(decide(job, context(start + 1_000)).kind, 'refuse-overlap');
  });

  it('replaces beside retries, catch-ups and manual runs that wait, and queues nothing', () => {
    for (const concurrency of ['queue', 'replace'] as const) {
      const job = part({ ...every, concurrency, retries: { max: 3 } }, { tick: start });
      job.fires.set('t0', openFire());
      job.triggers.set('y1', trigger({ cause: 'retry', notBefore: start + 3_600_000 }));
      job.triggers.set('c1', trigger({ cause: 'catch-up', notBefore: start + 20_000 }));
      job.triggers.set('m1', trigger({}));
      const queued = decide(job, context(start + 1_000));
      assert.equal(queued.kind, concurrency === 'queue' ? 'refuse-overlap' : 'queue-tick');
      job.triggers.set('q1', trigger({ cause: 'tick' }));
      assert.equal(decide(job, context(start + 1_000)).kind, 'refuse-overlap');
    }
  });

  it('replaces an earlier run', () => {
    const job = part({ ...every, concurrency: 'replace' }, { tick: start });
    job.fires.set('t0', openFire());
    const queued = decide(job, context(start + 1_000));
    assert.equal(queued.kind === 'queue-tick' && queued.replace, true);
  });

  it('catches up as the misfire policy says', () => {
    const catchUp = (more: Partial<JobInput>, afterMs: number): readonly number[] => {
      const decision = decide(part(more, { tick: start }), context(start + afterMs));
      assert.equal(decision.kind, 'write-off');
      return decision.kind === 'write-off' ? decision.catchUp : [];
    };
    const hourly = { cronExpr: '0 * * * *' };
    const hour = 3_600_000;
    assert.deepEqual(catchUp({ ...hourly, misfire: 'skip' }, 5 * hour + 60_000), []);
    assert.deepEqual(catchUp(hourly, 5 * hour + 60_000), [start + 5 * hour]);
    assert.deepEqual(catchUp({ ...hourly, misfire: 'all', misfireLimit: 3 }, 5 * hour + 60_000), [
      start + 3 * hour,
      start + 4 * hour,
      start + 5 * hour,
    ]);
    // The newest tick is fresh and will be run by itself: nothing to catch up on for `latest`.
    assert.deepEqual(catchUp(hourly, 5 * hour + 1_000), []);
    assert.deepEqual(catchUp(every, 60_000), []);
    // A longer start deadline keeps the newest tick claimable for longer.
    assert.deepEqual(catchUp({ ...hourly, startDeadlineSeconds: 120 }, 5 * hour + 60_000), []);
  });

  it('leaves a definition of a newer schema alone', () => {
    const newer = part({ ...every, schemaVersion: 2 } as never, { tick: start, schedule: 'z' });
    newer.triggers.set('m1', trigger());
    assert.deepEqual(decide(newer, context(start + 60_000)), { kind: 'wait' });
    const broken = part({ ...every, schemaVersion: 0 } as never, { tick: start, schedule: 'z' });
    assert.equal(decide(broken, context(start)).kind, 'adopt');
  });

  it('decides nothing while it may not', () => {
    const blocked = { canClaim: () => false, canDecide: () => false };
    assert.equal(decide(part(), context(start, blocked)).kind, 'wait');
    const job = part(every, { tick: start });
    assert.equal(decide(job, context(start + 60_000, blocked)).kind, 'wait');
  });
});
