/**
 * Lists of runs: what the store knows, and the open fires that it does not know yet. Which runs are
 * running is told by etcd alone: the store learns of an end a little later.
 */
import { z } from 'zod';
import { renderGot } from '../../shared/errors.ts';
import type { HistoryStore, RunsPage, RunsQuery } from '../../shared/history/port.ts';
import type { HistoryRow } from '../../shared/history/records.ts';
import { encodeCursor } from '../../shared/history/runs-query.ts';
import { badField } from '../http/problem.ts';
import { rowOfFire, type OpenFires } from './open-fires.ts';

/** So many running rows are looked up in the store for what it knows beyond the claim. */
const maxKnownRunning = 1_000;

type Place = Pick<HistoryRow, 'tick' | 'id'>;

/** Throws `store-unavailable`, and `request-invalid` for a cursor that is none. */
export async function listRuns(
  store: HistoryStore,
  openFires: OpenFires,
  query: RunsQuery,
): Promise<RunsPage> {
  if (isRunningOnly(query)) return listRunning(store, openFires, query);
  const page = await store.listRuns(query);
  const wantsRunning = query.outcomes?.includes('running') ?? true;
  return wantsRunning ? merge(page, matching(openFires, query), query.order ?? 'desc') : page;
}

export function isRunningOnly(query: RunsQuery): boolean {
  return query.outcomes?.every((outcome) => outcome === 'running') === true;
}

/** The open fires, as history would show them; with what the store adds when it is given. */
export async function listRunning(
  store: HistoryStore | undefined,
  openFires: OpenFires,
  query: RunsQuery,
): Promise<RunsPage> {
  const rows = matching(openFires, query).toSorted(byPlace(query.order ?? 'desc'));
  const items = rows.slice(0, query.limit);
  const last = items.at(-1);
  const more =
    rows.length > items.length && last !== undefined ? { nextCursor: encodeCursor(last) } : {};
  if (store === undefined || items.length === 0) return { items, ...more };
  const { cursor: _, ...filter } = query;
  const known = await store.listRuns({
    ...filter,
    outcomes: ['running'],
    limit: maxKnownRunning,
  });
  const knownById = new Map(known.items.map((row) => [row.id, row]));
  return { items: items.map((row) => knownById.get(row.id) ?? row), ...more };
}

/** Open fires that the query asks for, beyond its cursor. */
function matching(openFires: OpenFires, query: RunsQuery): HistoryRow[] {
  const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
  const compare = byPlace(query.order ?? 'desc');
  const rows: HistoryRow[] = [];
  for (const open of openFires.all()) {
    const row = rowOfFire(open);
    if (matches(row, query) && (after === undefined || compare(row, after) > 0)) rows.push(row);
  }
  return rows;
}

function matches({ job, group, worker, tick }: HistoryRow, query: RunsQuery): boolean {
  return (
    (query.jobs?.includes(job) ?? true) &&
    (query.groups?.includes(group) ?? true) &&
    (query.workers?.includes(worker ?? '') ?? true) &&
    tick >= (query.from ?? 0) &&
    tick < (query.to ?? Infinity)
  );
}

/**
 * An open fire that lies within the page and is not on it is unknown to the store. The page grows by
 * them, rather than losing the rows that they would push out.
 */
function merge(page: RunsPage, open: readonly HistoryRow[], order: 'asc' | 'desc'): RunsPage {
  const compare = byPlace(order);
  const known = new Set(page.items.map((row) => row.id));
  const last = page.items.at(-1);
  const isWithin = (row: HistoryRow): boolean =>
    page.nextCursor === undefined || last === undefined || compare(row, last) < 0;
  const added = open.filter((row) => !known.has(row.id) && isWithin(row));
  if (added.length === 0) return page;
  return { ...page, items: [...page.items, ...added].toSorted(compare) };
}

function byPlace(order: 'asc' | 'desc'): (a: Place, b: Place) => number {
  const sign = order === 'asc' ? 1 : -1;
  return (a, b) => sign * (a.tick - b.tick || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

const placeSchema = z.tuple([z.int(), z.string()]);

function decodeCursor(cursor: string): Place {
  let position: unknown;
  try {
    position = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    // Refused below.
  }
  const parsed = placeSchema.safeParse(position);
  if (parsed.success) return { tick: parsed.data[0], id: parsed.data[1] };
  const expected = 'the nextCursor of an earlier page, unchanged';
  throw badField('cursor', 'is not a page cursor', expected, renderGot(cursor));
}
