/** The jobs table's state lives in the address bar, in the API's own words, so links can be shared. */
import type { JobFilter, JobSort, JobStatus } from '../api/filters.ts';

export const jobSorts = [
  'name',
  '-name',
  'nextTick',
  '-nextTick',
  'lastEnded',
  '-lastEnded',
] as const satisfies readonly JobSort[];
export const jobStatuses = [
  'running',
  'failing',
  'paused',
  'quarantined',
  'attention',
  'ok',
] as const satisfies readonly JobStatus[];

const defaultLimit = 50;
const mostPerPage = 500;

/** What is not understood is left out rather than asked of the master, which would refuse it. */
export function readJobFilter(search: URLSearchParams): JobFilter {
  const sort = jobSorts.find((known) => known === search.get('sort')) ?? 'name';
  const limit = Number(search.get('limit') ?? defaultLimit);
  const q = search.get('q');
  const cursor = search.get('cursor');
  return {
    sort,
    groups: search.getAll('group').filter((group) => group !== ''),
    statuses: jobStatuses.filter((status) => search.getAll('status').includes(status)),
    limit: Number.isInteger(limit) && limit >= 1 && limit <= mostPerPage ? limit : defaultLimit,
    ...(q === null || q === '' ? {} : { q }),
    ...(cursor === null || cursor === '' ? {} : { cursor }),
  };
}

/** The address with some of its parameters changed; the cursor belongs to the old list and goes. */
export function changeSearch(
  search: URLSearchParams,
  changes: Readonly<Record<string, string | readonly string[] | undefined>>,
): URLSearchParams {
  const changed = new URLSearchParams(search);
  changed.delete('cursor');
  for (const [name, value] of Object.entries(changes)) {
    changed.delete(name);
    const values = typeof value === 'string' ? [value] : (value ?? []);
    for (const one of values) if (one !== '') changed.append(name, one);
  }
  return changed;
}

export function isFiltered(filter: JobFilter): boolean {
  return filter.q !== undefined || filter.groups.length > 0 || filter.statuses.length > 0;
}
