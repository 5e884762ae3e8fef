import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JobInput } from '../../shared/job/definition.ts';
import type { UnreadableKey } from '../../shared/mesh/unreadable.ts';
import type { JobParts } from '../../shared/mesh/view.ts';
import { decide } from '../../worker/schedule/decide.ts';
import { context, every, openFire, part, start, trigger } from '../support/decide-parts.ts';

describe('decide about triggers, and keys by hand', () => {
  it('prefers another worker than the one that failed', () => {
    const job = part(every, { tick: start });
    job.triggers.set('y1', trigger({ cause: 'retry', avoid: 'w1' }));
    const avoided: (string | undefined)[] = [];
    decide(
      job,
      context(start, {
        delayMs: (_, avoid) => {
          avoided.push(avoid);
          return 0;
        },
      }),
    );
    assert.deepEqual(avoided, ['w1']);
  });

  it('takes a due trigger before the next tick, also while paused', () => {
    const job = part(every, { tick: start });
    job.triggers.set('m1', trigger());
    assert.deepEqual(decide(job, context(start + 1_000)), {
      kind: 'claim-trigger',
      triggerId: 'm1',
    });
    const paused = part({ ...every, enabled: false }, { tick: start, schedule: '-' });
    paused.triggers.set('m1', trigger());
    assert.equal(decide(paused, context(start)).kind, 'claim-trigger');
    paused.triggers.set('m1', trigger({ cause: 'retry' }));
    assert.equal(decide(paused, context(start)).kind, 'refuse-trigger');
  });

  it('keeps no more catch-ups waiting than the misfire policy runs', () => {
    const waiting = (more: Partial<JobInput>): JobParts => {
      const job = part({ ...every, ...more }, { tick: start });
      for (const [index, notBefore] of [300, 100, 200].entries()) {
        const tick = start - 30_000 + index * 10_000;
        const value = { cause: 'catch-up' as const, tick, notBefore: start + notBefore };
        job.triggers.set(`c${index}`, trigger(value));
      }
      return job;
    };
    // Without a free slot none of them can start; the next write-off puts another one.
    const refused = decide(waiting({}), context(start, { canClaim: () => false }));
    assert.equal(refused.kind, 'refuse-trigger');
    assert.match(JSON.stringify(refused), /"c1","reason":"ticks missed later take its place"/);
    const all = waiting({ misfire: 'all', misfireLimit: 2 });
    const oldest = decide(all, context(start, { canClaim: () => false }));
    assert.match(JSON.stringify(oldest), /"refuse-trigger","triggerId":"c0"/);
    const enough = waiting({ misfire: 'all', misfireLimit: 3 });
    assert.equal(decide(enough, context(start)).kind, 'wait');
    // Others are no catch-ups, and are not counted.
    const job = part(every, { tick: start });
    job.triggers.set('c1', trigger({ cause: 'catch-up', notBefore: start + 100 }));
    job.triggers.set('m1', trigger({ notBefore: start + 100 }));
    assert.equal(decide(job, context(start)).kind, 'wait');
  });

  it('leaves the last slots to what is due now', () => {
    const job = part(every, { tick: start });
    job.triggers.set('c1', trigger({ cause: 'catch-up', notBefore: start - 500 }));
    const few = context(start + 100, { canCatchUp: () => false });
    assert.deepEqual(decide(job, few), {
      kind: 'wait',
      wantsSlot: true,
      untilMs: start + 1_000,
    });
    assert.deepEqual(decide(job, { ...few, nowMs: start + 1_000 }).kind, 'claim-tick');
    job.triggers.set('c1', trigger({ cause: 'retry', notBefore: start - 500, attempt: 1 }));
    assert.equal(decide(job, few).kind, 'claim-trigger');
  });

  it('tries no more often than the definition says by now', () => {
    const job = part({ ...every, retries: { max: 1 } }, { tick: start });
    job.triggers.set('y1', trigger({ cause: 'retry', attempt: 2 }));
    assert.equal(decide(job, context(start)).kind, 'claim-trigger');
    job.triggers.set('y1', trigger({ cause: 'retry', attempt: 3 }));
    assert.equal(decide(job, context(start)).kind, 'refuse-trigger');
  });

  const unreadable = (key: string, isNewer = false): UnreadableKey => ({
    key,
    modRevision: 40,
    isNewer,
    problems: [{ field: '/v', message: 'is missing', expected: '1', got: 'nothing' }],
  });

  it('refuses a trigger that nobody can read, and leaves those of a newer version alone', () => {
    const job = part(every, { tick: start });
    job.unreadable.trigger.set('new', unreadable('/cron/trigger/a/new', true));
    assert.equal(decide(job, context(start)).kind, 'wait');
    job.unreadable.trigger.set('junk', unreadable('/cron/trigger/a/junk'));
    const refused = decide(job, context(start));
    assert.equal(refused.kind, 'refuse-trigger');
    assert.match(
      JSON.stringify(refused),
      /"junk","reason":".cron.trigger.a.junk cannot be read: .v is missing \(expected 1, got nothing/,
    );
    // Also where there is no job of that name.
    const gone: JobParts = { ...job, entry: undefined, cursor: undefined };
    assert.equal(decide(gone, context(start)).kind, 'refuse-trigger');
  });

  it('takes an open fire that cannot be read for a run, and says which key it is', () => {
    for (const concurrency of ['forbid', 'queue', 'replace'] as const) {
      const job = part({ ...every, concurrency }, { tick: start });
      job.unreadable.fire.set('junk', unreadable('/cron/lock/a/junk'));
      const refused = decide(job, context(start + 1_000));
      assert.equal(refused.kind, 'refuse-overlap', concurrency);
      assert.match(JSON.stringify(refused), /a run may be open: .cron.lock.a.junk cannot be read/);
    }
    const free = part({ ...every, concurrency: 'allow' }, { tick: start });
    free.unreadable.fire.set('junk', unreadable('/cron/lock/a/junk'));
    assert.equal(decide(free, context(start + 1_000)).kind, 'claim-tick');
  });

  it('frees a slot that no open fire holds, in no hurry', () => {
    const job = part({ ...every, concurrency: 'allow', maxConcurrent: 2 }, { tick: start });
    job.slots.set('0', { value: 'r1', createRevision: 20, modRevision: 20 });
    const seen = { firstSeenMs: () => start - 2_000 };
    assert.deepEqual(decide(job, context(start, seen)), { kind: 'wait', untilMs: start + 1_000 });
    const later = { ...seen, canClaim: () => false };
    assert.deepEqual(decide(job, context(start + 1_000, later)), {
      kind: 'free-slot',
      slot: '0',
      modRevision: 20,
    });
    job.fires.set('t1', openFire());
    assert.equal(decide(job, context(start + 1_000, later)).kind, 'wait');
    // Whoever cannot be read may be the one that holds it.
    job.fires.clear();
    job.unreadable.fire.set('junk', unreadable('/cron/lock/a/junk'));
    assert.equal(decide(job, context(start + 1_000, later)).kind, 'wait');
  });

  it('keeps a trigger waiting for the lock, refuses it when it expired or belongs to a former job', () => {
    const job = part(every, { tick: start });
    job.fires.set('t0', openFire());
    job.triggers.set('m1', trigger());
    assert.deepEqual(decide(job, context(start + 500)), { kind: 'wait', untilMs: start + 1_000 });
    const expired = decide(job, context(start + 60_000));
    assert.equal(expired.kind, 'write-off');
    const other = part(every, { tick: start });
    other.triggers.set('m1', trigger({ jobCreate: 4 }));
    const refused = decide(other, context(start));
    assert.equal(refused.kind, 'refuse-trigger');
    other.triggers.set('m1', trigger({ expires: start - 1 }));
    assert.equal(decide(other, context(start)).kind, 'refuse-trigger');
  });
});
