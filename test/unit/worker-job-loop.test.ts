import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLogger } from '../../shared/log.ts';
import { SecondPulse } from '../../shared/mesh/second-pulse.ts';
import { MeshView } from '../../shared/mesh/view.ts';
import { createKeys } from '../../shared/protocol/keys.ts';
import type { DecideContext } from '../../worker/schedule/decision.ts';
import { JobLoop } from '../../worker/schedule/job-loop.ts';
import { ManualClock } from '../support/manual-clock.ts';

const keys = createKeys('/cron');

/** A view in which every job has fallen a day behind. */
function lateJobs(count: number, nowMs: number): MeshView {
  return jobsSince(count, nowMs - 86_400_000);
}

/** A view in which every job has one tick due. */
function dueJobs(count: number, nowMs: number): MeshView {
  return jobsSince(count, Math.floor(nowMs / 1_000) * 1_000 - 1_000);
}

function jobsSince(count: number, cursorMs: number, cronExpr = '* * * * * *'): MeshView {
  const view = new MeshView(keys);
  const kv = (key: string, value: string, revision: number) => ({
    key,
    value: Buffer.from(value),
    createRevision: revision,
    modRevision: revision,
    version: 1,
    lease: '0',
  });
  view.connected(true);
  view.reset();
  for (let i = 0; i < count; i++) {
    const name = `late-${i}`;
    const cursor = `${String(cursorMs).padStart(16, '0')} ${cronExpr} * UTC`;
    view.items([
      kv(keys.job(name), JSON.stringify({ name, command: 'true', cronExpr }), 1),
      kv(keys.cursor(name), cursor, 2),
    ]);
  }
  view.synced(10);
  return view;
}

class CountingClock extends ManualClock {
  timers = 0;

  override after(delayMs: number, callback: () => void): () => void {
    this.timers++;
    return super.after(delayMs, callback);
  }
}

/** In which nothing stands in the way, but for what `but` says. */
function contextAt(
  clock: ManualClock,
  firstSeenMs: DecideContext['firstSeenMs'],
  but: Partial<DecideContext> = {},
): DecideContext {
  return {
    nowMs: clock.wallMs(),
    calendars: new Map(),
    canClaim: () => true,
    canCatchUp: () => true,
    canDecide: () => true,
    sessionAlive: () => true,
    delayMs: () => 0,
    firstSeenMs,
    ...but,
  };
}

describe('job loop', () => {
  it('lets other work of the process have its turn between many costly decisions', async () => {
    const clock = new ManualClock();
    const count = 50;
    const view = lateJobs(count, clock.wallMs());
    const acted: string[] = [];
    let stretch = 0;
    let longest = 0;
    const loop = new JobLoop({
      view,
      clock,
      pulse: new SecondPulse(clock),
      hasFreeSlot: () => true,
      logger: createLogger('test', 'silent'),
      act: (part) => {
        acted.push(part.name);
        return Promise.resolve({ revision: 1_000 });
      },
      context: (_, firstSeenMs) => {
        // Every decision takes 15 ms.
        clock.pause(15);
        stretch += 15;
        longest = Math.max(longest, stretch);
        return contextAt(clock, firstSeenMs, { delayMs: () => 100 });
      },
    });
    loop.start();
    // Whatever else waits in the process comes after the turn that is under way.
    const others = (async () => {
      while (acted.length < count) {
        await new Promise((resolve) => setImmediate(resolve));
        stretch = 0;
      }
    })();
    for (let i = 0; i < 1_000 && acted.length < count; i++) await clock.advance(5);
    await others;
    loop.stop();
    assert.equal(new Set(acted).size, count, 'every job had its decision');
    assert.ok(longest <= 100, `${longest} ms without a turn of anybody else`);
  });

  it('goes on with all others when one job cannot be decided on, and looks at that one again', async () => {
    const clock = new ManualClock();
    const acted = new Set<string>();
    let tried = 0;
    const loop = new JobLoop({
      view: lateJobs(3, clock.wallMs()),
      clock,
      pulse: new SecondPulse(clock),
      hasFreeSlot: () => true,
      logger: createLogger('test', 'silent'),
      act: ({ name }) => {
        acted.add(name);
        return Promise.resolve({ revision: 1_000 });
      },
      context: ({ name }, firstSeenMs) => {
        if (name === 'late-0' && ++tried === 1) throw new Error('a fault of the code');
        return contextAt(clock, firstSeenMs);
      },
    });
    loop.start();
    for (let i = 0; i < 100 && acted.size < 2; i++) await clock.advance(5);
    assert.deepEqual([...acted].toSorted(), ['late-1', 'late-2']);
    for (let i = 0; i < 100 && acted.size < 3; i++) await clock.advance(1_000);
    loop.stop();
    assert.ok(acted.has('late-0'));
  });

  it('looks at what changes between the looks at all of many jobs', async () => {
    const clock = new ManualClock();
    const count = 1_000;
    const view = lateJobs(count, clock.wallMs());
    const looked: string[] = [];
    const loop = new JobLoop({
      view,
      clock,
      pulse: new SecondPulse(clock),
      hasFreeSlot: () => true,
      logger: createLogger('test', 'silent'),
      act: () => Promise.resolve({}),
      context: ({ name }, firstSeenMs) => {
        looked.push(name);
        clock.pause(5);
        return contextAt(clock, firstSeenMs, {
          canClaim: () => false,
          canCatchUp: () => false,
          canDecide: () => false,
        });
      },
    });
    loop.start();
    const last = `late-${count - 1}`;
    loop.consider(last);
    for (let i = 0; i < 2_000 && looked.length <= count; i++) await clock.advance(5);
    loop.stop();
    assert.ok(looked.indexOf(last) < 5, `was looked at as number ${looked.indexOf(last)}`);
    assert.equal(new Set(looked).size, count, 'every job was looked at');
  });

  it('decides no more at a time than can be sent, and comes to all in the end', async () => {
    const clock = new ManualClock();
    const count = 2_000;
    const acted = new Set<string>();
    const ends: (() => void)[] = [];
    const loop = new JobLoop({
      view: lateJobs(count, clock.wallMs()),
      clock,
      pulse: new SecondPulse(clock),
      logger: createLogger('test', 'silent'),
      hasFreeSlot: () => true,
      act: ({ name }) => {
        acted.add(name);
        return new Promise((resolve) => ends.push(() => resolve({ revision: 1_000 })));
      },
      context: (_, firstSeenMs) => contextAt(clock, firstSeenMs),
    });
    loop.start();
    let most = 0;
    for (let i = 0; i < 200 && acted.size < count; i++) {
      for (let turn = 0; turn < 20; turn++) await clock.advance(1);
      most = Math.max(most, ends.length);
      for (const end of ends.splice(0)) end();
    }
    loop.stop();
    assert.equal(acted.size, count);
    assert.ok(most > 100 && most <= 500, `${most} under way at a time`);
  });

  it('looks at as many jobs that wait for a slot as there are slots, each in its turn', async () => {
    const clock = new ManualClock();
    const count = 1_000;
    let slots = 0;
    let looks = 0;
    const acted: string[] = [];
    const loop = new JobLoop({
      view: dueJobs(count, clock.wallMs()),
      clock,
      pulse: new SecondPulse(clock),
      logger: createLogger('test', 'silent'),
      hasFreeSlot: () => slots > 0,
      act: ({ name }) => {
        slots--;
        acted.push(name);
        return new Promise(() => undefined);
      },
      context: (_, firstSeenMs) => {
        looks++;
        return contextAt(clock, firstSeenMs, {
          canClaim: () => slots > 0,
          canCatchUp: () => slots > 0,
        });
      },
    });
    loop.start();
    for (let turn = 0; turn < 50; turn++) await clock.advance(1);
    assert.deepEqual(acted, []);
    assert.ok(looks >= count);
    looks = 0;
    for (let freed = 1; freed <= 20; freed++) {
      slots = 1;
      loop.slotFreed();
      for (let turn = 0; turn < 5; turn++) await clock.advance(0);
      assert.equal(acted.length, freed);
    }
    loop.stop();
    assert.equal(new Set(acted).size, 20);
    assert.ok(looks <= 40, `${looks} looks for 20 slots`);
  });

  it('adopts what changed in mass a request at a time, and fires meanwhile', async () => {
    const clock = new ManualClock();
    const view = lateJobs(1, clock.wallMs());
    const names = Array.from({ length: 350 }, (_, index) => `new-${index}`);
    const put = (name: string, kind: 'job' | 'cursor', value: string, revision: number) => {
      const kv = { key: keys[kind](name), value: Buffer.from(value), version: 1, lease: '0' };
      const revisions = { createRevision: 11, modRevision: revision };
      view.events([{ type: 'put', kv: { ...kv, ...revisions } }], revision);
    };
    for (const name of names) {
      put(name, 'job', JSON.stringify({ name, command: 'true', cronExpr: '0 0 1 1 *' }), 11);
    }
    const underWay: (() => void)[] = [];
    const acted: string[] = [];
    const loop = new JobLoop({
      view,
      clock,
      pulse: new SecondPulse(clock),
      logger: createLogger('test', 'silent'),
      hasFreeSlot: () => true,
      act: ({ name }, { kind }) =>
        new Promise((resolve) => {
          acted.push(name);
          if (kind !== 'adopt') return;
          underWay.push(() => {
            put(
              name,
              'cursor',
              `${String(clock.wallMs()).padStart(16, '0')} 0 0 0 1 1 * * UTC`,
              12,
            );
            resolve({ revision: 12 });
          });
        }),
      context: (_, firstSeenMs) => contextAt(clock, firstSeenMs),
    });
    loop.start();
    await clock.advance(50);
    assert.equal(underWay.length, 100);
    assert.ok(acted.includes('late-0'));
    for (let i = 0; i < 400 && underWay.length > 0; i++) {
      underWay.shift()?.();
      await clock.advance(5);
      assert.ok(underWay.length <= 100, `${underWay.length} under way`);
    }
    loop.stop();
    assert.equal(new Set(acted).size, 351, 'every job was adopted');
    assert.equal(acted.length, 351, 'once');
  });

  it('sets no timer while nothing is due, and notices a stepped wall clock within about a second', async () => {
    const clock = new CountingClock();
    const acted: string[] = [];
    const loop = new JobLoop({
      view: jobsSince(1, clock.wallMs(), '0 0 0 1 1 *'),
      clock,
      pulse: new SecondPulse(clock),
      logger: createLogger('test', 'silent'),
      hasFreeSlot: () => true,
      act: ({ name }) => {
        acted.push(name);
        return new Promise(() => undefined);
      },
      context: (_, firstSeenMs) => contextAt(clock, firstSeenMs),
    });
    loop.start();
    await clock.advance(500);
    clock.timers = 0;
    await clock.advance(20_000);
    assert.equal(clock.timers, 20, 'the pulse alone');
    assert.deepEqual(acted, []);
    clock.stepWall(366 * 86_400_000);
    await clock.advance(1_050);
    assert.deepEqual(acted, ['late-0']);
    loop.stop();
  });

  it('comes to what others are to try first after all of its own, from the far end', async () => {
    const clock = new ManualClock();
    const orders: string[][] = [];
    for (const isBehind of [false, true]) {
      const acted: string[] = [];
      const ends: (() => void)[] = [];
      const loop = new JobLoop({
        view: dueJobs(1_000, clock.wallMs()),
        clock,
        pulse: new SecondPulse(clock),
        logger: createLogger('test', 'silent'),
        hasFreeSlot: () => true,
        act: ({ name }) => {
          acted.push(name);
          return new Promise((resolve) => ends.push(() => resolve({ revision: 1_000 })));
        },
        context: ({ name }, firstSeenMs) => {
          // Of 1,000 the first 600 are the own of one, and the others of the other.
          const isOwn = Number(name.slice(5)) < 600 !== isBehind;
          return contextAt(clock, firstSeenMs, { delayMs: () => (isOwn ? 0 : 200) });
        },
      });
      // All of them are found to be due by the clock, not by a change.
      clock.stepWall(-2_000);
      loop.start();
      await clock.advance(20);
      clock.stepWall(2_000);
      for (let turn = 0; turn < 3_000 && acted.length < 1_000; turn++) {
        await clock.advance(5);
        for (const done of ends.splice(0, 20)) done();
      }
      loop.stop();
      assert.equal(new Set(acted).size, 1_000);
      const own = acted.filter((name) => Number(name.slice(5)) < 600 !== isBehind);
      const early = acted.slice(0, own.length).filter((name) => !own.includes(name));
      assert.ok(early.length <= own.length / 20, `${early.length} of others before ${own.length}`);
      orders.push(acted.filter((name) => Number(name.slice(5)) < 600));
    }
    const [own = [], asAnother = []] = orders;
    const firstOwn = new Set(own.slice(0, 250));
    const met = asAnother.slice(0, 250).filter((name) => firstOwn.has(name)).length;
    assert.ok(met <= 25, `${met} of the first 250 of both`);
  });

  it('tries no fire again for a view that is behind and comes nearer', async () => {
    const clock = new ManualClock();
    const view = dueJobs(1, clock.wallMs());
    let acted = 0;
    const loop = new JobLoop({
      view,
      clock,
      pulse: new SecondPulse(clock),
      logger: createLogger('test', 'silent'),
      hasFreeSlot: () => true,
      act: async () => {
        acted++;
        return { revision: 1_000 };
      },
      context: (_, firstSeenMs) => contextAt(clock, firstSeenMs),
    });
    loop.start();
    await clock.advance(100);
    assert.equal(acted, 1);
    for (let revision = 11; revision < 19; revision++) {
      view.events([], revision);
      await clock.advance(500);
    }
    assert.equal(acted, 1, 'the view comes nearer');
    await clock.advance(700);
    assert.equal(acted, 2, 'it does not any more');
    loop.stop();
  });
});
