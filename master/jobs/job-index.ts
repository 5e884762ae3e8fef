/**
 * All jobs in the order of their names, kept so as they come and go, and counted by kind and group.
 * Order is by UTF-16 code units, as `<` compares. What the view holds of a job is one object for as
 * long as the job is there (until a re-list), so it is kept here instead of being looked up.
 */
import type { JobEntry } from '../../shared/mesh/job-entry.ts';
import type { JobParts, MeshView } from '../../shared/mesh/view.ts';

export type JobKind = 'active' | 'paused' | 'quarantined';

/** Parts of a job that is there. */
export type JobWithEntry = JobParts & { readonly entry: JobEntry };

interface Counted {
  readonly kind: JobKind;
  readonly group: string;
}

export class JobIndex {
  readonly #view: MeshView;
  readonly #unsubscribe: () => void;
  /** As each job was counted, to take it off the counts again. */
  readonly #counted = new Map<string, Counted>();
  readonly #kinds: Record<JobKind, number> = { active: 0, paused: 0, quarantined: 0 };
  readonly #groups = new Map<string, number>();
  #jobs: JobWithEntry[] = [];

  constructor(view: MeshView) {
    this.#view = view;
    this.#rebuild();
    this.#unsubscribe = view.onChange((change) => {
      if (change.type === 'resync') this.#rebuild();
      else if (change.key.kind === 'job') this.#update(change.key.name);
    });
  }

  /** In the order of their names. */
  get jobs(): readonly JobWithEntry[] {
    return this.#jobs;
  }

  get total(): number {
    return this.#jobs.length;
  }

  /** Jobs of each group that has any. */
  get groups(): ReadonlyMap<string, number> {
    return this.#groups;
  }

  count(kind: JobKind): number {
    return this.#kinds[kind];
  }

  /** How many jobs come before `name`. */
  placeOf(name: string): number {
    let low = 0;
    let high = this.#jobs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#jobs[middle]?.name ?? '') < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  stop(): void {
    this.#unsubscribe();
  }

  #rebuild(): void {
    this.#counted.clear();
    this.#groups.clear();
    this.#kinds.active = this.#kinds.paused = this.#kinds.quarantined = 0;
    this.#jobs = [...this.#view.snapshot.parts.values()]
      .filter(hasEntry)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const { name, entry } of this.#jobs) this.#count(name, entry);
  }

  #update(name: string): void {
    const parts = this.#view.part(name);
    const isKnown = this.#counted.has(name);
    this.#count(name, parts?.entry);
    const place = this.placeOf(name);
    if (parts === undefined || !hasEntry(parts)) {
      if (isKnown) this.#jobs.splice(place, 1);
      return;
    }
    // The same object for most edits; another one when the job was created anew.
    this.#jobs.splice(place, isKnown ? 1 : 0, parts);
  }

  #count(name: string, entry: JobEntry | undefined): void {
    const former = this.#counted.get(name);
    if (former !== undefined) {
      this.#kinds[former.kind]--;
      this.#addToGroup(former.group, -1);
    }
    if (entry === undefined) {
      this.#counted.delete(name);
      return;
    }
    const counted = { kind: kindOf(entry), group: groupOf(entry) };
    this.#kinds[counted.kind]++;
    this.#addToGroup(counted.group, 1);
    this.#counted.set(name, counted);
  }

  #addToGroup(group: string, change: number): void {
    const count = (this.#groups.get(group) ?? 0) + change;
    if (count === 0) this.#groups.delete(group);
    else this.#groups.set(group, count);
  }
}

/** The group of a job; a quarantined one has none. */
export function groupOf(entry: JobEntry): string {
  return entry.ok ? entry.job.group : '';
}

function kindOf(entry: JobEntry): JobKind {
  if (!entry.ok) return 'quarantined';
  return entry.job.enabled ? 'active' : 'paused';
}

export function hasEntry(parts: JobParts): parts is JobWithEntry {
  return parts.entry !== undefined;
}
