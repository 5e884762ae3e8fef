/**
 * Whether history can be asked now. Pages that are mostly about etcd ask through here with a short
 * limit: a store that hangs costs them a moment once, then nothing until it answers again.
 */
import type { Clock } from '../../shared/clock.ts';
import { CronmeshError } from '../../shared/errors.ts';
import type { HistoryStore } from '../../shared/history/port.ts';

const answerWithinMs = 1_500;
const believeForMs = 2_000;

export interface StoreStatus {
  readonly ok: boolean;
  readonly reason?: string;
}

export class StoreHealth {
  readonly #store: HistoryStore;
  readonly #clock: Clock;
  #checkedAtMs = -Infinity;
  #status: StoreStatus = { ok: true };
  #checking: Promise<StoreStatus> | undefined;

  constructor(store: HistoryStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Asks the store unless that was done a moment ago. */
  async check(): Promise<StoreStatus> {
    if (this.#isFresh()) return this.#status;
    this.#checking ??= this.attempt(() => this.#store.ping()).then(() => {
      this.#checking = undefined;
      return this.#status;
    });
    return this.#checking;
  }

  /** The answer of `ask`, or undefined when the store is down or slow. */
  async attempt<T>(ask: () => Promise<T>): Promise<T | undefined> {
    if (!this.#status.ok && this.#isFresh()) return undefined;
    try {
      const answer = await this.#inTime(ask());
      this.#note({ ok: true });
      return answer;
    } catch (error) {
      this.#note({ ok: false, reason: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  }

  #isFresh(): boolean {
    return this.#clock.monotonicMs() - this.#checkedAtMs < believeForMs;
  }

  #note(status: StoreStatus): void {
    this.#status = status;
    this.#checkedAtMs = this.#clock.monotonicMs();
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(answerWithinMs, () => {
        reject(new CronmeshError('store-unavailable', `no answer within ${answerWithinMs} ms`));
      });
      answer.then(resolve, reject).finally(cancel);
    });
  }
}
