/**
 * One timer on the monotonic clock that can be moved. It never rings early, however long the wait:
 * a timer's range ends at 25 days, and its callback may come a fraction of a millisecond too soon.
 */
import type { Clock } from '../../shared/clock.ts';

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #atMs = Infinity;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings once at `atMs` (monotonic), in place of what was set before. Infinity: never. */
  set(atMs: number): void {
    this.clear();
    this.#atMs = atMs;
    if (atMs !== Infinity) this.#arm();
  }

  /** When it will ring (monotonic ms); Infinity when it is not set. */
  get atMs(): number {
    return this.#atMs;
  }

  clear(): void {
    this.#atMs = Infinity;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #arm(): void {
    this.#cancel = this.#clock.after(this.#atMs - this.#clock.monotonicMs(), () => {
      if (this.#clock.monotonicMs() < this.#atMs) {
        this.#arm();
        return;
      }
      this.clear();
      this.#ring();
    });
  }
}
