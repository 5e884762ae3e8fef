/**
 * The one timer of an idle process: about every second it wakes up all who have to look at something
 * that tells them of no change, such as a wall clock that was stepped. It beats while anybody listens.
 */
import type { Clock } from '../clock.ts';

const periodMs = 1_000;

export class SecondPulse {
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  #nextMs = -Infinity;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long it is until the next beat, in ms; nothing when it does not beat. */
  get untilNextMs(): number {
    return Math.max(0, this.#nextMs - this.#clock.monotonicMs());
  }

  /** Calls `listener` about every second from now on, until the returned function is called. */
  add(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (this.#cancel === undefined) this.#beat();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#cancel?.();
      this.#cancel = undefined;
      this.#nextMs = -Infinity;
    };
  }

  #beat(): void {
    this.#nextMs = this.#clock.monotonicMs() + periodMs;
    this.#cancel = this.#clock.after(periodMs, () => {
      // First, so that a listener that fails stops nobody for longer than a second.
      this.#beat();
      for (const listener of this.#listeners) listener();
    });
  }
}
