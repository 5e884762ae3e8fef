/**
 * When jobs are due next, as their calendars stand, remembered until it has passed: a list of all jobs,
 * sorted by it, must not ask every schedule again. Schedules are shared between jobs without calendars,
 * so it is remembered by what is asked.
 */
import { ticksOf } from '../../shared/mesh/job-entry.ts';
import type { MeshView } from '../../shared/mesh/view.ts';
import type { Ticks } from '../../shared/schedule/schedule.ts';
import { countedTo } from './job-concerns.ts';
import type { JobWithEntry } from './job-index.ts';

interface Answer {
  readonly askedAtMs: number;
  readonly next: number | undefined;
}

export class NextTicks {
  readonly #view: MeshView;
  readonly #answers = new WeakMap<Ticks, Answer>();

  constructor(view: MeshView) {
    this.#view = view;
  }

  /**
   * The first tick after `nowMs` that is not settled yet; undefined when nothing is due any more, or
   * not while as it is.
   */
  of(parts: JobWithEntry, nowMs: number): number | undefined {
    const { entry } = parts;
    if (!entry.ok || !entry.job.enabled) return undefined;
    const { allowed } = ticksOf(entry, this.#view.snapshot.calendars);
    const settled = countedTo(parts) ?? 0;
    // It counts on from its cursor, wherever that stands.
    if (settled > nowMs) return allowed.next(settled);
    const known = this.#answers.get(allowed);
    if (
      known !== undefined &&
      known.askedAtMs <= nowMs &&
      (known.next === undefined || known.next > nowMs)
    ) {
      return known.next;
    }
    const next = allowed.next(nowMs);
    this.#answers.set(allowed, { askedAtMs: nowMs, next });
    return next;
  }
}
