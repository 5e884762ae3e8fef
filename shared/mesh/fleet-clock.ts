/**
 * Is this machine's wall clock right enough to claim? It is compared with the fleet: with the `Date`
 * header of etcd's answers, each of which bounds the offset to an interval of a second (asked in the
 * middle of what is left, the next answer halves it), or with the median of other workers' beats. It
 * counts as verified while the last comparison is under 30 s old, the offset is within 1 s, and wall
 * minus monotonic has not jumped by 250 ms since.
 */
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { SecondPulse } from './second-pulse.ts';

const maxAgeMs = 30_000;
const maxOffsetMs = 1_000;
const maxJumpMs = 250;
const sampleEveryMs = 5_000;
const keptSamples = 16;
/** Narrower than this the estimate is good; until then it is narrowed about every second. */
const narrowMs = 40;
const secondMs = 1_000;

export interface ClockVerdict {
  readonly ok: boolean;
  readonly reason?: string;
  /** This machine's wall clock minus the fleet's, best estimate. */
  readonly offsetMs?: number;
}

export interface FleetClockOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** On which it looks at the clock; one of its own unless given. */
  readonly pulse?: SecondPulse;
  /** Epoch ms of a server's `Date`, cut to the second. */
  serverDateMs(): Promise<number>;
  /** The verdict changed. */
  onChange(): void;
}

interface Bounds {
  readonly low: number;
  readonly high: number;
}

export class FleetClock {
  readonly #options: FleetClockOptions;
  #samples: Bounds[] = [];
  /** Latest offset against each other worker's beat, monotonic time of it. */
  readonly #beats = new Map<string, { offsetMs: number; atMs: number }>();
  #comparedAtMs = -Infinity;
  /** Wall minus monotonic at the last comparison. */
  #base: number;
  #stopPulse: (() => void) | undefined;
  #lastSampleMs = -Infinity;
  #isSampling = false;
  /** Set while it waits for the moment to narrow its estimate. */
  #cancelHalving: (() => void) | undefined;
  #stopped = false;
  #wasOk = false;
  #stepped = false;

  constructor(options: FleetClockOptions) {
    this.#options = options;
    this.#base = this.#difference();
  }

  async start(): Promise<void> {
    await this.#sample();
    if (this.#stopped) return;
    this.#halve();
    const pulse = this.#options.pulse ?? new SecondPulse(this.#options.clock);
    this.#stopPulse = pulse.add(() => this.#look());
  }

  stop(): void {
    this.#stopped = true;
    this.#stopPulse?.();
    this.#cancelHalving?.();
  }

  /** Takes another worker's beat, just seen, which said `wallMs`. */
  sawBeat(workerId: string, wallMs: number): void {
    const { clock } = this.#options;
    const atMs = clock.monotonicMs();
    this.#beats.set(workerId, { offsetMs: clock.wallMs() - wallMs, atMs });
  }

  verdict(): ClockVerdict {
    const now = this.#options.clock.monotonicMs();
    this.#noticeStep();
    if (this.#stepped) return { ok: false, reason: 'the wall clock was stepped' };
    const estimate = this.#estimate();
    if (estimate === undefined || now - this.#comparedAtMs > maxAgeMs) {
      return { ok: false, reason: 'the clock was not compared with the fleet for 30 s' };
    }
    const offsetMs = Math.round((estimate.low + estimate.high) / 2);
    if (estimate.low > maxOffsetMs || estimate.high < -maxOffsetMs) {
      return { ok: false, reason: `the clock is off by ${offsetMs} ms`, offsetMs };
    }
    // One that is behind only fires late; one that may be too far ahead would fire before the tick.
    if (estimate.high > maxOffsetMs) {
      const reason = `the clock may be ahead by ${Math.round(estimate.high)} ms, looking closer`;
      return { ok: false, reason, offsetMs };
    }
    return { ok: true, offsetMs };
  }

  /** The latest that the fleet's clocks can show now; undefined while this one is not verified. */
  latestMs(): number | undefined {
    const estimate = this.verdict().ok ? this.#estimate() : undefined;
    return estimate && this.#options.clock.wallMs() - estimate.low;
  }

  /** A stepped clock is noticed within a second; comparing is rarer once the estimate is narrow. */
  #look(): void {
    this.#noticeStep();
    const age = this.#options.clock.monotonicMs() - this.#lastSampleMs;
    const isWaiting = this.#isSampling || this.#cancelHalving !== undefined;
    if (this.#stepped || (!isWaiting && age >= sampleEveryMs)) this.#compare();
    else this.#report();
  }

  #compare(): void {
    if (this.#isSampling) return;
    this.#cancelHalving?.();
    void this.#sample().then(() => {
      this.#report();
      this.#halve();
    });
  }

  #halve(): void {
    this.#cancelHalving = undefined;
    if (this.#stopped || !this.#isWide()) return;
    this.#cancelHalving = this.#options.clock.after(this.#untilHalvingMs(), () => this.#compare());
  }

  #isWide(): boolean {
    if (this.#samples.length === 0) return false;
    const { low, high } = intersect(this.#samples);
    return high - low > narrowMs;
  }

  /** When the server's second turns, if the middle of the estimate is right: asked then, `Date` tells. */
  #untilHalvingMs(): number {
    const { low, high } = intersect(this.#samples);
    const phase = (this.#options.clock.wallMs() - (low + high) / 2) % secondMs;
    const waitMs = secondMs - ((phase + secondMs) % secondMs);
    return waitMs < 50 ? waitMs + secondMs : waitMs;
  }

  async #sample(): Promise<void> {
    const { clock, logger } = this.#options;
    const before = clock.wallMs();
    const base = this.#difference();
    this.#lastSampleMs = clock.monotonicMs();
    this.#isSampling = true;
    try {
      const dateMs = await this.#options.serverDateMs();
      const after = clock.wallMs();
      if (Math.abs(this.#difference() - base) > maxJumpMs) return;
      this.#add({ low: before - dateMs - 1_000, high: after - dateMs });
      this.#compared();
    } catch (error) {
      logger.debug({ err: error }, 'the clock could not be compared with etcd');
      // Beats that were seen before a step say nothing about the clock as it is now.
      this.#noticeStep();
      if (this.#beatMedian() !== undefined) this.#compared();
    } finally {
      this.#isSampling = false;
    }
  }

  #compared(): void {
    this.#comparedAtMs = this.#options.clock.monotonicMs();
    this.#base = this.#difference();
    this.#stepped = false;
  }

  #add(bounds: Bounds): void {
    this.#samples.push(bounds);
    if (this.#samples.length > keptSamples) this.#samples.shift();
    const { low, high } = intersect(this.#samples);
    // Contradiction: somebody's clock moved. Only the newest answer still counts.
    if (low > high) this.#samples = [bounds];
  }

  #estimate(): Bounds | undefined {
    if (this.#samples.length > 0) return intersect(this.#samples);
    const median = this.#beatMedian();
    return median === undefined ? undefined : { low: median, high: median };
  }

  #beatMedian(): number | undefined {
    const after = this.#options.clock.monotonicMs() - maxAgeMs;
    const offsets = [...this.#beats.values()]
      .filter(({ atMs }) => atMs > after)
      .map(({ offsetMs }) => offsetMs)
      .toSorted((a, b) => a - b);
    return offsets[offsets.length >> 1];
  }

  #noticeStep(): void {
    if (Math.abs(this.#difference() - this.#base) <= maxJumpMs) return;
    this.#stepped = true;
    this.#samples = [];
    this.#beats.clear();
  }

  #report(): void {
    const { ok } = this.verdict();
    if (ok === this.#wasOk) return;
    this.#wasOk = ok;
    this.#options.onChange();
  }

  #difference(): number {
    const { clock } = this.#options;
    return clock.wallMs() - clock.monotonicMs();
  }
}

function intersect(samples: readonly Bounds[]): Bounds {
  let low = -Infinity;
  let high = Infinity;
  for (const sample of samples) {
    if (sample.low > low) low = sample.low;
    if (sample.high < high) high = sample.high;
  }
  return { low, high };
}
