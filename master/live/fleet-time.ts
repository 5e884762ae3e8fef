/**
 * The fleet's wall clock, for what a master writes: cursors, triggers and orders are read by workers
 * whose clocks are verified. While this machine's own clock is within the bound it is that; one that is
 * off, or was stepped, is corrected by what etcd's answers told of it. Nothing is known before the first
 * answer: start() waits for it, but not for long.
 */
import { sleep, type Clock } from '../../shared/clock.ts';
import type { Component } from '../../shared/lifecycle.ts';
import type { Logger } from '../../shared/log.ts';
import { FleetClock } from '../../shared/mesh/fleet-clock.ts';

/** The bound of workers: within it clocks of one fleet may differ. */
const boundMs = 1_000;
const firstAnswerMs = 2_000;

export interface FleetTimeOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Epoch ms of a server's `Date`, cut to the second. */
  serverDateMs(): Promise<number>;
}

export class FleetTime implements Component, Clock {
  readonly #clock: Clock;
  readonly #fleet: FleetClock;
  /** The fleet's wall clock minus this machine's monotonic one, when it was last known. */
  #anchorMs: number | undefined;

  constructor(options: FleetTimeOptions) {
    this.#clock = options.clock;
    this.#fleet = new FleetClock({ ...options, onChange: () => undefined });
  }

  async start(): Promise<void> {
    await Promise.race([this.#fleet.start(), sleep(this.#clock, firstAnswerMs)]);
  }

  async stop(): Promise<void> {
    this.#fleet.stop();
  }

  /** Milliseconds by which this machine's clock is off, when that is more than it may be. */
  get offMs(): number | undefined {
    const { offsetMs } = this.#fleet.verdict();
    return offsetMs !== undefined && Math.abs(offsetMs) > boundMs ? offsetMs : undefined;
  }

  /** Whether this machine's clock was compared with the fleet's a moment ago. */
  get isKnown(): boolean {
    return this.#fleet.verdict().offsetMs !== undefined;
  }

  wallMs(): number {
    const { offsetMs } = this.#fleet.verdict();
    const monotonicMs = this.#clock.monotonicMs();
    if (offsetMs !== undefined) {
      const isOff = Math.abs(offsetMs) > boundMs;
      this.#anchorMs = this.#clock.wallMs() - (isOff ? offsetMs : 0) - monotonicMs;
    }
    if (this.#anchorMs === undefined) return this.#clock.wallMs();
    return Math.round(monotonicMs + this.#anchorMs);
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  after(delayMs: number, callback: () => void): () => void {
    return this.#clock.after(delayMs, callback);
  }

  soon(callback: () => void): void {
    this.#clock.soon(callback);
  }
}
