/** What the bookkeeping knows of orders to kill. */
import { parse, text, type Changes } from './commit-changes.ts';
import type { JobBook } from './job-book.ts';
import type { Violations } from './violations.ts';

interface Order {
  readonly name: string;
  readonly runId: string | undefined;
  readonly revision: number;
  readonly timeline: number;
  /** Undefined for what somebody put by hand without saying who. */
  readonly by: string | undefined;
}

export class OrderBook {
  readonly #orders: Order[] = [];
  /** Those in etcd now: by job and run, '' for all of the job. */
  #standing = new Map<string, { readonly revision: number; readonly atMs: number }>();
  readonly #violations: Violations;
  /** Counts the restores of etcd. */
  timeline = 0;

  constructor(violations: Violations) {
    this.#violations = violations;
  }

  backup(): OrderBook['standing'] {
    return new Map(this.#standing);
  }

  restore(standing: OrderBook['standing']): void {
    this.timeline++;
    this.#standing = new Map(standing);
  }

  get standing(): ReadonlyMap<string, { readonly revision: number; readonly atMs: number }> {
    return this.#standing;
  }

  note(book: JobBook, changes: Changes, revision: number, atMs: number): void {
    const { name } = book;
    for (const [id, { kv }] of changes.orders) {
      if (kv === undefined) {
        this.#standing.delete(`${name}/${id}`);
        continue;
      }
      this.#standing.set(`${name}/${id}`, { revision, atMs });
      const by = text(parse(kv.value)['by']);
      const isOpen = [...book.fires.values()].some(({ runId }) => runId === id);
      if (id !== '' && by?.startsWith('human') === true && !isOpen) {
        this.#violations.report(
          'an order is answered as it is',
          `${name}: ${id} is not open any more`,
        );
      }
      const runId = id === '' ? undefined : id;
      this.#orders.push({ name, runId, revision, timeline: this.timeline, by });
    }
  }

  /** Since when an order that is still there stands against that run; undefined: none does. */
  standsSinceMs(job: string, runId: string, claimRevision: number): number | undefined {
    const since = ['', runId].flatMap((id) => {
      const order = this.#standing.get(`${job}/${id}`);
      return order !== undefined && claimRevision < order.revision ? [order.atMs] : [];
    });
    return since.length === 0 ? undefined : Math.min(...since);
  }

  /** Whether an order of `by` was given that stands against that run. */
  hits(
    job: string,
    runId: string,
    claim: { readonly timeline: number; readonly revision: number },
    by: string | undefined,
  ): boolean {
    return this.#orders.some(
      (order) =>
        order.by === by &&
        order.name === job &&
        (order.runId === undefined || order.runId === runId) &&
        // An order that was given after a restore is newer than any claim before it.
        (claim.timeline < order.timeline || claim.revision < order.revision),
    );
  }
}
