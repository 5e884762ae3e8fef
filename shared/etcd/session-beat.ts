/**
 * What a session says to etcd: the transaction that begins it, and one beat. A beat is a
 * keep-alive and then a transaction that holds only while the session's key is there: a leader
 * that was deposed still answers keep-alives, so the keep-alive alone proves nothing.
 */
import { backoffMs, sleep, type Clock, type Random } from '../clock.ts';
import { isCronmeshError } from '../errors.ts';
import type { CallOptions, Compare, Etcd, Txn } from './port.ts';

const mostAnswerMs = 2000;

/** What a session writes: its own key, and a registration that every beat makes anew. */
export interface SessionRecords {
  /** The key session/<leaseId>. */
  sessionKey(leaseId: string): string;
  readonly sessionValue: string;
  readonly beatKey: string;
  /** The registration's value; the one that begins a session has sequence 0. */
  beatValue(sequence: number, sessionId: string): string;
  /** What must hold beside the session's key for a beat to count. */
  beatGuards?(): readonly Compare[];
}

export interface HeldLease {
  readonly id: string;
  readonly ttlMs: number;
  readonly sequence: number;
  readonly sentMs: number;
  readonly deadlineMs: number;
}

/**
 * `late`: confirmed, but read after the deadline (this process was paused). `unclear`: perhaps
 * another beat will tell.
 */
export type BeatOutcome = 'confirmed' | 'gone' | 'late' | 'unclear';

export interface BeatParts extends SessionRecords {
  readonly etcd: Pick<Etcd, 'txn' | 'keepLeaseAlive'>;
  readonly clock: Clock;
  readonly random: Random;
}

/** How long one beat may take: short enough that several fit before the deadline. */
export function answerLimitMs(ttlMs: number): number {
  return Math.min(mostAnswerMs, ttlMs / 6);
}

/**
 * Puts the session's key and the registration on the lease. Sent again after an unknown result:
 * the key names the lease, so one that is there already is ours.
 */
export async function registerSession(
  parts: BeatParts,
  held: HeldLease,
  signal: AbortSignal,
): Promise<void> {
  const key = parts.sessionKey(held.id);
  const registration: Txn = {
    compare: [{ key, target: 'create', op: '=', value: 0 }],
    success: [
      { put: { key, value: parts.sessionValue, lease: held.id } },
      { put: { key: parts.beatKey, value: parts.beatValue(0, held.id), lease: held.id } },
    ],
    failure: [],
  };
  for (let attempt = 0; ; attempt += 1) {
    try {
      await parts.etcd.txn(registration, { timeoutMs: answerLimitMs(held.ttlMs), signal });
      return;
    } catch (error) {
      const pauseMs = backoffMs(attempt, 100, 500, parts.random);
      const hopeless = !isCronmeshError(error) || !error.retryable;
      if (hopeless || parts.clock.monotonicMs() + pauseMs >= held.deadlineMs) throw error;
      await sleep(parts.clock, pauseMs, signal);
    }
  }
}

/** Throws what the calls throw: nothing is known then. */
export async function sendBeat(
  parts: BeatParts,
  held: HeldLease,
  limits: CallOptions & { readonly timeoutMs: number },
): Promise<BeatOutcome> {
  const kept = await parts.etcd.keepLeaseAlive(held.id, limits);
  const leftMs = limits.timeoutMs - (parts.clock.monotonicMs() - held.sentMs);
  const value = parts.beatValue(held.sequence, held.id);
  const confirmed = await parts.etcd.txn(
    {
      compare: [
        { key: parts.sessionKey(held.id), target: 'create', op: '>', value: 0 },
        ...(parts.beatGuards?.() ?? []),
      ],
      success: [{ put: { key: parts.beatKey, value, lease: held.id } }],
      failure: [],
    },
    { ...limits, timeoutMs: Math.max(leftMs, limits.timeoutMs / 4) },
  );
  if (!confirmed.succeeded) return 'gone';
  // A TTL of 0: the lease is not known, so whatever keeps the key will not for long.
  return kept.ttlSeconds > 0 ? 'confirmed' : 'unclear';
}
