/**
 * Time as the components see it, handed in so that tests and simulations own it.
 * Wall time is epoch milliseconds and may step; monotonic time is milliseconds from an origin that
 * all processes of one machine share, and never goes back. Deadlines are always counted on the
 * monotonic clock.
 */
export interface Clock {
  wallMs(): number;
  monotonicMs(): number;
  /** Runs `callback` once, not before `delayMs` have passed; the returned function cancels it. */
  after(delayMs: number, callback: () => void): () => void;
  /** Runs `callback` in the next turn of the loop, after what is already waiting. */
  soon(callback: () => void): void;
}

const maxTimerMs = 2_147_483_647;

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => Number(process.hrtime.bigint() / 1000n) / 1000,
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(0, Math.ceil(delayMs)), maxTimerMs));
    return () => clearTimeout(timer);
  },
  soon: (callback) => void setImmediate(callback),
};

/** Waits `delayMs`; rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

export type Random = () => number;

/** Full-jitter exponential backoff: uniform in [base/2, base] where base doubles from min to max. */
export function backoffMs(attempt: number, minMs: number, maxMs: number, random: Random): number {
  const base = Math.min(maxMs, minMs * 2 ** Math.min(attempt, 30));
  return base / 2 + (random() * base) / 2;
}
