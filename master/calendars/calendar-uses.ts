/**
 * Which jobs name which calendars, kept from the view as jobs come and go. A calendar need not be
 * there to be named.
 */
import type { MeshView } from '../../shared/mesh/view.ts';

export class CalendarUses {
  readonly #view: MeshView;
  readonly #unsubscribe: () => void;
  readonly #jobsOf = new Map<string, Set<string>>();
  /** The calendars of each job that has any, to take it off again. */
  readonly #calendarsOf = new Map<string, readonly string[]>();

  constructor(view: MeshView) {
    this.#view = view;
    this.#rebuild();
    this.#unsubscribe = view.onChange((change) => {
      if (change.type === 'resync') this.#rebuild();
      else if (change.key.kind === 'job') this.#update(change.key.name);
    });
  }

  /** Calendars that any job names. */
  get names(): Iterable<string> {
    return this.#jobsOf.keys();
  }

  countOf(calendar: string): number {
    return this.#jobsOf.get(calendar)?.size ?? 0;
  }

  /** The first `limit` jobs that name it, by name. */
  jobsOf(calendar: string, limit: number): string[] {
    return [...(this.#jobsOf.get(calendar) ?? [])].sort().slice(0, limit);
  }

  /** Jobs that name a calendar which is not there or cannot be read: they skip every fire. */
  stopped(): Set<string> {
    const stopped = new Set<string>();
    for (const [calendar, jobs] of this.#jobsOf) {
      if (this.#view.snapshot.calendars.get(calendar)?.ok === true) continue;
      for (const job of jobs) stopped.add(job);
    }
    return stopped;
  }

  stop(): void {
    this.#unsubscribe();
  }

  #rebuild(): void {
    this.#jobsOf.clear();
    this.#calendarsOf.clear();
    for (const name of this.#view.snapshot.parts.keys()) this.#update(name);
  }

  #update(job: string): void {
    for (const calendar of this.#calendarsOf.get(job) ?? []) {
      const jobs = this.#jobsOf.get(calendar);
      jobs?.delete(job);
      if (jobs?.size === 0) this.#jobsOf.delete(calendar);
    }
    this.#calendarsOf.delete(job);
    const entry = this.#view.part(job)?.entry;
    if (entry?.ok !== true || entry.job.calendars.length === 0) return;
    this.#calendarsOf.set(job, entry.job.calendars);
    for (const calendar of entry.job.calendars) {
      const jobs = this.#jobsOf.get(calendar) ?? new Set<string>();
      jobs.add(job);
      this.#jobsOf.set(calendar, jobs);
    }
  }
}
