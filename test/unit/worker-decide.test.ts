import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JobInput } from '../../shared/job/definition.ts';
import { readJobEntry } from '../../shared/mesh/job-entry.ts';
import type { UnreadableKey } from '../../shared/mesh/unreadable.ts';
import type { Held, JobParts } from '../../shared/mesh/view.ts';
import { encodeCursor, parseCursor } from '../../shared/protocol/cursor.ts';
import type { FireValue, TriggerValue } from '../../shared/protocol/values.ts';
import { decide } from '../../worker/schedule/decide.ts';
import type { DecideContext } from '../../worker/schedule/decision.ts';

const start = Date.UTC(2026, 0, 1, 12, 0, 0);
const every = { cronExpr: '* * * * * *' };

function part(
  job: Partial<JobInput> = every,
  cursor?: { tick: number; schedule?: string },
): JobParts {
  const value = Buffer.from(JSON.stringify({ name: 'a', command: 'true', ...job }));
  const entry = readJobEntry('a', {
    key: '/cron/jobs/a',
    value,
    createRevision: 5,
    modRevision: 7,
    version: 1,
    lease: '0',
  });
  const raw =
    cursor === undefined
      ? undefined
      : encodeCursor({
          tick: cursor.tick,
          schedule: cursor.schedule ?? (entry.ok ? entry.schedule.canonical : '-'),
        });
  return {
    name: 'a',
    entry,
    cursor: raw === undefined ? undefined : { raw, modRevision: 9, cursor: parseCursor(raw) },
    state: undefined,
    fires: new Map(),
    triggers: new Map(),
    dones: new Map(),
    orders: new Map(),
    slots: new Map(),
    unreadable: { fire: new Map(), trigger: new Map() },
  };
}

function context(nowMs: number, more: Partial<DecideContext> = {}): DecideContext {
  return {
    nowMs,
    calendars: new Map(),
    canClaim: () => true,
    canDecide: () => true,
    sessionAlive: () => true,
    delayMs: () => 0,
    firstSeenMs: () => nowMs,
    ...more,
  };
}

function openFire(session = 's1'): Held<FireValue> {
  return {
    value: {
      v: 1,
      runId: 'r1',
      session,
      worker: 'w1',
      jobCreate: 5,
      cause: 'tick',
      tick: start,
      attempt: 1,
      group: 'default',
    },
    createRevision: 20,
    modRevision: 20,
  };
}

function trigger(more: Partial<TriggerValue> = {}): Held<TriggerValue> {
  return {
    value: {
      v: 1,
      cause: 'manual',
      tick: start,
      notBefore: start,
      expires: start + 60_000,
      attempt: 1,
      jobCreate: 5,
      ...more,
    },
    createRevision: 30,
    modRevision: 30,
  };
}

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
    });
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
    assert.deepEqual(late, { kind: 'wait', untilMs: start + 10_400 });
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
