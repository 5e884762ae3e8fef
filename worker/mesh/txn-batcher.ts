/**
 * Sends transactions that are due together nested in one request, several requests in flight; one
 * that is alone goes at once by itself. The nested ones stay independent: each has its own guards and
 * its own verdict. An unknown result is settled here, by sending the same transaction again until the
 * server has answered; so submit() answers what is so, or throws before anything can have happened.
 */
import type { EtcdKv, Txn, TxnResult } from '../../shared/etcd/port.ts';
import { backoffMs, sleep, type Clock, type Random } from '../../shared/clock.ts';
import { CronmeshError, isCronmeshError } from '../../shared/errors.ts';

/** Measured on a 3.4 server: 120 nested transactions of 8 operations pass, 120 of 9 do not. */
const maxNested = 100;
const maxNestedOperations = 8;
const maxInFlight = 4;

export interface Submitted {
  readonly result: TxnResult;
  /** Monotonic ms when it was (last) sent. */
  readonly sentAtMs: number;
  readonly resent: boolean;
}

interface Item {
  readonly subject: string;
  readonly txn: Txn;
  readonly resolve: (submitted: Submitted) => void;
  readonly reject: (error: unknown) => void;
  /** A former sending may have taken effect. */
  unknown: boolean;
  attempts: number;
}

export interface BatcherOptions {
  readonly etcd: Pick<EtcdKv, 'txn'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

export class TxnBatcher {
  readonly #options: BatcherOptions;
  #queue: Item[] = [];
  #inFlight = 0;
  #scheduled = false;

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  /** `subject` is the job's name: no two transactions of one subject share a request. */
  submit(subject: string, txn: Txn): Promise<Submitted> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ subject, txn, resolve, reject, unknown: false, attempts: 0 });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // All that becomes due in one turn of the loop travels together.
    this.#options.clock.soon(() => {
      this.#scheduled = false;
      while (this.#inFlight < maxInFlight && this.#queue.length > 0) void this.#send(this.#take());
    });
  }

  #take(): Item[] {
    const batch: Item[] = [];
    const subjects = new Set<string>();
    const rest: Item[] = [];
    for (const item of this.#queue) {
      const fits =
        batch.length === 0 ||
        (batch.length < maxNested &&
          !subjects.has(item.subject) &&
          isSmall(item) &&
          batch.every(isSmall));
      if (fits) {
        batch.push(item);
        subjects.add(item.subject);
      } else {
        rest.push(item);
      }
    }
    this.#queue = rest;
    return batch;
  }

  async #send(batch: Item[]): Promise<void> {
    this.#inFlight++;
    const sentAtMs = this.#options.clock.monotonicMs();
    try {
      const results = await this.#call(batch);
      for (const [index, item] of batch.entries()) {
        const result = results[index];
        if (result === undefined) item.reject(new CronmeshError('internal', 'missing result'));
        else item.resolve({ result, sentAtMs, resent: item.unknown });
      }
    } catch (error) {
      this.#failed(batch, error);
    } finally {
      this.#inFlight--;
      if (this.#queue.length > 0) this.#schedule();
    }
  }

  async #call(batch: readonly Item[]): Promise<readonly TxnResult[]> {
    const [first] = batch;
    if (batch.length === 1 && first !== undefined) return [await this.#options.etcd.txn(first.txn)];
    const outer = await this.#options.etcd.txn({
      compare: [],
      success: batch.map(({ txn }) => ({ txn })),
      failure: [],
    });
    return outer.results.map((nested) => {
      if (nested.kind !== 'txn') throw new CronmeshError('internal', 'not a nested result');
      return { ...nested.result, revision: outer.revision };
    });
  }

  #failed(batch: Item[], error: unknown): void {
    if (isCronmeshError(error, 'etcd-rejected') && batch.length > 1) {
      const half = batch.length >> 1;
      void this.#send(batch.slice(0, half));
      void this.#send(batch.slice(half));
      return;
    }
    const lost = isCronmeshError(error, 'unknown-result');
    for (const item of batch) {
      item.unknown ||= lost;
      const again = item.unknown && isCronmeshError(error) && error.retryable;
      if (again && !this.#options.signal.aborted) void this.#again(item);
      else item.reject(error);
    }
  }

  async #again(item: Item): Promise<void> {
    const { clock, random, signal } = this.#options;
    try {
      await sleep(clock, backoffMs(item.attempts++, 50, 1_000, random), signal);
    } catch (error) {
      item.reject(
        new CronmeshError('unknown-result', 'stopped before it was settled', { cause: error }),
      );
      return;
    }
    this.#queue.push(item);
    this.#schedule();
  }
}

function isSmall({ txn }: Item): boolean {
  return (
    Math.max(txn.compare.length, txn.success.length, txn.failure.length) <= maxNestedOperations
  );
}
