/**
 * The keys of one kind that exist now (open fires, or `done` records), kept from the view's changes,
 * so that periodic work costs what is there and not the number of jobs.
 */
import type { MeshView } from '../../shared/mesh/view.ts';

export interface PairKey {
  readonly name: string;
  readonly id: string;
}

export class KeyIndex {
  readonly #keys = new Map<string, PairKey>();
  readonly #stop: () => void;

  constructor(view: MeshView, kind: 'fire' | 'done', onPut?: (key: PairKey) => void) {
    const rebuild = (): void => {
      this.#keys.clear();
      for (const part of view.snapshot.parts.values()) {
        const ids = kind === 'fire' ? part.fires.keys() : part.dones.keys();
        for (const id of ids) this.#keys.set(`${part.name}/${id}`, { name: part.name, id });
      }
    };
    rebuild();
    this.#stop = view.onChange((change) => {
      if (change.type === 'resync') {
        rebuild();
        for (const key of this.#keys.values()) onPut?.(key);
      } else if (change.key.kind === kind) {
        const { name, id } = change.key;
        if (change.deleted) {
          this.#keys.delete(`${name}/${id}`);
        } else {
          this.#keys.set(`${name}/${id}`, { name, id });
          onPut?.({ name, id });
        }
      }
    });
  }

  get isEmpty(): boolean {
    return this.#keys.size === 0;
  }

  values(): Iterable<PairKey> {
    return this.#keys.values();
  }

  stop(): void {
    this.#stop();
  }
}
