import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '../../shared/clock.ts';
import { createLogger } from '../../shared/log.ts';
import { FleetClock } from '../../shared/mesh/fleet-clock.ts';
import { SecondPulse } from '../../shared/mesh/second-pulse.ts';

/** Simulated time: timers fire in order as it is advanced; the wall clock can be stepped. */
class FakeTime implements Clock {
  monotonic = 1_000;
  wallOffset = Date.UTC(2026, 0, 1) + 337;
  #timers: { atMs: number; run: () => void }[] = [];

  wallMs(): number {
    return Math.floor(this.monotonic + this.wallOffset);
  }

  soon(callback: () => void): void {
    setImmediate(callback);
  }

  monotonicMs(): number {
    return this.monotonic;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.monotonic + delayMs, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  async advance(ms: number): Promise<void> {
    const until = this.monotonic + ms;
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > until) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.monotonic = Math.max(this.monotonic, next.atMs);
      next.run();
      await new Promise((resolve) => void setImmediate(resolve));
    }
    this.monotonic = until;
  }
}

/** A fleet whose time is `offset` behind this worker's wall clock, told in whole seconds. */
async function started(
  offsetMs: number,
): Promise<{ time: FakeTime; clock: FleetClock; down: { now: boolean } }> {
  const time = new FakeTime();
  const fleet = Date.UTC(2026, 0, 1) + 337 - offsetMs;
  const down = { now: false };
  const clock = new FleetClock({
    clock: time,
    logger: createLogger('test', 'silent'),
    serverDateMs: async () => {
      if (down.now) throw new Error('down');
      return Math.floor((time.monotonic + fleet) / 1_000) * 1_000;
    },
    onChange: () => undefined,
  });
  await clock.start();
  return { time, clock, down };
}

describe('SecondPulse', () => {
  it('wakes up all who listen, one that fails or not, and beats for nobody', async () => {
    const time = new FakeTime();
    const pulse = new SecondPulse(time);
    assert.equal(pulse.untilNextMs, 0);
    let beats = 0;
    const stop = pulse.add(() => beats++);
    assert.equal(pulse.untilNextMs, 1_000);
    await time.advance(3_500);
    assert.equal(beats, 3);
    assert.equal(pulse.untilNextMs, 500);
    const stopFailing = pulse.add(() => {
      throw new Error('a fault of the code');
    });
    await assert.rejects(time.advance(1_000), /a fault of the code/);
    stopFailing();
    await time.advance(2_000);
    assert.equal(beats, 6);
    stop();
    await time.advance(5_000);
    assert.equal(beats, 6);
    assert.equal(pulse.untilNextMs, 0);
  });
});

describe('FleetClock', () => {
  it('is verified by the first answer, and narrows its estimate within ten seconds', async () => {
    for (const offsetMs of [0, 130, -777, 900, -900]) {
      const { time, clock } = await started(offsetMs);
      // Unless, for all that is known yet, it may be too far ahead.
      assert.equal(clock.verdict().ok, offsetMs !== 900);
      await time.advance(10_000);
      const { ok, offsetMs: estimate } = clock.verdict();
      assert.equal(ok, true);
      assert.ok(Math.abs((estimate ?? Number.NaN) - offsetMs) <= 40, `${estimate} for ${offsetMs}`);
      clock.stop();
    }
  });

  it('never takes a clock that is too far ahead for a right one, however little is known', async () => {
    for (let offsetMs = 1_010; offsetMs < 2_500; offsetMs += 70) {
      const { time, clock } = await started(offsetMs);
      for (let second = 0; second < 10; second++) {
        assert.equal(clock.verdict().ok, false, `${offsetMs} ms ahead, after ${second} s`);
        await time.advance(1_000);
      }
      clock.stop();
    }
  });

  it('refuses a clock that is off by more than a second', async () => {
    for (const offsetMs of [1_100, -1_100, 3_600_000]) {
      const { time, clock } = await started(offsetMs);
      await time.advance(10_000);
      const { ok, reason } = clock.verdict();
      assert.equal(ok, false);
      assert.match(reason ?? '', /off by/);
      clock.stop();
    }
  });

  it('notices a stepped clock at once, and comes back by itself when it is stepped back', async () => {
    const { time, clock } = await started(0);
    await time.advance(10_000);
    time.wallOffset += 3_600_000;
    assert.equal(clock.verdict().ok, false);
    await time.advance(3_000);
    assert.match(clock.verdict().reason ?? '', /off by/);
    time.wallOffset -= 3_600_000;
    assert.equal(clock.verdict().ok, false);
    await time.advance(3_000);
    assert.equal(clock.verdict().ok, true);
    clock.stop();
  });

  it('is not verified any more 30 s after the last comparison', async () => {
    const { time, clock, down } = await started(0);
    down.now = true;
    await time.advance(29_000);
    assert.equal(clock.verdict().ok, true);
    await time.advance(3_000);
    assert.equal(clock.verdict().ok, false);
    clock.sawBeat('other', time.wallMs());
    await time.advance(6_000);
    assert.equal(clock.verdict().ok, true, 'other workers’ beats stand in for etcd');
    clock.stop();
  });
});
