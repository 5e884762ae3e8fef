/**
 * When jobs are due next, remembered until it has passed: a list of all jobs, sorted by it, must not
 * ask every schedule again. Schedules are shared between jobs, so it is remembered by schedule.
 */
import type { JobEntry } from '../../shared/mesh/job-entry.ts';
import type { Schedule } from '../../shared/schedule/schedule.ts';

interface Answer {
  readonly askedAtMs: number;
  readonly next: number | undefined;
}

export class NextTicks {
  readonly #answers = new WeakMap<Schedule, Answer>();

  /** The first tick after `nowMs`; undefined when nothing is due any more, or not while as it is. */
  of(entry: JobEntry, nowMs: number): number | undefined {
    if (!entry.ok || !entry.job.enabled) return undefined;
    const known = this.#answers.get(entry.schedule);
    if (
      known !== undefined &&
      known.askedAtMs <= nowMs &&
      (known.next === undefined || known.next > nowMs)
    ) {
      return known.next;
    }
    const next = entry.schedule.next(nowMs);
    this.#answers.set(entry.schedule, { askedAtMs: nowMs, next });
    return next;
  }
}
