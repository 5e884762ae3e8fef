/**
 * All jobs in the order of their names, with what lists are filtered and sorted by in columns of
 * numbers, kept so as jobs come, go, run and end: a look at every one of 100,000 jobs is a walk over
 * these columns, and allocates nothing. Order is by UTF-16 code units, as `<` compares. A job has a
 * slot, its place in every column, for as long as it is there (until a re-list).
 */
import { ticksOf, type JobEntry } from '../../shared/mesh/job-entry.ts';
import type { JobParts, MeshChange, MeshView } from '../../shared/mesh/view.ts';
import { countedTo } from './job-concerns.ts';
import { GroupCounts } from './group-counts.ts';
import { inTurns } from './in-turns.ts';
import { FlagCounts, flagsOf, type JobFlag } from './job-flags.ts';

/** Parts of a job that is there. */
export type JobWithEntry = JobParts & { readonly entry: JobEntry };

const firstCapacity = 1_024;
/** Schedules asked in one turn of the event loop. */
const ticksATurn = 1_000;

export class JobIndex {
  readonly groups = new GroupCounts();
  readonly #view: MeshView;
  readonly #unsubscribe: () => void;
  readonly #listeners = new Set<(slot: number) => void>();
  readonly #counts = new FlagCounts();
  #jobs: (JobWithEntry | undefined)[] = [];
  #freeSlots: number[] = [];
  #total = 0;
  #leaveOff: () => void = () => undefined;
  /** Slots by name; the first #total of them. */
  #order = new Uint32Array(firstCapacity);
  #flags = new Uint8Array(firstCapacity);
  #groupOf = new Uint32Array(firstCapacity);
  /** Epoch ms; NaN before the first end. */
  #lastEnded = new Float64Array(firstCapacity);
  /** The first tick after what is settled, Infinity for none; NaN when it is to be worked out. */
  #nextTick = new Float64Array(firstCapacity);

  constructor(view: MeshView) {
    this.#view = view;
    this.#rebuild();
    this.#unsubscribe = view.onChange((change) => this.#follow(change));
  }

  get total(): number {
    return this.#total;
  }

  /** So many slots are or were in use. */
  get slots(): number {
    return this.#jobs.length;
  }

  /** Slots by name, `total` of them; of this moment, like the columns. */
  get order(): Uint32Array {
    return this.#order;
  }

  get flags(): Uint8Array {
    return this.#flags;
  }

  /** Numbers of `groups`. */
  get groupOf(): Uint32Array {
    return this.#groupOf;
  }

  get lastEnded(): Float64Array {
    return this.#lastEnded;
  }

  /** As far as it is known without asking a schedule: right when it lies ahead. */
  get nextTick(): Float64Array {
    return this.#nextTick;
  }

  count(kind: JobFlag): number {
    return this.#counts.of(kind);
  }

  /** Undefined for a slot that nothing is in. */
  at(slot: number): JobWithEntry | undefined {
    return this.#jobs[slot];
  }

  /** How many jobs come before `name`. */
  placeOf(name: string): number {
    let low = 0;
    let high = this.#total;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#nameAt(middle) < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  slotOf(name: string): number | undefined {
    const place = this.placeOf(name);
    return place < this.#total && this.#nameAt(place) === name ? this.#order[place] : undefined;
  }

  /** Told of each slot whose definition changed or went; -1: all of them, by a re-list. */
  onChange(listener: (slot: number) => void): void {
    this.#listeners.add(listener);
  }

  stop(): void {
    this.#leaveOff();
    this.#unsubscribe();
  }

  #nameAt(place: number): string {
    return this.#jobs[this.#order[place] ?? 0]?.name ?? '';
  }

  #follow(change: MeshChange): void {
    if (change.type === 'resync') {
      this.#rebuild();
      return;
    }
    const { key } = change;
    if (key.kind === 'job') this.#updateJob(key.name);
    else if (key.kind === 'calendar') this.#forgetTicks(key.id);
    else if (key.kind === 'cursor' || key.kind === 'state' || key.kind === 'fire') {
      const slot = this.slotOf(key.name);
      if (slot !== undefined) this.#read(slot);
    }
  }

  #rebuild(): void {
    const jobs = [...this.#view.snapshot.parts.values()].filter(hasEntry);
    // As etcd lists them: in this order already, but for names beyond ASCII.
    jobs.sort((a, b) => (a.name < b.name ? -1 : 1));
    this.groups.clear();
    this.#counts.clear();
    this.#jobs = jobs;
    this.#freeSlots = [];
    this.#total = jobs.length;
    this.#reserve(jobs.length);
    this.#flags.fill(0);
    for (let slot = 0; slot < jobs.length; slot++) {
      this.#order[slot] = slot;
      this.#groupOf[slot] = this.groups.add(groupOf(jobs[slot]?.entry));
      this.#read(slot, false);
    }
    this.#leaveOff();
    this.#leaveOff = inTurns(
      () => this.slots,
      ticksATurn,
      (slot) => {
        const parts = this.#jobs[slot];
        if (parts !== undefined) this.#nextTick[slot] = this.#nextOf(parts);
      },
    );
    for (const listener of this.#listeners) listener(-1);
  }

  #updateJob(name: string): void {
    const parts = this.#view.part(name);
    const place = this.placeOf(name);
    let slot = this.slotOf(name);
    if (slot !== undefined) this.groups.remove(this.#groupOf[slot] ?? 0);
    if (parts === undefined || !hasEntry(parts)) {
      if (slot !== undefined) this.#remove(slot, place);
    } else {
      slot ??= this.#insert(place);
      this.#jobs[slot] = parts;
      this.#groupOf[slot] = this.groups.add(groupOf(parts.entry));
      this.#read(slot);
    }
    if (slot !== undefined) for (const listener of this.#listeners) listener(slot);
  }

  #insert(place: number): number {
    const slot = this.#freeSlots.pop() ?? this.#jobs.push(undefined) - 1;
    this.#reserve(this.#jobs.length);
    this.#order.copyWithin(place + 1, place, this.#total);
    this.#order[place] = slot;
    this.#total++;
    return slot;
  }

  #remove(slot: number, place: number): void {
    this.#flag(slot, 0);
    this.#jobs[slot] = undefined;
    this.#freeSlots.push(slot);
    this.#order.copyWithin(place, place + 1, this.#total);
    this.#total--;
  }

  /** Room for so many slots in every column. */
  #reserve(slots: number): void {
    if (slots <= this.#order.length) return;
    const capacity = Math.max(slots, this.#order.length * 2);
    this.#order = grown(this.#order, new Uint32Array(capacity));
    this.#flags = grown(this.#flags, new Uint8Array(capacity));
    this.#groupOf = grown(this.#groupOf, new Uint32Array(capacity));
    this.#lastEnded = grown(this.#lastEnded, new Float64Array(capacity));
    this.#nextTick = grown(this.#nextTick, new Float64Array(capacity));
  }

  #read(slot: number, asksSchedule = true): void {
    const parts = this.#jobs[slot];
    if (parts === undefined) return;
    this.#flag(slot, flagsOf(parts));
    this.#lastEnded[slot] = parts.state?.value.endedAt ?? Number.NaN;
    this.#nextTick[slot] = asksSchedule ? this.#nextOf(parts) : Number.NaN;
  }

  /** After what is settled: it holds until it has passed, or another fire is settled. */
  #nextOf(parts: JobWithEntry): number {
    const { entry } = parts;
    const settled = countedTo(parts);
    if (!entry.ok || !entry.job.enabled || settled === undefined) return Number.NaN;
    return ticksOf(entry, this.#view.snapshot.calendars).allowed.next(settled) ?? Infinity;
  }

  #flag(slot: number, flags: number): void {
    this.#counts.change(this.#flags[slot] ?? 0, flags);
    this.#flags[slot] = flags;
  }

  #forgetTicks(calendar: string): void {
    for (const [slot, job] of this.#jobs.entries()) {
      if (job?.entry.ok === true && job.entry.job.calendars.includes(calendar)) {
        this.#nextTick[slot] = Number.NaN;
      }
    }
  }
}

function grown<T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** The group of a job; a quarantined one has none. */
export function groupOf(entry: JobEntry | undefined): string {
  return entry?.ok === true ? entry.job.group : '';
}

export function hasEntry(parts: JobParts): parts is JobWithEntry {
  return parts.entry !== undefined;
}
