/**
 * Sends transactions that are due together nested in one request, several requests in flight; one
 * that is alone goes at once by itself. The nested ones stay independent: each has its own guards and
 * its own verdict. A request is as large as the server lets it be, never larger. An unknown result is
 * settled here, by sending the same transaction again until the server has answered; so submit()
 * answers what is so, or throws before anything can have happened. A server that does not answer in
 * time is sent less at a time until it does: what it works off after it was given up here is sent again,
 * and would keep it from ever answering in time.
 *
 * With a gate, every request stands only under the cluster record that its transactions were decided
 * under (shared/protocol/rebase.ts); when that is another one, they are given up: what is not known of
 * them then, nobody will know.
 */
import type { EtcdKv, Txn, TxnResult } from '../../shared/etcd/port.ts';
import { backoffMs, sleep, type Clock, type Random } from '../../shared/clock.ts';
import { CronmeshError, isCronmeshError } from '../../shared/errors.ts';

/** etcd's own default of `--max-txn-ops`. */
const defaultMaxOperations = 128;
const maxInFlight = 4;
const anotherState = 'etcd was restored from a backup meanwhile';

export interface Submitted {
  readonly result: TxnResult;
  /** Monotonic ms when it was (last) sent. */
  readonly sentAtMs: number;
  readonly resent: boolean;
}

export interface BatchGate {
  /** The cluster record that decisions are made under now; undefined: nothing may be sent. */
  readonly raw: string | undefined;
  under(raw: string, txns: readonly Txn[]): Txn;
  /** A request was refused because the record is another one. */
  refused(): void;
}

interface Item {
  readonly subject: string;
  /** The cluster record that it was decided under. */
  readonly raw: string | undefined;
  readonly txn: Txn;
  readonly depth: number;
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
  /** The server's `--max-txn-ops`; learned when it turns out to be lower. Default: 128. */
  readonly maxOperations?: number;
  readonly gate?: BatchGate;
}

export class TxnBatcher {
  readonly #options: BatcherOptions;
  #maxOperations: number;
  #queue: Item[] = [];
  #inFlight = 0;
  /** How much is sent at a time: less after each answer that is lost, more after each that comes. */
  #nested = Infinity;
  #flights = maxInFlight;
  #scheduled = false;

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.#maxOperations = options.maxOperations ?? defaultMaxOperations;
  }

  /** `subject` is the job's name: no two transactions of one subject share a request. */
  submit(subject: string, txn: Txn): Promise<Submitted> {
    const raw = this.#options.gate?.raw;
    return new Promise((resolve, reject) => {
      const depth = depthOf(txn);
      this.#queue.push({ subject, txn, raw, depth, resolve, reject, unknown: false, attempts: 0 });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // All that becomes due in one turn of the loop travels together.
    this.#options.clock.soon(() => {
      this.#scheduled = false;
      while (this.#inFlight < this.#flights && this.#queue.length > 0) {
        const batch = this.#take();
        if (batch.length > 0) void this.#send(batch);
      }
    });
  }

  /** Takes from the head of the queue what may travel together. */
  #take(): Item[] {
    const batch: Item[] = [];
    const subjects = new Set<string>();
    const left: Item[] = [];
    let deepest = 0;
    let at = 0;
    for (const item of this.#queue) {
      const depth = Math.max(deepest, item.depth);
      const isFull =
        batch.length > 0 &&
        (batch.length >= this.#nested || batch.length + 1 + deepest > this.#maxOperations);
      if (isFull) break;
      at++;
      const fits = batch.length === 0 || batch.length + 1 + depth <= this.#maxOperations;
      if (fits && !subjects.has(item.subject)) {
        batch.push(item);
        subjects.add(item.subject);
        deepest = depth;
      } else {
        left.push(item);
      }
    }
    this.#queue = left.length === 0 ? this.#queue.slice(at) : [...left, ...this.#queue.slice(at)];
    return batch.filter((item) => !this.#isOutdated(item) || this.#giveUp(item));
  }

  async #send(batch: Item[]): Promise<void> {
    this.#inFlight++;
    const sentAtMs = this.#options.clock.monotonicMs();
    try {
      const results = await this.#call(batch);
      this.#answered();
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
    const { etcd, gate } = this.#options;
    const [first] = batch;
    const txns = batch.map(({ txn }) => txn);
    const raw = first?.raw;
    if (gate === undefined && batch.length === 1 && first !== undefined) {
      return [await etcd.txn(first.txn)];
    }
    const outer = await etcd.txn(
      gate !== undefined && raw !== undefined
        ? gate.under(raw, txns)
        : { compare: [], success: txns.map((txn) => ({ txn })), failure: [] },
    );
    if (!outer.succeeded) {
      gate?.refused();
      throw new CronmeshError('etcd-unavailable', anotherState);
    }
    return outer.results.map((nested) => {
      if (nested.kind !== 'txn') throw new CronmeshError('internal', 'not a nested result');
      return { ...nested.result, revision: outer.revision };
    });
  }

  #failed(batch: Item[], error: unknown): void {
    const isTooLarge = isCronmeshError(error, 'etcd-txn-too-large');
    if (batch.length > 1 && (isTooLarge || isCronmeshError(error, 'etcd-rejected'))) {
      if (isTooLarge) this.#learn(batch);
      const half = batch.length >> 1;
      void this.#send(batch.slice(0, half));
      void this.#send(batch.slice(half));
      return;
    }
    const lost = isCronmeshError(error, 'unknown-result');
    if (lost) {
      if (batch.length > 1) this.#nested = Math.min(this.#nested, batch.length) >> 1;
      this.#flights = 1;
    }
    for (const item of batch) {
      item.unknown ||= lost;
      if (this.#isOutdated(item)) {
        this.#giveUp(item);
        continue;
      }
      const again = item.unknown && isCronmeshError(error) && error.retryable;
      if (again && !this.#options.signal.aborted) void this.#again(item);
      else item.reject(error);
    }
  }

  /** Sooner back to large requests than to many at a time. */
  #answered(): void {
    if (this.#nested < this.#maxOperations) this.#nested = Math.ceil(this.#nested * 1.25);
    else this.#flights = Math.min(maxInFlight, this.#flights + 1);
  }

  /** The server takes less than was thought: ask for half from now on. */
  #learn(batch: readonly Item[]): void {
    const asked = batch.length + Math.max(...batch.map(({ depth }) => depth));
    this.#maxOperations = Math.min(this.#maxOperations, asked >> 1);
  }

  #isOutdated({ raw }: Item): boolean {
    const { gate } = this.#options;
    return gate !== undefined && (raw === undefined || raw !== gate.raw);
  }

  #giveUp(item: Item): false {
    item.reject(
      new CronmeshError(item.unknown ? 'unknown-result' : 'etcd-unavailable', anotherState),
    );
    return false;
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

/**
 * How much of the server's limit a transaction takes of the one that it is nested in. etcd counts the
 * longest list of each level, and adds the levels up along each path: with a limit of 128, 120 nested
 * ones of 8 operations pass, 120 of 9 do not (`checkTxnRequest` in api/v3rpc/key.go).
 */
function depthOf(txn: Txn): number {
  let below = 0;
  for (const ops of [txn.success, txn.failure]) {
    for (const op of ops) if ('txn' in op) below = Math.max(below, depthOf(op.txn));
  }
  return Math.max(txn.compare.length, txn.success.length, txn.failure.length) + below;
}
