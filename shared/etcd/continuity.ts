/**
 * Whether etcd's answers can still be the continuation of those before. Each answer to a
 * linearizable call must be of the same cluster, and neither its raft term nor its revision may be
 * below what had been answered before the call was sent. One that breaks this comes from a state
 * that was put back: a restored backup, or other data behind the same address. Listeners hear of it
 * before the caller gets that answer, once; from then on it is what the next answers must continue.
 */
import type { SetBack, StateMark } from './port.ts';

export class Continuity {
  readonly #listeners = new Set<(setBack: SetBack) => void>();
  #mark: StateMark | undefined;
  #era = 0;

  /** The highest of everything that was answered in this era. */
  get mark(): StateMark | undefined {
    return this.#mark;
  }

  /** Counts how often the state was put back. */
  get era(): number {
    return this.#era;
  }

  onSetBack(listener: (setBack: SetBack) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** To be called before a linearizable call is sent; the answer's header goes to the result. */
  sending(): (header: StateMark) => void {
    const era = this.#era;
    const before = this.#mark;
    return (header) => {
      // Sent before a setback was noticed: it may have been answered on either side of it.
      if (era !== this.#era) return;
      const what = before === undefined ? undefined : setBackOf(before, header);
      if (before === undefined || what === undefined) {
        this.#raise(header);
        return;
      }
      const setBack = { what, before: this.#mark ?? before, now: header };
      this.#era += 1;
      this.#mark = header;
      for (const listener of [...this.#listeners]) listener(setBack);
    };
  }

  /** A watch that was begun in `era` has told of `revision`. */
  saw(era: number, revision: number): void {
    if (era === this.#era && this.#mark !== undefined && revision > this.#mark.revision) {
      this.#mark = { ...this.#mark, revision };
    }
  }

  #raise(header: StateMark): void {
    const mark = this.#mark;
    this.#mark =
      mark === undefined
        ? header
        : {
            clusterId: header.clusterId,
            raftTerm: Math.max(mark.raftTerm, header.raftTerm),
            revision: Math.max(mark.revision, header.revision),
          };
  }
}

export function setBackOf(before: StateMark, now: StateMark): SetBack['what'] | undefined {
  if (now.clusterId !== before.clusterId) return 'cluster';
  if (now.raftTerm < before.raftTerm) return 'term';
  return now.revision < before.revision ? 'revision' : undefined;
}
