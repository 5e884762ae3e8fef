/**
 * What the job loop carries out beside the fires that it is the first to try: so many at a time, and one
 * at a time while any of those is due. Names wait in order of time, then in their own; each is looked at
 * anew when its turn comes, for most were served by others meanwhile. While others are first in more
 * than one of sixteen, the lane narrows: what this worker sees is too old to try for many. After a pause
 * it is as wide as ever, for whoever was first may be dead by then.
 */
import { DueHeap } from './due-heap.ts';

export class Lane {
  readonly #widest: number;
  readonly #busy = new Set<string>();
  readonly #waiting = new DueHeap();
  #limit: number;

  constructor(widest: number) {
    this.#widest = widest;
    this.#limit = widest;
  }

  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  hasRoom(isPressed: boolean): boolean {
    return this.#busy.size < (isPressed ? 1 : this.#limit);
  }

  wait(name: string, sinceMs: number, order: number): void {
    this.#waiting.set(name, sinceMs, order);
  }

  take(): string | undefined {
    return this.#waiting.take(Infinity);
  }

  forget(name: string): void {
    this.#waiting.delete(name);
  }

  begin(name: string): void {
    if (this.#busy.size === 0 && !this.isWaiting) this.#limit = this.#widest;
    this.#busy.add(name);
  }

  /** `wasLost`: somebody else had been first. */
  end(name: string, wasLost: boolean): void {
    if (!this.#busy.delete(name)) return;
    if (wasLost) this.#limit = Math.max(1, this.#limit - 16);
    else this.#limit = Math.min(this.#widest, this.#limit + 1);
  }
}
