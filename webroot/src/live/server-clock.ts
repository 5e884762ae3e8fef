/**
 * The master's clock as seen from this browser, so that countdowns are right on a desk whose own
 * clock is not. A Date header is cut to whole seconds: an answer sent at s and received at r says
 * that `server - local` lies in [date - r, date + 1000 - s]. Intersecting answers narrows it; when
 * they contradict each other, a clock was stepped and the newest answer counts alone.
 */
export interface ServerClock {
  /** Epoch ms. */
  now(): number;
  observe(dateHeader: string | null, sentAt: number, receivedAt: number): void;
}

export function createServerClock(localNow: () => number = Date.now): ServerClock {
  let low = Number.NEGATIVE_INFINITY;
  let high = Number.POSITIVE_INFINITY;
  let offsetMs = 0;
  return {
    now: () => localNow() + offsetMs,
    observe(dateHeader, sentAt, receivedAt) {
      const date = dateHeader === null ? Number.NaN : Date.parse(dateHeader);
      if (Number.isNaN(date) || receivedAt < sentAt) return;
      const seenLow = date - receivedAt;
      const seenHigh = date + 1000 - sentAt;
      low = Math.max(low, seenLow);
      high = Math.min(high, seenHigh);
      if (low > high) {
        low = seenLow;
        high = seenHigh;
      }
      // Without evidence of a difference there is none.
      offsetMs = low <= 0 && high >= 0 ? 0 : Math.round((low + high) / 2);
    },
  };
}

export const serverClock = createServerClock();
