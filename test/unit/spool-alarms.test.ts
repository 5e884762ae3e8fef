/** Several deadlines on one timer: each due once, in any order of setting, on a clock of the test. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Clock } from '../../shared/clock.ts';
import { Alarms } from '../../worker/spool/alarms.ts';

class ManualClock implements Clock {
  #nowMs = 0;
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  get timers(): number {
    return this.#timers.length;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  soon(callback: () => void): void {
    setImmediate(callback);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter((timer) => timer.atMs <= this.#nowMs);
    this.#timers = this.#timers.filter((timer) => timer.atMs > this.#nowMs);
    for (const timer of due) timer.callback();
  }
}

it('fires each alarm once when it is due, on one timer', () => {
  const clock = new ManualClock();
  const alarms = new Alarms(clock);
  const fired: string[] = [];
  alarms.set('late', 30, () => fired.push('late'));
  alarms.set('early', 10, () => fired.push('early'));
  alarms.set('middle', 20, () => fired.push('middle'));
  assert.equal(clock.timers, 1);
  clock.advance(10);
  assert.deepEqual(fired, ['early']);
  clock.advance(100);
  assert.deepEqual(fired, ['early', 'late', 'middle']);
  assert.equal(clock.timers, 0);
});

it('moves an alarm that is set again, forgets a cleared one, and lets callbacks set anew', () => {
  const clock = new ManualClock();
  const alarms = new Alarms(clock);
  const fired: number[] = [];
  alarms.set('moved', 10, () => fired.push(1));
  alarms.set('moved', 20, () => fired.push(2));
  alarms.set('cleared', 5, () => fired.push(3));
  alarms.clear('cleared');
  assert.equal(alarms.isSet('cleared'), false);
  clock.advance(10);
  assert.equal(fired.length, 0);
  const again = (): void => {
    fired.push(4);
    alarms.set('again', 10, again);
  };
  alarms.set('again', 5, again);
  clock.advance(10);
  clock.advance(10);
  assert.deepEqual(
    fired.toSorted((a, b) => a - b),
    [2, 4, 4],
  );
  alarms.clearAll();
  assert.equal(clock.timers, 0);
});
