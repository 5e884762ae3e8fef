/**
 * The jobs that need attention, counted without looking at all of them: the few that may are kept from
 * the view as their keys change, and looked at when somebody asks.
 */
import type { Clock } from '../../shared/clock.ts';
import type { JobParts, MeshView } from '../../shared/mesh/view.ts';
import type { CalendarUses } from '../calendars/calendar-uses.ts';
import { hasSuspectKeys, needsAttention } from './job-concerns.ts';
import { hasEntry } from './job-index.ts';

export class HeldUpJobs {
  readonly #view: MeshView;
  readonly #uses: CalendarUses;
  readonly #clock: Pick<Clock, 'wallMs'>;
  readonly #unsubscribe: () => void;
  /** Names of jobs with keys that were no good when they last changed. */
  readonly #suspects = new Set<string>();

  constructor(view: MeshView, uses: CalendarUses, clock: Pick<Clock, 'wallMs'>) {
    this.#view = view;
    this.#uses = uses;
    this.#clock = clock;
    this.#rebuild();
    this.#unsubscribe = view.onChange((change) => {
      if (change.type === 'resync') {
        this.#rebuild();
        return;
      }
      const { key } = change;
      if (key.kind === 'cursor' || key.kind === 'fire' || key.kind === 'trigger') {
        this.#look(key.name, view.part(key.name));
      }
    });
  }

  /** Of this moment. */
  names(): Set<string> {
    const nowMs = this.#clock.wallMs();
    const names = this.#uses.stopped();
    for (const name of this.#suspects) {
      const parts = this.#view.part(name);
      if (parts !== undefined && hasEntry(parts) && needsAttention(this.#view, parts, nowMs)) {
        names.add(name);
      }
    }
    return names;
  }

  stop(): void {
    this.#unsubscribe();
  }

  #rebuild(): void {
    this.#suspects.clear();
    for (const parts of this.#view.snapshot.parts.values()) this.#look(parts.name, parts);
  }

  #look(name: string, parts: JobParts | undefined): void {
    if (parts !== undefined && hasSuspectKeys(parts, this.#clock.wallMs())) {
      this.#suspects.add(name);
    } else {
      this.#suspects.delete(name);
    }
  }
}
