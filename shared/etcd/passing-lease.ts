/**
 * Leases for keys that must go by themselves (marks of requests, orders, answers): one lease is shared by all
 * of them for a while, then left to expire and replaced, so that neither a grant is spent on every
 * request nor a busy master keeps old keys alive. A key lives from `keySeconds` to twice that.
 */
import type { Clock } from '../clock.ts';
import { CronmeshError, isCronmeshError } from '../errors.ts';
import type { EtcdLeases } from './port.ts';

const grantWithinMs = 3_000;

interface Lease {
  readonly id: Promise<string>;
  readonly grantedAtMs: number;
}

export class PassingLease {
  readonly #etcd: EtcdLeases;
  readonly #clock: Clock;
  readonly #keySeconds: number;
  #lease: Lease | undefined;

  constructor(etcd: EtcdLeases, clock: Clock, keySeconds: number) {
    this.#etcd = etcd;
    this.#clock = clock;
    this.#keySeconds = keySeconds;
  }

  /**
   * Runs `use` with a lease that has at least `keySeconds` to live; once more with a new one when
   * etcd does not know the first any more (it was restored, or revoked it by mistake).
   */
  async with<T>(use: (leaseId: string) => Promise<T>): Promise<T> {
    const lease = this.#current();
    try {
      return await use(await lease.id);
    } catch (error) {
      if (!isCronmeshError(error, 'etcd-rejected')) throw error;
      this.#forget(lease);
      return use(await this.#current().id);
    }
  }

  #current(): Lease {
    const nowMs = this.#clock.monotonicMs();
    if (this.#lease === undefined || nowMs - this.#lease.grantedAtMs > this.#keySeconds * 1000) {
      const lease = { id: this.#grant(), grantedAtMs: nowMs };
      this.#lease = lease;
      lease.id.catch(() => this.#forget(lease));
    }
    return this.#lease;
  }

  #forget(lease: Lease): void {
    if (this.#lease === lease) this.#lease = undefined;
  }

  /** Somebody waits for it, who would rather hear "not now" than wait for long. */
  async #grant(): Promise<string> {
    const over = new AbortController();
    const cancel = this.#clock.after(grantWithinMs, () => over.abort());
    try {
      const { id } = await this.#etcd.grantLease(this.#keySeconds * 2, { signal: over.signal });
      return id;
    } catch (error) {
      if (!over.signal.aborted) throw error;
      throw new CronmeshError(
        'etcd-unavailable',
        `etcd granted no lease within ${grantWithinMs} ms`,
        { cause: error },
      );
    } finally {
      cancel();
    }
  }
}
