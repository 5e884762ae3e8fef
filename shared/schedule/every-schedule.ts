/**
 * The ticks of `@every`: whole multiples of the period since the epoch, in no zone.
 */
import { writePeriod } from './every-period.ts';
import type { Schedule } from './schedule.ts';

export class EverySchedule implements Schedule {
  readonly canonical: string;
  readonly timezone: string;
  readonly kind = 'interval';
  readonly periodSeconds: number;

  constructor(periodSeconds: number, timezone: string) {
    this.canonical = `@every ${writePeriod(periodSeconds)}`;
    this.timezone = timezone;
    this.periodSeconds = periodSeconds;
  }

  next(afterMs: number): number {
    const periodMs = this.periodSeconds * 1000;
    return (Math.floor(afterMs / periodMs) + 1) * periodMs;
  }

  latest(atMs: number, floorMs: number): number | undefined {
    const periodMs = this.periodSeconds * 1000;
    const tick = Math.floor(atMs / periodMs) * periodMs;
    return tick > floorMs ? tick : undefined;
  }
}
