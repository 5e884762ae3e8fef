/**
 * The Etcd port over the simulated server and a network that delays, drops and cuts. A request that
 * was sent and not answered in time is `unknown-result`, and may still take effect later; one that
 * was never sent is `etcd-unavailable`. Timeouts are the caller's own timers, late when it is paused.
 */
import { CronmeshError } from '../../shared/errors.ts';
import { Continuity } from '../../shared/etcd/continuity.ts';
import type {
  CallOptions,
  Etcd,
  Mirror,
  MirrorConsumer,
  RangeRequest,
  RangeResult,
  SetBack,
  StateMark,
  Txn,
  TxnResult,
} from '../../shared/etcd/port.ts';
import type { EtcdStore } from './etcd-store.ts';
import type { Link } from './link.ts';
import type { SeededRandom } from './seeded-random.ts';
import { SimMirror } from './sim-mirror.ts';
import type { SimProcess } from './sim-process.ts';

/** What the simulation wants to hear of the transactions of a process. */
export interface TxnWitness {
  /** The server applied `txn` for this process and gave this result, whether or not it arrives. */
  applied(txn: Txn, result: TxnResult): void;
  /** The caller is about to learn this result. */
  answered(txn: Txn, result: TxnResult): void;
}

export interface SimEtcdOptions {
  readonly store: EtcdStore;
  readonly process: SimProcess;
  readonly link: Link;
  readonly random: SeededRandom;
  readonly witness?: TxnWitness;
  /** In a mutant a beat is its keep-alive alone. */
  readonly trustsKeepAlives?: boolean;
}

const defaultTimeoutMs = 3000;
const fastestMs = 0.4;

interface Call<T> {
  readonly what: string;
  readonly options: CallOptions;
  /** What a call that was sent and not answered is to its caller. */
  readonly unclear: 'unknown-result' | 'etcd-unavailable';
  readonly apply: () => T;
  /** Its answers follow one another. */
  readonly isLinear?: boolean;
  readonly onAnswer?: (answer: T) => void;
}

export class SimEtcd implements Etcd {
  readonly #options: SimEtcdOptions;
  readonly #continuity = new Continuity();
  /** Calls under way; a test that drives time by hand runs it on while there are any. */
  pending = 0;

  constructor(options: SimEtcdOptions) {
    this.#options = options;
  }

  range(request: RangeRequest, options: CallOptions = {}): Promise<RangeResult> {
    const { store } = this.#options;
    return this.#call({
      what: 'a read failed',
      isLinear: true,
      options,
      unclear: 'etcd-unavailable',
      apply: () => store.range(request),
    });
  }

  txn(txn: Txn, options: CallOptions = {}): Promise<TxnResult> {
    const { store, witness, trustsKeepAlives } = this.#options;
    if (trustsKeepAlives === true && isBeat(txn)) {
      return Promise.resolve({ succeeded: true, revision: 0, results: [] });
    }
    return this.#call({
      what: 'a transaction failed',
      isLinear: true,
      options,
      unclear: 'unknown-result',
      apply: () => {
        const result = store.txn(txn);
        witness?.applied(txn, result);
        return result;
      },
      onAnswer: (result) => witness?.answered(txn, result),
    });
  }

  grantLease(
    ttlSeconds: number,
    options: CallOptions = {},
  ): Promise<{ id: string; ttlSeconds: number }> {
    const { store } = this.#options;
    return this.#call({
      what: 'a lease was not granted',
      options,
      unclear: 'etcd-unavailable',
      apply: () => store.grant(ttlSeconds, this.#nowMs()),
    });
  }

  keepLeaseAlive(id: string, options: CallOptions = {}): Promise<{ ttlSeconds: number }> {
    const { store, link } = this.#options;
    return this.#call({
      what: 'a keep-alive failed',
      options,
      unclear: 'etcd-unavailable',
      apply: () => {
        const lease = store.lease(id);
        if (link.isDeposed && lease !== undefined) return { ttlSeconds: lease.ttlSeconds };
        return store.keepAlive(id, this.#nowMs());
      },
    });
  }

  async revokeLease(id: string, options: CallOptions = {}): Promise<void> {
    const { store } = this.#options;
    await this.#call({
      what: 'a lease was not revoked',
      options,
      unclear: 'etcd-unavailable',
      apply: () => store.revoke(id),
    });
  }

  mirror(prefix: string, consumer: MirrorConsumer): Mirror {
    return new SimMirror({ ...this.#options, continuity: this.#continuity, prefix, consumer });
  }

  mark(): StateMark | undefined {
    return this.#continuity.mark;
  }

  onSetBack(listener: (setBack: SetBack) => void): () => void {
    return this.#continuity.onSetBack(listener);
  }

  async ping(
    options: CallOptions = {},
  ): Promise<{ revision: number; clusterId: string; version: string }> {
    const { revision } = await this.range({ key: '\0', countOnly: true }, options);
    return { revision, clusterId: '1', version: '3.4.23' };
  }

  async close(): Promise<void> {
    // Nothing is held open.
  }

  #nowMs(): number {
    return this.#options.process.machine.time.nowMs;
  }

  #call<T>(call: Call<T>): Promise<T> {
    const { process, link } = this.#options;
    const { time } = process.machine;
    const { signal, timeoutMs = defaultTimeoutMs } = call.options;
    this.pending += 1;
    return new Promise<T>((resolve, reject) => {
      let isOver = false;
      let cancelTimeout = (): void => undefined;
      const settle = (how: () => void): void => {
        if (isOver) return;
        isOver = true;
        this.pending -= 1;
        cancelTimeout();
        signal?.removeEventListener('abort', onAbort);
        how();
      };
      const fail = (code: 'unknown-result' | 'etcd-unavailable', why: string): void => {
        settle(() => reject(new CronmeshError(code, `etcd: ${call.what}: ${why}`)));
      };
      const onAbort = (): void => {
        settle(() =>
          reject(
            call.unclear === 'unknown-result'
              ? new CronmeshError('unknown-result', `etcd: ${call.what}: aborted`)
              : signal?.reason,
          ),
        );
      };
      if (signal?.aborted === true) {
        onAbort();
        return;
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      if (link.state === 'refused') {
        time.after(1, () => process.deliver(() => fail('etcd-unavailable', 'no connection')));
        return;
      }
      cancelTimeout = process.clock.after(timeoutMs, () => fail(call.unclear, 'deadline exceeded'));
      this.#send(call, (answer, compare) => {
        process.deliver(() => {
          if (!isOver) compare();
          settle(() => {
            if ('error' in answer) {
              reject(answer.error);
              return;
            }
            call.onAnswer?.(answer.value);
            resolve(answer.value);
          });
        });
      });
    });
  }

  #send<T>(
    call: Call<T>,
    reply: (
      answer: { readonly value: T } | { readonly error: unknown },
      compare: () => void,
    ) => void,
  ): void {
    const { process, link, random, store } = this.#options;
    const { time } = process.machine;
    const { incarnation } = store;
    const isKeepAlive = call.what === 'a keep-alive failed';
    const passes = (): boolean =>
      link.state === 'up' && (!link.isDeposed || isKeepAlive) && !random.chance(link.lossChance);
    if (!passes()) return;
    const answered = this.#continuity.sending();
    time.after(this.#delayMs(), () => {
      // Its connection ended with the server that it was sent to.
      if (incarnation !== store.incarnation) return;
      let answer: { readonly value: T } | { readonly error: unknown };
      try {
        answer = { value: call.apply() };
      } catch (error) {
        if (!(error instanceof CronmeshError)) throw error;
        answer = { error };
      }
      const { mark } = store;
      if (!passes() || link.repliesLost) return;
      time.after(this.#delayMs(), () => {
        reply(answer, call.isLinear === true && 'value' in answer ? () => answered(mark) : nothing);
      });
    });
  }

  #delayMs(): number {
    const { link, random } = this.#options;
    if (random.chance(link.slowChance)) return random.between(link.usualMs, link.slowMs);
    return fastestMs + random.next() ** 2 * link.usualMs;
  }
}

const nothing = (): void => undefined;

function isBeat({ compare, success }: Txn): boolean {
  const [op] = success;
  const isRegistration = op !== undefined && 'put' in op && op.put.key.startsWith('/cron/workers/');
  return success.length === 1 && isRegistration && compare.length <= 2;
}
