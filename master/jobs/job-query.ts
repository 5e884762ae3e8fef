/**
 * Selects one page of jobs from the view: filter, facets, order, position. One pass over all names
 * and a bounded selection, so that a page of 100,000 jobs costs no sort of all of them.
 */
import type { JobEntry } from '../../shared/mesh/job-entry.ts';
import type { MeshView } from '../../shared/mesh/view.ts';
import { needsAttention } from './job-concerns.ts';
import { badField } from '../http/problem.ts';
import { groupOf, type JobIndex, type JobWithEntry } from './job-index.ts';
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
export const jobStatuses = [
  'ok',
  'paused',
  'quarantined',
  'running',
  'failing',
  'attention',
] as const;
export type JobStatus = (typeof jobStatuses)[number];

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

interface Ranked {
  readonly parts: JobWithEntry;
  /** Smaller comes first; Infinity when there is nothing to sort by. */
  readonly key: number;
}

export class JobQueries {
  readonly #index: JobIndex;
  readonly #nextTicks: NextTicks;
  readonly #view: MeshView;
  readonly #searchTexts = new WeakMap<JobEntry, string>();

  constructor(index: JobIndex, nextTicks: NextTicks, view: MeshView) {
    this.#index = index;
    this.#nextTicks = nextTicks;
    this.#view = view;
  }

  /** Throws `request-invalid` for a cursor that is not of this query's order. */
  select(query: JobQuery, nowMs: number): JobSelection {
    const { limit, sort, group, enabled, status, q } = query;
    const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, sort);
    const search = q?.trim().toLowerCase() ?? '';
    const isAll =
      group === undefined && enabled === undefined && status === undefined && search === '';
    if (isAll && sort === 'name') return this.#slice(limit, after);
    const groups = group === undefined ? undefined : new Set(group);
    const statuses = status === undefined ? undefined : new Set(status);
    const order = comparison(sort);
    const page: Ranked[] = [];
    const counts = new Map<string, number>();
    let total = 0;
    const { jobs } = this.#index;
    const isConcern = (parts: JobWithEntry): boolean => needsAttention(this.#view, parts, nowMs);
    // Backwards for -name, so that the first ones looked at are the ones to keep.
    for (const parts of sort === '-name' ? jobs.toReversed() : jobs) {
      const { entry } = parts;
      if (enabled !== undefined && isEnabled(entry) !== enabled) continue;
      if (statuses !== undefined && !hasStatus(parts, statuses, isConcern)) continue;
      if (search !== '' && !this.#searchText(entry).includes(search)) continue;
      const groupName = groupOf(entry);
      if (!isAll) counts.set(groupName, (counts.get(groupName) ?? 0) + 1);
      if (groups !== undefined && !groups.has(groupName)) continue;
      total++;
      const ranked = { parts, key: this.#key(parts, sort, nowMs) };
      if (after === undefined || order(ranked, after) > 0) {
        keepSmallest(page, ranked, limit + 1, order);
      }
    }
    return selectionOf(page, limit, sort, total, isAll ? this.#index.groups : counts);
  }

  /** All jobs by name, as a list mostly begins: nothing but the page is looked at. */
  #slice(limit: number, after: Place | undefined): JobSelection {
    const { jobs, groups, total } = this.#index;
    let start = 0;
    if (after !== undefined) {
      start = this.#index.placeOf(after.parts.name);
      if (jobs[start]?.name === after.parts.name) start++;
    }
    const page = jobs.slice(start, start + limit + 1).map((parts) => ({ parts, key: 0 }));
    return selectionOf(page, limit, 'name', total, groups);
  }

  #key(parts: JobWithEntry, sort: JobSort, nowMs: number): number {
    switch (sort) {
      case 'name':
      case '-name':
        return 0;
      case 'nextTick':
        return this.#nextTicks.of(parts, nowMs) ?? Infinity;
      case '-nextTick':
        return -(this.#nextTicks.of(parts, nowMs) ?? -Infinity);
      case 'lastEnded':
        return parts.state?.value.endedAt ?? Infinity;
      case '-lastEnded':
        return -(parts.state?.value.endedAt ?? -Infinity);
    }
  }

  #searchText(entry: JobEntry): string {
    let text = this.#searchTexts.get(entry);
    if (text === undefined) {
      text = [
        entry.name,
        ...(entry.ok ? [entry.job.description, entry.job.command, entry.job.group] : []),
      ]
        .join('\n')
        .toLowerCase();
      this.#searchTexts.set(entry, text);
    }
    return text;
  }
}

/** `page` holds one job more than `limit` when there are more. */
function selectionOf(
  page: readonly Ranked[],
  limit: number,
  sort: JobSort,
  total: number,
  groups: ReadonlyMap<string, number>,
): JobSelection {
  const shown = page.slice(0, limit);
  const last = shown.at(-1);
  return {
    parts: shown.map(({ parts }) => parts),
    ...(page.length > shown.length && last !== undefined
      ? { nextCursor: encodeCursor(sort, last) }
      : {}),
    total,
    groups: [...groups]
      .map(([value, count]) => ({ value, count }))
      .toSorted((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1)),
  };
}

function isEnabled(entry: JobEntry): boolean {
  return entry.ok && entry.job.enabled;
}

/** A run that a person killed says nothing of the job. */
const badOutcomes: ReadonlySet<string> = new Set(['failed', 'timed-out', 'lost']);

function hasStatus(
  parts: JobWithEntry,
  wanted: ReadonlySet<JobStatus>,
  isConcern: (parts: JobWithEntry) => boolean,
): boolean {
  const { entry, fires, state } = parts;
  const isFailing = state !== undefined && badOutcomes.has(state.value.outcome);
  return (
    (wanted.has('quarantined') && !entry.ok) ||
    (wanted.has('paused') && entry.ok && !entry.job.enabled) ||
    (wanted.has('running') && fires.size > 0) ||
    (wanted.has('failing') && entry.ok && isFailing) ||
    (wanted.has('attention') && isConcern(parts)) ||
    (wanted.has('ok') && isEnabled(entry) && !isFailing && !isConcern(parts))
  );
}

type Place = Pick<Ranked, 'key'> & { readonly parts: { readonly name: string } };

function comparison(sort: JobSort): (a: Place, b: Place) => number {
  const sign = sort === '-name' ? -1 : 1;
  return (a, b) => {
    if (a.key !== b.key) return a.key < b.key ? -1 : 1;
    const [left, right] = [a.parts.name, b.parts.name];
    return left === right ? 0 : left < right ? -sign : sign;
  };
}

/** Inserts in order, and drops what falls behind the first `count`. */
function keepSmallest(
  kept: Ranked[],
  next: Ranked,
  count: number,
  order: (a: Place, b: Place) => number,
): void {
  const last = kept.at(-1);
  if (last !== undefined && kept.length >= count && order(next, last) >= 0) return;
  let low = 0;
  let high = kept.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const there = kept[middle];
    if (there !== undefined && order(there, next) < 0) low = middle + 1;
    else high = middle;
  }
  kept.splice(low, 0, next);
  if (kept.length > count) kept.pop();
}

function encodeCursor(sort: JobSort, { parts, key }: Ranked): string {
  const position = [sort, Number.isFinite(key) ? key : null, parts.name];
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

function decodeCursor(cursor: string, sort: JobSort): Place {
  const position = positionOf(cursor);
  if (position?.sort === sort) return { key: position.key, parts: { name: position.name } };
  const expected = 'the nextCursor of an earlier page in the same order, unchanged';
  throw badField(
    'cursor',
    'is not a page cursor of this order',
    expected,
    `"${cursor.slice(0, 60)}"`,
  );
}

function positionOf(
  cursor: string,
): { readonly sort: unknown; readonly key: number; readonly name: string } | undefined {
  let position: unknown;
  try {
    position = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(position) || position.length !== 3) return undefined;
  const [sort, key, name] = position as readonly unknown[];
  if (typeof name !== 'string' || !(key === null || typeof key === 'number')) return undefined;
  return { sort, key: key ?? Infinity, name };
}
