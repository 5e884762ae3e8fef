/**
 * Named deadlines on one timer of the clock. Setting a name again moves its deadline; a due one is
 * forgotten before its callback runs, so the callback may set it anew. Callbacks must not throw.
 */
import type { Clock } from '../../shared/clock.ts';

interface Alarm {
  readonly atMs: number;
  readonly run: () => void;
}

export class Alarms {
  readonly #clock: Clock;
  readonly #alarms = new Map<string, Alarm>();
  #cancelTimer: (() => void) | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  set(name: string, delayMs: number, run: () => void): void {
    this.#alarms.set(name, { atMs: this.#clock.monotonicMs() + delayMs, run });
    this.#arm();
  }

  isSet(name: string): boolean {
    return this.#alarms.has(name);
  }

  clear(name: string): void {
    // The timer stays: at worst it fires once for nothing.
    this.#alarms.delete(name);
  }

  clearAll(): void {
    this.#alarms.clear();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
  }

  #arm(): void {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { atMs } of this.#alarms.values()) nextMs = Math.min(nextMs, atMs);
    if (nextMs >= this.#timerAtMs) return;
    this.#cancelTimer?.();
    this.#timerAtMs = nextMs;
    this.#cancelTimer = this.#clock.after(nextMs - this.#clock.monotonicMs(), () => this.#fire());
  }

  #fire(): void {
    this.#cancelTimer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.monotonicMs();
    const due = Array.from(this.#alarms).filter(([, alarm]) => alarm.atMs <= nowMs);
    for (const [name, alarm] of due) {
      // An earlier callback of this round may have moved or cleared it.
      if (this.#alarms.get(name) !== alarm) continue;
      this.#alarms.delete(name);
      alarm.run();
    }
    this.#arm();
  }
}
