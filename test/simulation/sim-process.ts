/**
 * A machine's clocks, and a process on it. The wall clock is off, drifts and steps; the monotonic one
 * only drifts, and not as the wall clock does where that is kept right from outside. A paused process executes nothing: its timers and the replies it is due queue up and
 * run one after the other when it goes on. A dead one never runs again; its successor is a new
 * SimProcess on the same machine.
 */
import type { Clock } from '../../shared/clock.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimTime } from './sim-time.ts';

export class SimMachine {
  readonly name: string;
  readonly time: SimTime;
  /** Milliseconds of this machine in a true one. */
  readonly rate: number;
  /** The same of its wall clock. */
  readonly wallRate: number;
  /** Wall clock minus true time, at the beginning. */
  wallOffsetMs: number;
  readonly #bootMs: number;

  constructor(options: {
    readonly name: string;
    readonly time: SimTime;
    readonly rate: number;
    readonly wallRate?: number;
    readonly wallOffsetMs: number;
    readonly bootMs: number;
  }) {
    this.name = options.name;
    this.time = options.time;
    this.rate = options.rate;
    this.wallRate = options.wallRate ?? options.rate;
    this.wallOffsetMs = options.wallOffsetMs;
    this.#bootMs = options.bootMs;
  }

  monotonicMs(): number {
    return this.#bootMs + this.time.nowMs * this.rate;
  }

  wallMs(): number {
    return Math.floor(this.time.originMs + this.time.nowMs * this.wallRate + this.wallOffsetMs);
  }

  /** Wall clock minus true time, now. */
  wallErrorMs(): number {
    return this.wallMs() - this.time.trueWallMs;
  }

  stepWall(byMs: number): void {
    this.wallOffsetMs += byMs;
  }

  /** Runs when the machine's monotonic clock has gone on by `delayMs`; no process can hold it up. */
  after(delayMs: number, callback: () => void): () => void {
    return this.time.after(Math.max(0, delayMs) / this.rate, callback);
  }
}

export class SimProcess {
  readonly machine: SimMachine;
  readonly clock: Clock;
  /** What the operating system still does for a process that was killed. */
  onKilled: () => void = () => undefined;
  readonly #random: SeededRandom;
  #alive = true;
  #paused = false;
  #waiting: { readonly isTimer: boolean; readonly callback: () => void }[] = [];

  constructor(machine: SimMachine, random: SeededRandom) {
    this.machine = machine;
    this.#random = random;
    this.clock = {
      wallMs: () => machine.wallMs(),
      monotonicMs: () => machine.monotonicMs(),
      after: (delayMs, callback) => this.#after(Math.ceil(delayMs), callback),
      soon: (callback) => machine.time.post(() => this.deliver(callback, true)),
    };
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  /** Something arrives at the process. */
  deliver(callback: () => void, isTimer = false): void {
    if (!this.#alive) return;
    if (this.#paused) this.#waiting.push({ isTimer, callback });
    else callback();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    // What came over sockets keeps its order, and so does what fell due; which is first, does not.
    const first = this.#random.pick(['timers', 'arrivals', 'as they came'] as const);
    const rank = (isTimer: boolean): number =>
      first === 'as they came' ? 0 : isTimer === (first === 'timers') ? 0 : 1;
    waiting.sort((a, b) => rank(a.isTimer) - rank(b.isTimer));
    for (const { isTimer, callback } of waiting) {
      this.machine.time.after(0, () => this.deliver(callback, isTimer));
    }
  }

  kill(): void {
    this.#alive = false;
    this.#waiting = [];
    this.onKilled();
  }

  #after(delayMs: number, callback: () => void): () => void {
    // Cancelled in the machine's time, or while the process is paused.
    let what: (() => void) | undefined = callback;
    const run = (): void => what?.();
    const cancel = this.machine.after(delayMs, () => {
      if (this.#alive && !this.#paused) run();
      else this.deliver(run, true);
    });
    return () => {
      what = undefined;
      cancel();
    };
  }
}
