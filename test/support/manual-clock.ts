/**
 * A clock that stands still until a test advances it. Timers fire in order of their time, and
 * what they set off (promises included) settles before the next one.
 */
import type { Clock } from '../../shared/clock.ts';

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

export class ManualClock implements Clock {
  #nowMs = 1_000_000;
  #wallOffsetMs = 1_700_000_000_000;
  #timers: Timer[] = [];

  wallMs(): number {
    return this.#nowMs + this.#wallOffsetMs;
  }

  soon(callback: () => void): void {
    setImmediate(callback);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves the wall clock alone. */
  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Moves time without running what fell due, as for a process that was stopped. */
  pause(byMs: number): void {
    this.#nowMs += byMs;
  }

  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    await settle();
    for (let next = this.#due(untilMs); next !== undefined; next = this.#due(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
      await settle();
    }
    this.#nowMs = untilMs;
  }

  #due(untilMs: number): Timer | undefined {
    const next = this.#timers
      .filter((timer) => timer.atMs <= untilMs)
      .reduce<Timer | undefined>(
        (first, timer) => (first === undefined || timer.atMs < first.atMs ? timer : first),
        undefined,
      );
    if (next !== undefined) this.#timers = this.#timers.filter((timer) => timer !== next);
    return next;
  }
}

/** Lets every promise that is ready run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve));
  });
}
