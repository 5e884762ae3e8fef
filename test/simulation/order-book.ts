/** What the bookkeeping knows of orders to kill. */
import type { KeyValue } from '../../shared/etcd/port.ts';
import { parse, text, type Changes } from './commit-changes.ts';
import type { JobBook, Json } from './job-book.ts';
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
  readonly #outcomes = new Map<string, string>();
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
    for (const [id, { kv, previous }] of changes.orders) {
      if (kv === undefined) {
        this.#standing.delete(`${name}/${id}`);
        continue;
      }
      const answer = parse(kv.value)['answer'] as Json | undefined;
      if (answer !== undefined) {
        this.#answered(book, id, answer, previous);
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

  /** An answer is no new order, replaces no newer one, and says what is so. */
  #answered(
    book: JobBook,
    id: string,
    { order, state, runs }: Json,
    previous: KeyValue | undefined,
  ): void {
    const bad = (what: string): void =>
      this.#violations.report('an order is answered as it is', `${book.name}/${id}: ${what}`);
    const former = previous && (parse(previous.value)['answer'] as Json | undefined);
    const given = former?.['order'] ?? previous?.modRevision;
    if (given !== order) bad(JSON.stringify({ given, order }));
    if (former !== undefined && former['state'] !== 'killing') bad('a second time');
    if (state === 'killing') return;
    const open = [...book.fires.values()].find(
      (fire) => fire.claimRevision < Number(order) && (id === '' || fire.runId === id),
    );
    if (open !== undefined) bad(`${JSON.stringify(state)}, while ${open.runId} is open`);
    for (const { runId, outcome } of runs as readonly Json[]) {
      const settled = this.#outcomes.get(String(runId));
      if (outcome !== undefined && settled !== undefined && settled !== outcome) {
        bad(`${JSON.stringify({ runId, outcome })}, not ${settled}`);
      }
    }
  }

  /** '' when etcd does not tell. */
  settled(runId: string, outcome: string): void {
    if (outcome !== '') this.#outcomes.set(runId, outcome);
  }

  /** One request to run was answered with two triggers. */
  noteTwoAnswers(name: string): void {
    this.#violations.report('one trigger a request', `${name}: it was answered with two`);
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
