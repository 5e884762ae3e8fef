/** What the bookkeeping writes down of one commit. */
import type { Json } from './job-book.ts';

/** Of ticks, in one revision with the cursor that moves past them. */
export interface Account {
  readonly what: string;
  readonly covers: (tick: number) => boolean;
  /** Of a span. */
  readonly value?: Json;
}

/** How a fire that is gone from etcd was settled, or a decision that was no fire. */
export interface Settlement {
  readonly name: string;
  readonly kind: 'lost' | 'ended' | 'not-run';
  /** Row of history that must tell of it. */
  readonly rowId: string;
  /** '' when etcd does not tell: the end of a run whose job is gone. */
  readonly outcome: string;
  readonly value: Json;
}
