/**
 * A run as the executor knows it, from the ask to the result. waiting (for a slot, or for the
 * guardian) -> sent -> over; what settles first is final, and later words about it are ignored.
 */
import type { Clock } from '../../shared/clock.ts';
import type { GuardianLink } from './guardian-link.ts';
import type { EndedBy, RunListener, RunResult, RunSpec } from './port.ts';

export interface PooledRunOptions {
  readonly id: number;
  readonly spec: RunSpec;
  readonly listener: RunListener;
  readonly startBy: number;
  readonly clock: Clock;
  /** Before the result resolves. */
  readonly onOver: () => void;
}

export class PooledRun {
  readonly id: number;
  readonly spec: RunSpec;
  readonly listener: RunListener;
  readonly startBy: number;
  readonly result: Promise<RunResult>;
  readonly #clock: Clock;
  readonly #onOver: () => void;
  #resolve: (result: RunResult) => void = () => undefined;
  #over = false;
  /** Which guardian it was given to; none while it waits. */
  sentTo: GuardianLink | undefined;
  hasSlot = false;
  pid: number | undefined;
  startedAt: number | undefined;
  /** When its start was heard of (monotonic ms). */
  confirmedAtMs = 0;
  killReason: string | undefined;
  receivedBytes = 0;
  /** Somebody waits for its output. */
  isHurried = false;

  constructor(options: PooledRunOptions) {
    this.id = options.id;
    this.spec = options.spec;
    this.listener = options.listener;
    this.startBy = options.startBy;
    this.#clock = options.clock;
    this.#onOver = options.onOver;
    this.result = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get over(): boolean {
    return this.#over;
  }

  settle(result: RunResult): void {
    if (this.#over) return;
    this.#over = true;
    this.#onOver();
    this.#resolve(result);
  }

  /** Settles without the guardian's word: what is known here has to do. */
  settleHere(endedBy: EndedBy, reason: string): void {
    this.settle({
      ...(this.startedAt === undefined ? {} : { startedAt: this.startedAt }),
      endedAt: this.#clock.wallMs(),
      endedBy,
      reason,
      outputBytes: this.receivedBytes,
      outputTruncated: false,
    });
  }
}
