/** What the bookkeeping writes down of one commit. */
import type { CalendarBook } from './calendar-book.ts';
import type { JobBookBackup, Json } from './job-book.ts';
import type { OrderBook } from './order-book.ts';

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
  /** etcd was restored from a backup that does not know it. */
  isForgotten?: true;
}

/** What a backup of etcd knows. */
export interface LedgerBackup {
  readonly books: ReadonlyMap<string, JobBookBackup>;
  readonly notRunIds: ReadonlySet<string>;
  readonly settlements: ReadonlySet<Settlement>;
  readonly calendars: ReturnType<CalendarBook['backup']>;
  readonly orders: OrderBook['standing'];
}
