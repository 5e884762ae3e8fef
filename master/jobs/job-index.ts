/**
 * The names of all jobs in order, kept so as they come and go, and how many of them are paused or
 * quarantined. Order is by UTF-16 code units, as `<` compares.
 */
import type { JobEntry } from '../../shared/mesh/job-entry.ts';
import type { MeshView } from '../../shared/mesh/view.ts';

export type JobKind = 'active' | 'paused' | 'quarantined';

export function kindOfJob(entry: JobEntry): JobKind {
  if (!entry.ok) return 'quarantined';
  return entry.job.enabled ? 'active' : 'paused';
}

export class JobIndex {
  readonly #view: MeshView;
  readonly #unsubscribe: () => void;
  readonly #kinds = new Map<string, JobKind>();
  readonly #counts: Record<JobKind, number> = { active: 0, paused: 0, quarantined: 0 };
  #names: string[] = [];

  constructor(view: MeshView) {
    this.#view = view;
    this.#rebuild();
    this.#unsubscribe = view.onChange((change) => {
      if (change.type === 'resync') this.#rebuild();
      else if (change.key.kind === 'job') this.#update(change.key.name);
    });
  }

  get names(): readonly string[] {
    return this.#names;
  }

  get total(): number {
    return this.#names.length;
  }

  count(kind: JobKind): number {
    return this.#counts[kind];
  }

  stop(): void {
    this.#unsubscribe();
  }

  #rebuild(): void {
    this.#kinds.clear();
    this.#counts.active = this.#counts.paused = this.#counts.quarantined = 0;
    const names: string[] = [];
    for (const { name, entry } of this.#view.snapshot.parts.values()) {
      if (entry === undefined) continue;
      names.push(name);
      this.#setKind(name, kindOfJob(entry));
    }
    this.#names = names.sort();
  }

  #update(name: string): void {
    const entry = this.#view.part(name)?.entry;
    const isKnown = this.#kinds.has(name);
    this.#setKind(name, entry === undefined ? undefined : kindOfJob(entry));
    if (isKnown === (entry !== undefined)) return;
    const place = placeOf(this.#names, name);
    if (entry === undefined) this.#names.splice(place, 1);
    else this.#names.splice(place, 0, name);
  }

  #setKind(name: string, kind: JobKind | undefined): void {
    const former = this.#kinds.get(name);
    if (former !== undefined) this.#counts[former]--;
    if (kind === undefined) {
      this.#kinds.delete(name);
      return;
    }
    this.#counts[kind]++;
    this.#kinds.set(name, kind);
  }
}

/** Where `name` stands, or would stand. */
function placeOf(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] ?? '') < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
