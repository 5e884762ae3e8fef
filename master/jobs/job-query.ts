/**
 * Selects one page of jobs: filter, facets, order, position. All are looked at in the columns of the
 * index, in one pass that allocates nothing but the page; nothing is sorted but the page.
 */
import type { HeldUpJobs } from './held-up-jobs.ts';
import { decodeCursor, encodeCursor, type Place } from './job-cursor.ts';
import { type JobIndex, type JobWithEntry } from './job-index.ts';
import type { JobSearch, Matches } from './job-search.ts';
import { attentionBit, passing, type JobStatus } from './job-status.ts';
import type { NextTicks } from './next-ticks.ts';

export const jobSorts = [
  'name',
  '-name',
  'nextTick',
  '-nextTick',
  'lastEnded',
  '-lastEnded',
] as const;
export type JobSort = (typeof jobSorts)[number];
export interface JobQuery {
  readonly limit: number;
  readonly sort: JobSort;
  readonly q?: string | undefined;
  readonly group?: readonly string[] | undefined;
  readonly enabled?: boolean | undefined;
  readonly status?: readonly JobStatus[] | undefined;
  readonly cursor?: string | undefined;
}

export interface JobSelection {
  readonly parts: readonly JobWithEntry[];
  readonly nextCursor?: string;
  /** All that match, on whatever page. */
  readonly total: number;
  /** Counted without the group filter, so that other groups can be chosen. */
  readonly groups: readonly { readonly value: string; readonly count: number }[];
}

export interface QueryParts {
  readonly index: JobIndex;
  readonly search: JobSearch;
  readonly nextTicks: NextTicks;
  readonly heldUp: Pick<HeldUpJobs, 'names'>;
}

export class JobQueries {
  readonly #parts: QueryParts;
  /** What the query that is answered now found: used again by the next one. */
  #slots = new Uint32Array(0);

  constructor(parts: QueryParts) {
    this.#parts = parts;
  }

  /** Throws `request-invalid` for a cursor that is not of this query's order. */
  select(query: JobQuery, nowMs: number): JobSelection {
    const { limit, sort, group, enabled, status, q } = query;
    const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, sort);
    const text = q?.trim().toLowerCase() ?? '';
    const isAll = group === undefined && enabled === undefined && status === undefined;
    if (isAll && text === '' && sort === 'name') return this.#slice(limit, after);
    const { index, search } = this.#parts;
    const found = text === '' ? undefined : search.matches(text);
    const heldUp = status === undefined ? none : this.#heldUp();
    const { slots, total, counts } = this.#walk(passing(enabled, status), heldUp, found, group);
    const page = this.#pageOf(slots.subarray(0, total), sort, limit + 1, after, nowMs);
    const shown = page.slice(0, limit);
    const last = shown.at(-1);
    const more = page.length > shown.length && last !== undefined;
    return {
      parts: shown.flatMap((slot) => index.at(slot) ?? []),
      ...(more ? { nextCursor: encodeCursor(sort, this.#placeOf(last, sort, nowMs)) } : {}),
      total,
      groups: this.#facets(counts),
    };
  }

  /** All jobs by name, as a list mostly begins: nothing but the page is looked at. */
  #slice(limit: number, after: Place | undefined): JobSelection {
    const { index } = this.#parts;
    let start = 0;
    if (after !== undefined) {
      start = index.placeOf(after.name);
      if (index.slotOf(after.name) !== undefined) start++;
    }
    const shown = [...index.order.subarray(start, Math.min(start + limit, index.total))];
    const parts = shown.flatMap((slot) => index.at(slot) ?? []);
    const name = parts.at(-1)?.name;
    const more = start + limit < index.total && name !== undefined;
    return {
      parts,
      ...(more ? { nextCursor: encodeCursor('name', { key: 0, name }) } : {}),
      total: index.total,
      groups: this.#facets(index.groups.counts),
    };
  }

  /** The slots of what matches, by name, and how many match in each group without its filter. */
  #walk(
    passes: Uint8Array,
    heldUp: ReadonlySet<number>,
    found: Matches | undefined,
    group: readonly string[] | undefined,
  ): { slots: Uint32Array; total: number; counts: readonly number[] } {
    const { index } = this.#parts;
    const { order, flags, groupOf, groups } = index;
    const isWanted = new Uint8Array(groups.size).fill(group === undefined ? 1 : 0);
    for (const name of group ?? []) {
      const number = groups.numberOf(name);
      if (number !== undefined) isWanted[number] = 1;
    }
    if (this.#slots.length < index.total) this.#slots = new Uint32Array(index.order.length);
    const slots = this.#slots;
    const counts: number[] = Array.from({ length: groups.size }, () => 0);
    let total = 0;
    for (let place = 0; place < index.total; place++) {
      const slot = order[place] ?? 0;
      if (found?.[slot] === 0) continue;
      const held = heldUp.size > 0 && heldUp.has(slot) ? attentionBit : 0;
      if (passes[(flags[slot] ?? 0) | held] === 0) continue;
      const number = groupOf[slot] ?? 0;
      counts[number] = (counts[number] ?? 0) + 1;
      if (isWanted[number] === 1) slots[total++] = slot;
    }
    return { slots, total, counts };
  }

  /** The first `count` slots beyond `after`, in order. `byName` is in the order of names. */
  #pageOf(
    byName: Uint32Array,
    sort: JobSort,
    count: number,
    after: Place | undefined,
    nowMs: number,
  ): number[] {
    const { index } = this.#parts;
    if (sort === 'name') return [...firstAfter(byName, after, index, 1, count)];
    if (sort === '-name') return [...firstAfter(byName, after, index, -1, count)];
    const keyOf = this.#keys(sort, nowMs);
    const order = (a: number, b: number): number =>
      keyOf(a) - keyOf(b) || comparedNames(index, a, b);
    const kept: number[] = [];
    let worst = Infinity;
    for (const slot of byName) {
      const key = keyOf(slot);
      if (key > worst || (after !== undefined && !isBeyond(after, key, slot, index))) continue;
      kept.push(slot);
      if (kept.length < 2 * count + sortedAtOnce) continue;
      kept.sort(order).length = count;
      worst = keyOf(kept[count - 1] ?? 0);
    }
    return kept.sort(order).slice(0, count);
  }

  #keys(sort: JobSort, nowMs: number): (slot: number) => number {
    const { lastEnded } = this.#parts.index;
    switch (sort) {
      case 'name':
      case '-name':
        return () => 0;
      case 'nextTick':
        return (slot) => this.#nextTick(slot, nowMs);
      case '-nextTick':
        return (slot) => reversed(this.#nextTick(slot, nowMs));
      case 'lastEnded':
        return (slot) => orLast(lastEnded[slot]);
      case '-lastEnded':
        return (slot) => orLast(-(lastEnded[slot] ?? Number.NaN));
    }
  }

  /** Infinity when nothing is due any more. */
  #nextTick(slot: number, nowMs: number): number {
    const { index, nextTicks } = this.#parts;
    const known = index.nextTick[slot] ?? Number.NaN;
    if (known > nowMs) return known;
    const parts = index.at(slot);
    const next = (parts && nextTicks.of(parts, nowMs)) ?? Infinity;
    index.nextTick[slot] = next;
    return next;
  }

  #placeOf(slot: number, sort: JobSort, nowMs: number): Place {
    return { key: this.#keys(sort, nowMs)(slot), name: this.#parts.index.at(slot)?.name ?? '' };
  }

  #heldUp(): ReadonlySet<number> {
    const { heldUp, index } = this.#parts;
    return new Set([...heldUp.names()].flatMap((name) => index.slotOf(name) ?? []));
  }

  #facets(counts: readonly number[]): JobSelection['groups'] {
    const { groups } = this.#parts.index;
    return counts
      .map((count, number) => ({ value: groups.nameOf(number), count }))
      .filter(({ count }) => count > 0)
      .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1));
  }
}

const none: ReadonlySet<number> = new Set();
/** Kept beside twice the page before it is cut: to sort for each that comes would cost more. */
const sortedAtOnce = 1_000;

/** The first `count` beyond `after`, forwards (1) or backwards (-1). */
function firstAfter(
  byName: Uint32Array,
  after: Place | undefined,
  index: JobIndex,
  step: 1 | -1,
  count: number,
): Uint32Array {
  const nameAt = (place: number): string => index.at(byName[place] ?? 0)?.name ?? '';
  let low = 0;
  let high = byName.length;
  while (low < high && after !== undefined) {
    const middle = (low + high) >>> 1;
    const isBefore = step === 1 ? nameAt(middle) <= after.name : nameAt(middle) < after.name;
    if (isBefore) low = middle + 1;
    else high = middle;
  }
  if (step === 1) return byName.subarray(low, low + count);
  return byName.slice(Math.max(0, high - count), high).reverse();
}

function isBeyond(after: Place, key: number, slot: number, index: JobIndex): boolean {
  if (key !== after.key) return key > after.key;
  return (index.at(slot)?.name ?? '') > after.name;
}

function comparedNames(index: JobIndex, a: number, b: number): number {
  return (index.at(a)?.name ?? '') < (index.at(b)?.name ?? '') ? -1 : 1;
}

/** What has nothing to sort by comes last in either direction. */
function reversed(tick: number): number {
  return tick === Infinity ? Infinity : -tick;
}

function orLast(key: number | undefined): number {
  return key === undefined || Number.isNaN(key) ? Infinity : key;
}
