/**
 * The fires that are open now, by run, kept from the view; and the rows of history that they would
 * be, for as long as the store does not know them.
 */
import type { HistoryRow } from '../../shared/history/records.ts';
import type { Held, JobParts, MeshView } from '../../shared/mesh/view.ts';
import type { FireValue } from '../../shared/protocol/values.ts';
import { RecentMap } from '../../shared/schedule/recent-map.ts';

const rememberedClosed = 10_000;

export interface OpenFire {
  readonly job: string;
  readonly fireId: string;
  readonly fire: Held<FireValue>;
}

export class OpenFires {
  readonly #view: MeshView;
  readonly #byRun = new Map<string, OpenFire>();
  /** Which run a fire's key held, to forget it when the key goes. */
  readonly #runOfFire = new Map<string, string>();
  /** The jobs of runs that were open a moment ago: the store learns of them a little later. */
  readonly #jobOfClosed = new RecentMap<string>(rememberedClosed);
  readonly #unsubscribe: () => void;

  constructor(view: MeshView) {
    this.#view = view;
    this.#rebuild();
    this.#unsubscribe = view.onChange((change) => {
      if (change.type === 'resync') this.#rebuild();
      else if (change.key.kind === 'fire') this.#update(change.key.name, change.key.id);
    });
  }

  get count(): number {
    return this.#byRun.size;
  }

  get(runId: string): OpenFire | undefined {
    return this.#byRun.get(runId);
  }

  /** The job of a run that is open or was a moment ago. */
  jobOf(runId: string): string | undefined {
    return this.#byRun.get(runId)?.job ?? this.#jobOfClosed.get(runId);
  }

  all(): Iterable<OpenFire> {
    return this.#byRun.values();
  }

  stop(): void {
    this.#unsubscribe();
  }

  #rebuild(): void {
    this.#byRun.clear();
    this.#runOfFire.clear();
    for (const parts of this.#view.snapshot.parts.values()) {
      for (const fireId of parts.fires.keys()) this.#put(parts, fireId);
    }
  }

  #update(job: string, fireId: string): void {
    const key = `${job}\0${fireId}`;
    const former = this.#runOfFire.get(key);
    if (former !== undefined) {
      this.#byRun.delete(former);
      this.#jobOfClosed.set(former, job);
    }
    this.#runOfFire.delete(key);
    const parts = this.#view.part(job);
    if (parts !== undefined) this.#put(parts, fireId);
  }

  #put(parts: JobParts, fireId: string): void {
    const fire = parts.fires.get(fireId);
    if (fire === undefined) return;
    this.#byRun.set(fire.value.runId, { job: parts.name, fireId, fire });
    this.#runOfFire.set(`${parts.name}\0${fireId}`, fire.value.runId);
  }
}

/** The row of a run of which only the claim is known. */
export function rowOfFire({ job, fireId, fire }: OpenFire): HistoryRow {
  const { runId, group, cause, tick, attempt, worker, by } = fire.value;
  return {
    id: runId,
    kind: 'run',
    job,
    group,
    cause,
    tick,
    fireId,
    attempt,
    worker,
    fence: fire.createRevision,
    ...(by === undefined ? {} : { by }),
  };
}
