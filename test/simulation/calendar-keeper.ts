/**
 * What people of a simulation do with calendars: create, change and delete them by the protocol's own
 * transactions, and write or delete keys by hand. Nearly all dates are those of now, so that it matters.
 */
import { readCalendarEntry, type CalendarMap } from '../../shared/calendar/calendar-entry.ts';
import { calendarsIn } from '../../shared/calendar/counted-text.ts';
import type { CalendarInput } from '../../shared/calendar/definition.ts';
import type { KeyValue, Txn, TxnResult } from '../../shared/etcd/port.ts';
import { deleteCalendar, putCalendar } from '../../shared/protocol/calendars.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import { allowsDate, type PlainCalendar } from '../support/calendar-oracle.ts';
import { parse } from './commit-changes.ts';
import type { Ledger } from './ledger.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimEtcd } from './sim-etcd.ts';

const dayMs = 86_400_000;
const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
/** By the protocol alone, and by hand too. */
const edited = ['shared-1', 'shared-2'];
const byHand = 'by-hand';
export const calendarNames: readonly string[] = [...edited, byHand];

export interface CalendarKeeperOptions {
  readonly keys: Keys;
  readonly etcd: SimEtcd;
  readonly ledger: Ledger;
  readonly random: SeededRandom;
  readonly wallMs: () => number;
  readonly tell: (what: string) => void;
  /** Sent again after an unknown result, a few times; undefined when it is never known. */
  readonly send: (txn: Txn) => Promise<TxnResult | undefined>;
}

export class CalendarKeeper {
  readonly #options: CalendarKeeperOptions;

  constructor(options: CalendarKeeperOptions) {
    this.#options = options;
  }

  /** As an editor reads them: those that the cursor counted with, and those of the new definition. */
  async read(cursorRaw = '', wanted: readonly string[] = []): Promise<CalendarMap> {
    const { keys, etcd } = this.#options;
    const names = [...new Set([...calendarsIn(cursorRaw), ...wanted])];
    if (names.length === 0) return new Map();
    const gets = names.map((name) => ({ get: { key: keys.calendar(name) } }));
    const { results } = await etcd.txn({ compare: [], success: gets, failure: [] });
    return new Map(
      results.map((result, index) => {
        const [kv] = result.kind === 'get' ? result.kvs : [];
        const name = names[index] ?? '';
        return [name, kv && readCalendarEntry(name, kv)];
      }),
    );
  }

  /** Somebody changes a calendar by the protocol. */
  async turn(name = this.#options.random.pick(edited)): Promise<void> {
    await this.#put(name);
  }

  /** As turn(), or takes one away that no job uses. */
  async change(): Promise<void> {
    const { random } = this.#options;
    const name = random.pick(edited);
    await (random.chance(0.4) ? this.#delete(name) : this.#put(name));
  }

  async act(): Promise<void> {
    const { random } = this.#options;
    const name = random.pick(edited);
    await random.weighted([
      [5, () => this.#put(name)],
      [1, () => this.#delete(name)],
      [3, () => this.#byHand()],
    ])();
  }

  async #put(name: string): Promise<void> {
    const { keys, etcd, random, tell } = this.#options;
    const { kvs } = await etcd.range({ key: keys.calendar(name) });
    const modRevision = kvs[0]?.modRevision ?? 0;
    const calendar = random.chance(0.6) ? this.#turned(name, kvs[0]) : this.#any(name);
    const definition = JSON.stringify({ ...calendar, description: `base ${modRevision}` });
    const result = await this.#options.send(putCalendar({ keys, name, modRevision, definition }));
    if (result?.succeeded === true) tell(`puts calendar ${definition}`);
  }

  async #delete(name: string): Promise<void> {
    const { keys, etcd, ledger, tell } = this.#options;
    const gets = [{ get: { key: keys.calendar(name) } }, { get: keys.jobs() }];
    const read = await etcd.txn({ compare: [], success: gets, failure: [] });
    const [calendar, jobs] = read.results.map((each) => (each.kind === 'get' ? each.kvs : []));
    const modRevision = calendar?.[0]?.modRevision ?? 0;
    if (modRevision === 0 || jobs?.some(({ value }) => value.includes(`"${name}"`)) === true)
      return;
    ledger.calendars.noteDeletion(name, modRevision);
    const result = await this.#options.send(
      deleteCalendar({ keys, name, modRevision, jobsKnownTo: read.revision }),
    );
    if (result?.succeeded === true) tell(`deletes calendar ${name}`);
  }

  async #byHand(): Promise<void> {
    const { keys, random, send, tell } = this.#options;
    const key = keys.calendar(byHand);
    const value = random.weighted<string | undefined>([
      [5, JSON.stringify(this.#any(byHand))],
      [2, 'no calendar'],
      [1, JSON.stringify({ ...this.#any(byHand), schemaVersion: 2 })],
      [2, undefined],
    ]);
    const op = value === undefined ? { delete: { key } } : { put: { key, value } };
    await send({ compare: [], success: [op], failure: [] });
    tell(value === undefined ? `deletes ${key} by hand` : `puts ${key} by hand: ${value}`);
  }

  /** What allowed today does not any more, and the other way round. */
  #turned(name: string, kv: KeyValue | undefined): CalendarInput {
    const { random, wallMs } = this.#options;
    const today = new Date(wallMs()).toISOString().slice(0, 10);
    const former = kv === undefined ? {} : (parse(kv.value) as Partial<PlainCalendar>);
    const { mode, dates } = former;
    // What is not there, or says nothing, allows nothing.
    const isAllowed =
      mode !== undefined && dates !== undefined && allowsDate({ mode, dates }, today);
    const isNamed = random.chance(0.5);
    return {
      name,
      mode: isNamed === isAllowed ? 'exclude' : 'only',
      dates: [isNamed ? today : '2001-01-01'],
    };
  }

  #any(name: string): CalendarInput {
    const { random, wallMs } = this.#options;
    const date = (days: number): string =>
      new Date(wallMs() + days * dayMs).toISOString().slice(0, 10);
    const weekday = (days: number): string =>
      weekdays[new Date(wallMs() + days * dayMs).getUTCDay()] ?? 'mon';
    const entry = (): string =>
      random.weighted<() => string>([
        [3, () => date(random.integer(-1, 1))],
        [1, () => date(random.integer(-1, 1)).slice(5)],
        [1, () => `${date(random.integer(-2, 0))}..${date(random.integer(0, 2))}`],
        [
          1,
          () => `${date(random.integer(-2, 1)).slice(5)}..${date(random.integer(-1, 2)).slice(5)}`,
        ],
        [2, () => weekday(random.integer(-1, 1))],
        [1, () => '12-25'],
      ])();
    const dates = Array.from({ length: random.integer(0, 2) }, entry);
    return { name, mode: random.chance(0.7) ? 'exclude' : 'only', dates };
  }
}
