/**
 * A worker's one lease, and how long it may believe in it. Everything that must vanish with the
 * worker hangs on the lease: the key session/<leaseId> and the worker's registration.
 *
 * A session begins with a grant and one transaction, and is renewed by beats: a keep-alive, then
 * a transaction guarded by the session's key. Only both answers together move the local deadline
 * (a leader that was deposed still answers keep-alives), to the time the beat was sent + 95 % of
 * the TTL, on the monotonic clock. At the deadline, whatever hangs, the session is fenced here,
 * before the server can expire it; then a new one begins, for as long as it takes.
 */
import { backoffMs, sleep, type Clock, type Random } from '../clock.ts';
import { isCronmeshError } from '../errors.ts';
import type { Component } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import type { Etcd } from './port.ts';
import {
  answerLimitMs,
  registerSession,
  sendBeat,
  type BeatOutcome,
  type HeldLease,
  type SessionRecords,
} from './session-beat.ts';

export interface SessionOptions extends SessionRecords {
  readonly etcd: Pick<Etcd, 'txn' | 'grantLease' | 'keepLeaseAlive' | 'revokeLease'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  /** 15 to 20 for a fleet; an etcd that is gone for longer costs every worker its session. */
  readonly ttlSeconds: number;
}

export type SessionChange =
  | { readonly type: 'begun'; readonly id: string }
  | { readonly type: 'renewed'; readonly id: string; readonly deadlineMs: number }
  | { readonly type: 'fenced'; readonly id: string; readonly reason: string };

/**
 * start() does not wait for etcd: `begun` tells when there is a session. stop() revokes the
 * lease, so that all on it vanishes at once (bounded by 2 s), and tells nobody.
 */
export interface Session extends Component {
  /** The current session's lease id, or undefined between sessions. */
  readonly id: string | undefined;
  /** Monotonic ms until which this worker may believe in its session; 0 when there is none. */
  readonly deadlineMs: number;
  /** There is a session and its deadline is ahead. */
  alive(): boolean;
  /** Calls `listener` after each change; the returned function ends that. */
  onChange(listener: (change: SessionChange) => void): () => void;
  /** Sends a beat soon, at most one a second: the registration has news. */
  poke(): void;
  /** Gives the session up, now; a new one begins as after any fence. */
  fence(reason: string): void;
}

const believedShare = 0.95;
const pokeGapMs = 1000;
const revokeWithinMs = 2000;

export function createSession(options: SessionOptions): Session {
  return new LeaseSession(options);
}

interface Held extends HeldLease {
  /** Aborted by the fence and by stop(). */
  readonly over: AbortController;
  sequence: number;
  sentMs: number;
  deadlineMs: number;
}

class LeaseSession implements Session {
  readonly #options: SessionOptions;
  readonly #listeners = new Set<(change: SessionChange) => void>();
  readonly #stopped = new AbortController();
  #running: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #held: Held | undefined;
  /** A lease that was granted and not yet given up, with or without a session on it. */
  #leaseId: string | undefined;
  #cancelFence: () => void = () => undefined;
  #wake: () => void = () => undefined;
  #poked = false;
  #failures = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get id(): string | undefined {
    return this.#held?.id;
  }

  get deadlineMs(): number {
    return this.#held?.deadlineMs ?? 0;
  }

  alive(): boolean {
    return this.#options.clock.monotonicMs() < this.deadlineMs;
  }

  onChange(listener: (change: SessionChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  poke(): void {
    this.#poked = true;
    this.#wake();
  }

  fence(reason: string): void {
    this.#fence(reason);
  }

  async start(): Promise<void> {
    if (!this.#stopped.signal.aborted) this.#running ??= this.#run();
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop());
  }

  async #stop(): Promise<void> {
    this.#stopped.abort();
    this.#giveUp();
    await this.#running;
    if (this.#leaseId !== undefined) await this.#revoke(this.#leaseId);
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        const held = await this.#begin();
        this.#failures = 0;
        await this.#keep(held);
      } catch (error) {
        if (!signal.aborted) this.#troubled(error, 'no session could be begun');
        this.#failures += 1;
      }
      await quietly(sleep(clock, backoffMs(this.#failures, 200, 1000, random), signal));
    }
  }

  async #begin(): Promise<Held> {
    const { etcd, clock, ttlSeconds } = this.#options;
    const { signal } = this.#stopped;
    const sentMs = clock.monotonicMs();
    const answerMs = answerLimitMs(ttlSeconds * 1000);
    const lease = await etcd.grantLease(ttlSeconds, { timeoutMs: answerMs, signal });
    // A server may grant more than was asked for (its least is an election's length); everybody else
    // waits only for what was asked, so nobody may believe for longer.
    const ttlMs = Math.min(lease.ttlSeconds, ttlSeconds) * 1000;
    const deadlineMs = sentMs + ttlMs * believedShare;
    const held: Held = {
      id: lease.id,
      ttlMs,
      over: new AbortController(),
      sequence: 0,
      sentMs,
      deadlineMs,
    };
    this.#leaseId = lease.id;
    try {
      await registerSession(this.#options, held, signal);
    } catch (error) {
      // Nothing believes in this lease; were it left, the next attempt would add another.
      if (!signal.aborted) await this.#revoke(lease.id);
      throw error;
    }
    signal.throwIfAborted();
    this.#held = held;
    this.#armFence(held);
    this.#emit({ type: 'begun', id: held.id });
    return held;
  }

  /** Beats until the session is fenced or stopped. */
  async #keep(held: Held): Promise<void> {
    const { clock, random } = this.#options;
    while (this.#held === held) {
      if (this.#failures === 0) await this.#untilNextBeat(held);
      if (this.#held !== held) return;
      const outcome = await this.#attempt(held);
      if (this.#held !== held) return;
      if (outcome === 'gone') this.#fence('it is gone from etcd');
      else if (outcome === 'late') this.#fence('its deadline passed unnoticed');
      else if (outcome === 'unclear') {
        const pauseMs = backoffMs(this.#failures, 50, 250, random);
        this.#failures += 1;
        await quietly(sleep(clock, pauseMs, held.over.signal));
      }
    }
  }

  async #attempt(held: Held): Promise<BeatOutcome> {
    const { clock, logger } = this.#options;
    this.#poked = false;
    held.sequence += 1;
    const sentMs = clock.monotonicMs();
    held.sentMs = sentMs;
    const outcome = await this.#beatWithin(held, answerLimitMs(held.ttlMs));
    if (this.#held !== held || outcome !== 'confirmed') return outcome;
    if (clock.monotonicMs() >= held.deadlineMs) return 'late';
    held.deadlineMs = sentMs + held.ttlMs * believedShare;
    if (this.#failures > 0) logger.info({ session: held.id }, 'the session is confirmed again');
    this.#failures = 0;
    this.#armFence(held);
    this.#emit({ type: 'renewed', id: held.id, deadlineMs: held.deadlineMs });
    return outcome;
  }

  /** A call that does not even keep its own time limit must not hold up the next beat. */
  async #beatWithin(held: Held, limitMs: number): Promise<BeatOutcome> {
    const limit = new AbortController();
    const stop = (): void => limit.abort();
    const cancelLimit = this.#options.clock.after(limitMs + 250, stop);
    held.over.signal.addEventListener('abort', stop, { once: true });
    const stopped = new Promise<BeatOutcome>((resolve) => {
      limit.signal.addEventListener('abort', () => resolve('unclear'), { once: true });
    });
    const limits = { timeoutMs: limitMs, signal: limit.signal };
    try {
      return await Promise.race([sendBeat(this.#options, held, limits), stopped]);
    } catch (error) {
      if (!limit.signal.aborted) this.#troubled(error, 'a beat was not confirmed');
      return 'unclear';
    } finally {
      cancelLimit();
      held.over.signal.removeEventListener('abort', stop);
    }
  }

  /** Until TTL/4 after the last beat was sent, or a poke; never sooner than a second after it. */
  async #untilNextBeat(held: Held): Promise<void> {
    const { clock } = this.#options;
    for (;;) {
      const gapMs = this.#poked ? Math.min(pokeGapMs, held.ttlMs / 4) : held.ttlMs / 4;
      const waitMs = held.sentMs + gapMs - clock.monotonicMs();
      if (waitMs <= 0 || held.over.signal.aborted) return;
      await new Promise<void>((resolve) => {
        const cancel = clock.after(waitMs, resolve);
        this.#wake = () => {
          cancel();
          resolve();
        };
      });
    }
  }

  #armFence(held: Held): void {
    this.#cancelFence();
    const { clock } = this.#options;
    this.#cancelFence = clock.after(held.deadlineMs - clock.monotonicMs(), () => {
      if (this.#held !== held) return;
      if (clock.monotonicMs() < held.deadlineMs) this.#armFence(held);
      else this.#fence('no beat was confirmed in time');
    });
  }

  #fence(reason: string): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#options.logger.warn({ session: held.id, reason }, 'session fenced');
    this.#giveUp();
    this.#emit({ type: 'fenced', id: held.id, reason });
  }

  #giveUp(): void {
    const held = this.#held;
    this.#held = undefined;
    this.#cancelFence();
    held?.over.abort();
    this.#wake();
  }

  async #revoke(id: string): Promise<void> {
    const { etcd, clock, logger } = this.#options;
    const limit = new AbortController();
    const cancel = clock.after(revokeWithinMs, () => limit.abort());
    try {
      await etcd.revokeLease(id, { timeoutMs: revokeWithinMs / 2, signal: limit.signal });
      if (this.#leaseId === id) this.#leaseId = undefined;
    } catch {
      logger.warn({ session: id }, 'the lease was not revoked; it expires by itself');
    } finally {
      cancel();
    }
  }

  #troubled(error: unknown, message: string): void {
    const fields = { session: this.id, ...reasonOf(error) };
    // An outage is one line, not one for every attempt to end it.
    if (this.#failures === 0) this.#options.logger.warn(fields, message);
    else this.#options.logger.debug(fields, message);
  }

  #emit(change: SessionChange): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(change);
      } catch (error) {
        this.#options.logger.error({ err: error }, 'a listener of the session failed');
      }
    }
  }
}

function reasonOf(error: unknown): Record<string, unknown> {
  if (error === undefined) return {};
  return isCronmeshError(error) ? { reason: error.message } : { err: error };
}

async function quietly(wait: Promise<void>): Promise<void> {
  try {
    await wait;
  } catch {
    // Aborted: whoever waits looks at the state.
  }
}
