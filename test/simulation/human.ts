/**
 * The people and masters of a simulation: they create, edit, pause, delete and re-create jobs by the
 * protocol's own transactions, write keys by hand, trigger and kill, over a network of their own.
 */
import { isCronmeshError } from '../../shared/errors.ts';
import type { KeyValue, OpResult, Txn, TxnResult } from '../../shared/etcd/port.ts';
import { editJob, type SeenJob } from '../../shared/protocol/edit.ts';
import { createKeys } from '../../shared/protocol/keys.ts';
import { createAccountant } from '../../shared/protocol/missed-span.ts';
import { sleep } from '../../shared/clock.ts';
import { CalendarKeeper, calendarNames } from './calendar-keeper.ts';
import {
  countedBy,
  drawPolicies,
  readBack,
  textOfDefinition,
  type Definition,
} from './human-definitions.ts';
import { HumanOrders } from './human-orders.ts';
import type { Ledger } from './ledger.ts';
import { MasterDeeds } from './master-deeds.ts';
import type { PlainSchedule } from './schedules.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimEtcd } from './sim-etcd.ts';
import type { SimProcess } from './sim-process.ts';
import type { Story } from './story.ts';

interface Seen {
  readonly seen: SeenJob;
  readonly definition: Definition | undefined;
}

export interface HumanOptions {
  readonly name: string;
  readonly process: SimProcess;
  readonly etcd: SimEtcd;
  readonly ledger: Ledger;
  readonly random: SeededRandom;
  readonly story: Story;
  readonly jobs: readonly string[];
  /** What jobs are given. */
  readonly schedules: readonly PlainSchedule[];
  /** Of a job to use a calendar, for each of them. */
  readonly calendarChance: number;
  /** When tombstones are swept, if that is soon: then is the moment to make a job anew. */
  readonly tombstoneLifeMs: number | undefined;
}

const keys = createKeys('/cron');
const accountant = createAccountant('');
const sends = 4;

export class Human {
  readonly #options: HumanOptions;
  readonly #keeper: CalendarKeeper;
  readonly #master: MasterDeeds;
  readonly #orders: HumanOrders;
  #count = 0;
  #deedsUnderWay = 0;
  #isRetired = false;
  #lease: { id: string; untilMs: number } | undefined;

  /** What this person does more often than others, or hardly ever. */
  readonly #emphases: readonly number[];
  /** And which way jobs may run beside each other it likes best. */
  readonly #fondOf: readonly number[];

  constructor(options: HumanOptions) {
    this.#options = options;
    const { name, process, etcd, ledger, random, story } = options;
    this.#keeper = new CalendarKeeper({
      keys,
      etcd,
      ledger,
      random: random.stream('calendars'),
      wallMs: () => process.clock.wallMs(),
      tell: (what) => story.tell(name, what),
      send: (txn) => this.#send(txn),
    });
    this.#master = new MasterDeeds({
      name,
      process,
      etcd,
      ledger,
      random: random.stream('master'),
      story,
    });
    this.#orders = new HumanOrders({
      name,
      process,
      etcd,
      ledger,
      master: this.#master,
      random,
      story,
      lease: () => this.#passingLease(),
      send: (txn) => this.#send(txn),
    });
    this.#emphases = this.#deeds('').map(() => options.random.pick([0.1, 1, 1, 4]));
    this.#fondOf = Array.from({ length: 5 }, () => options.random.pick([0.2, 1, 1, 6]));
  }

  /** Does nothing more by itself; what it has begun goes on. */
  retire(): void {
    this.#isRetired = true;
  }

  get isActing(): boolean {
    return this.#deedsUnderWay > 0;
  }

  /** Something a person may do; never throws for what a network does. */
  async act(job?: string): Promise<void> {
    const { random, jobs } = this.#options;
    const name = job ?? random.pick(jobs);
    const deeds = this.#deeds(name);
    const deed = random.weighted(
      deeds.map(([weight, what], index) => [weight * (this.#emphases[index] ?? 1), what] as const),
    );
    await this.#quietly(deed);
  }

  async trigger(name: string): Promise<void> {
    await this.#quietly(() => this.#orders.trigger(name));
  }

  async turnCalendar(name?: string): Promise<void> {
    await this.#quietly(() => this.#keeper.turn(name));
  }

  /** A calendar and a job at the same moment. */
  async changeBoth(name: string): Promise<void> {
    await Promise.all([this.#quietly(() => this.#keeper.change()), this.act(name)]);
  }

  async putByHand(name: string): Promise<void> {
    await this.#quietly(() => this.#putByHand(name));
  }

  /** Only the policies change: the cursor stays as it is. */
  async changePolicies(name: string): Promise<void> {
    await this.#quietly(() => this.#changePolicies(name));
  }

  async killAll(name: string): Promise<void> {
    await this.#quietly(() => this.#orders.all(name));
  }

  #deeds(name: string): readonly (readonly [number, () => Promise<unknown>])[] {
    return [
      [5, () => this.#edit(name, (was) => this.#changed(name, was))],
      [2, () => this.#edit(name, (was) => was && { ...was, enabled: false })],
      [1, () => this.#master.setEnabled(name, false)],
      [2, () => this.#edit(name, (was) => was && { ...was, enabled: true })],
      [2, () => this.#master.setEnabled(name, true)],
      [2, () => this.#changePolicies(name)],
      [2, () => this.#edit(name, () => undefined)],
      [4, () => this.#edit(name, (was) => was ?? this.#changed(name, undefined))],
      [2, () => this.#putByHand(name)],
      [0.5, () => this.#putNewer(name)],
      [1, () => this.#deleteByHand(name)],
      [1, () => this.#remakeByHand(name)],
      [6, () => this.#orders.trigger(name)],
      [4, () => this.#orders.named(name)],
      [2, () => this.#orders.all(name)],
      [1, () => this.#orders.byHand(name)],
      [2, () => this.#orders.slotByHand(name)],
      [6, () => this.#keeper.act()],
    ];
  }

  /** The first definition of a job. */
  async create(name: string): Promise<void> {
    await this.#quietly(() => this.#edit(name, (was) => was ?? this.#changed(name, undefined)));
  }

  /** The job is there, and not paused. */
  async keepUp(name: string): Promise<void> {
    await this.#quietly(() =>
      this.#edit(name, (was) => ({ ...(was ?? this.#changed(name, undefined)), enabled: true })),
    );
  }

  /** Through a master, or as if this were one. */
  async #edit(
    name: string,
    change: (was: Definition | undefined) => Definition | undefined,
  ): Promise<void> {
    if (this.#options.random.chance(0.5)) {
      await this.edit(name, change);
      return;
    }
    const { seen, definition } = await this.#read(name);
    const base = seen.modRevision;
    const wanted = change(definition);
    if (wanted === undefined && base === 0) return;
    await this.#master.save(name, wanted && this.#textOf(wanted, `base ${base}`), base);
    if (wanted === undefined) this.#comeBackTo(name);
  }

  /** By the protocol; `change` says what becomes of what is there. Resolves to whether it was done. */
  async edit(
    name: string,
    change: (was: Definition | undefined) => Definition | undefined,
  ): Promise<boolean> {
    const { process, etcd, story } = this.#options;
    let found = await this.#read(name);
    for (let attempt = 0; attempt < 8; attempt++) {
      const wanted = change(found.definition);
      if (wanted === undefined && found.seen.modRevision === 0) return true;
      const base = found.seen.modRevision;
      const text = wanted && this.#textOf(wanted, `base ${base}`);
      const txn = editJob({
        keys,
        seen: found.seen,
        definition: text,
        schedule: wanted === undefined ? '' : countedBy(wanted),
        calendars: await this.#keeper.read(found.seen.cursorRaw, wanted?.calendars),
        nowMs: process.clock.wallMs(),
        accountant,
      });
      try {
        const result = await etcd.txn(txn);
        if (result.succeeded) {
          story.tell(this.#options.name, `${wanted === undefined ? 'deletes' : 'edits'} ${name}`);
          if (wanted === undefined) this.#comeBackTo(name);
          return true;
        }
        found = this.#seen(name, result.results);
      } catch (error) {
        if (!isCronmeshError(error, 'unknown-result')) throw error;
        found = await this.#read(name);
      }
    }
    return false;
  }

  #comeBackTo(name: string): void {
    const { tombstoneLifeMs, process, random } = this.#options;
    if (tombstoneLifeMs === undefined) return;
    process.clock.after(tombstoneLifeMs + random.between(-50, 600), () => {
      if (this.#isRetired) return;
      void random.pick([() => this.create(name), () => this.putByHand(name)])();
    });
  }

  /** For the end: pauses the job, whatever it takes. */
  async settleDown(name: string): Promise<void> {
    const { process } = this.#options;
    for (;;) {
      try {
        const isDone = await this.edit(name, (was) => was && { ...was, enabled: false });
        if (isDone) return;
      } catch (error) {
        if (!isCronmeshError(error)) throw error;
      }
      await sleep(process.clock, 500);
    }
  }

  #changePolicies(name: string): Promise<void> {
    return this.#edit(name, (was) => was && { ...was, policies: this.#policies() });
  }

  #policies(): Definition['policies'] {
    return drawPolicies(this.#options.random, this.#fondOf);
  }

  #changed(name: string, was: Definition | undefined): Definition {
    const { random, schedules } = this.#options;
    const { cronExpr, timezone } = random.pick(schedules);
    const fresh: Definition = {
      name,
      cronExpr,
      timezone,
      calendars: calendarNames.filter(() => random.chance(this.#options.calendarChance)),
      enabled: true,
      timeoutSeconds: random.pick([5, 20, 60]),
      policies: this.#policies(),
    };
    if (was === undefined) return fresh;
    // Often only the command changes: the cursor then stays as it is.
    if (random.chance(0.4)) return was;
    return random.chance(0.5) ? { ...was, policies: fresh.policies } : fresh;
  }

  #textOf(definition: Definition, description: string): string {
    this.#count++;
    return textOfDefinition(definition, `${this.#options.name} ${this.#count}`, description);
  }

  async #putByHand(name: string): Promise<void> {
    const { random, story } = this.#options;
    const text = random.chance(0.25)
      ? 'no definition'
      : this.#textOf(this.#changed(name, undefined), 'by hand');
    await this.#send({
      compare: [],
      success: [{ put: { key: keys.job(name), value: text } }],
      failure: [],
    });
    story.tell(this.#options.name, `puts ${name} by hand: ${text}`);
  }

  /** By a master of a version to come: nobody here may touch it. */
  async #putNewer(name: string): Promise<void> {
    const value = JSON.stringify({ schemaVersion: 99, name, does: 'what nobody knows yet' });
    await this.#send({
      compare: [],
      success: [{ put: { key: keys.job(name), value } }],
      failure: [],
    });
    this.#options.story.tell(this.#options.name, `puts ${name} as a newer version writes it`);
  }

  /** Deleted and put again by hand, under the same schedule, perhaps before any worker saw it. */
  async #remakeByHand(name: string): Promise<void> {
    const { process, random } = this.#options;
    const { definition } = await this.#read(name);
    if (definition === undefined) return;
    await this.#deleteByHand(name);
    await sleep(process.clock, random.pick([0, 5, 500]));
    const text = this.#textOf(definition, 'by hand');
    await this.#send({
      compare: [],
      success: [{ put: { key: keys.job(name), value: text } }],
      failure: [],
    });
    this.#options.story.tell(this.#options.name, `makes ${name} anew by hand`);
  }

  async #deleteByHand(name: string): Promise<void> {
    const deletion = { delete: { key: keys.job(name) } };
    await this.#send({ compare: [], success: [deletion], failure: [] });
    this.#options.story.tell(this.#options.name, `deletes ${name} by hand`);
  }

  async #read(name: string): Promise<Seen> {
    const gets = [{ get: { key: keys.job(name) } }, { get: { key: keys.cursor(name) } }];
    const { results } = await this.#options.etcd.txn({ compare: [], success: gets, failure: [] });
    return this.#seen(name, results);
  }

  #seen(name: string, results: readonly OpResult[]): Seen {
    const job = firstOf(results[0]);
    const cursor = firstOf(results[1]);
    return {
      seen: {
        name,
        modRevision: job?.modRevision ?? 0,
        createRevision: job?.createRevision ?? 0,
        group: 'default',
        cursorRaw: cursor?.value.toString(),
      },
      definition: job === undefined ? undefined : readBack(name, job),
    };
  }

  async #passingLease(): Promise<string> {
    const { etcd, process } = this.#options;
    const nowMs = process.clock.monotonicMs();
    if (this.#lease === undefined || nowMs > this.#lease.untilMs) {
      const { id } = await etcd.grantLease(60);
      this.#lease = { id, untilMs: nowMs + 20_000 };
    }
    return this.#lease.id;
  }

  /** Sent again after an unknown result, a few times; undefined when it is never known. */
  async #send(txn: Txn): Promise<TxnResult | undefined> {
    for (let left = sends; left > 0; left--) {
      try {
        return await this.#options.etcd.txn(txn);
      } catch (error) {
        if (!isCronmeshError(error, 'unknown-result')) throw error;
      }
    }
    return undefined;
  }

  async #quietly(deed: () => Promise<unknown>): Promise<void> {
    this.#deedsUnderWay++;
    try {
      await deed();
    } catch (error) {
      if (!isCronmeshError(error)) throw error;
      if (isCronmeshError(error, 'etcd-rejected')) this.#lease = undefined;
      this.#options.story.detail(this.#options.name, `gives up: ${error.message}`);
    } finally {
      this.#deedsUnderWay--;
    }
  }
}

function firstOf(result: OpResult | undefined): KeyValue | undefined {
  return result?.kind === 'get' ? result.kvs[0] : undefined;
}
