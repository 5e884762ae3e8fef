/** Every read of the console: its key, its path, how long it stays fresh. */
import {
  infiniteQueryOptions,
  keepPreviousData,
  QueryCache,
  queryOptions,
  QueryClient,
} from '@tanstack/react-query';
import { isApiError } from './api-error.ts';
import { queryString, request } from './client.ts';
import { type JobFilter, type RunFilter, runFilterEntries } from './filters.ts';
import type {
  CalendarDetail,
  CalendarList,
  CellList,
  JobDetail,
  JobList,
  Overview,
  RunDetail,
  RunList,
  SchedulePreview,
  WorkerList,
} from './shapes.ts';

/** Hints do the work; this only covers a hint that was lost. */
const fallbackRefetchMs = 20_000;
/** While something shown is under way. */
const openRefetchMs = 3000;

/** `onSilence` is called when the master did not answer at all. */
export function createQueryClient(onSilence: () => void): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({
      onError: (error) => {
        if (isApiError(error, 0)) onSilence();
      },
    }),
    defaultOptions: {
      queries: {
        networkMode: 'always',
        staleTime: 2000,
        gcTime: 5 * 60_000,
        refetchInterval: fallbackRefetchMs,
        retry: (failures, error) => failures < 2 && !(isApiError(error) && !error.transient),
        retryDelay: (failures) => 500 * 2 ** failures,
      },
      mutations: { networkMode: 'always', retry: false },
    },
  });
}

export function jobsQuery(filter: JobFilter) {
  return infiniteQueryOptions({
    queryKey: ['jobs', filter] as const,
    initialPageParam: filter.cursor ?? '',
    queryFn: ({ pageParam, signal }) => {
      const query = queryString([
        ['limit', filter.limit],
        ['q', filter.q],
        ['sort', filter.sort],
        ...filter.groups.map((group) => ['group', group] as const),
        ...filter.statuses.map((status) => ['status', status] as const),
        ['cursor', pageParam],
      ]);
      return request<JobList>(`/jobs${query}`, { signal });
    },
    getNextPageParam: (page) => page.nextCursor,
    placeholderData: keepPreviousData,
  });
}

export function jobQuery(name: string) {
  return queryOptions({
    queryKey: ['job', name] as const,
    queryFn: ({ signal }) => request<JobDetail>(`/jobs/${encodeURIComponent(name)}`, { signal }),
  });
}

export function runsQuery(filter: RunFilter) {
  return infiniteQueryOptions({
    queryKey: ['runs', filter] as const,
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => {
      const query = queryString([
        ['limit', filter.limit],
        ...runFilterEntries(filter),
        ['cursor', pageParam],
      ]);
      return request<RunList>(`/runs${query}`, { signal });
    },
    refetchInterval: ({ state }) =>
      state.data?.pages.some(({ items }) => items.some(({ outcome }) => outcome === undefined))
        ? openRefetchMs
        : fallbackRefetchMs,
    getNextPageParam: (page) => page.nextCursor,
    placeholderData: keepPreviousData,
  });
}

export function runQuery(id: string) {
  return queryOptions({
    queryKey: ['run', id] as const,
    queryFn: ({ signal }) => request<RunDetail>(`/runs/${encodeURIComponent(id)}`, { signal }),
    refetchInterval: ({ state }) =>
      state.data && state.data.outcome === undefined ? openRefetchMs : fallbackRefetchMs,
  });
}

/** Only where there are cells. */
export const cellsQuery = queryOptions({
  queryKey: ['cells'] as const,
  queryFn: ({ signal }) => request<CellList>('/cells', { signal, ofMaster: true }),
  refetchInterval: fallbackRefetchMs,
});

export const workersQuery = queryOptions({
  queryKey: ['workers'] as const,
  queryFn: ({ signal }) => request<WorkerList>('/workers', { signal }),
  refetchInterval: 5000,
});

export const overviewQuery = queryOptions({
  queryKey: ['overview'] as const,
  queryFn: ({ signal }) => request<Overview>('/overview', { signal }),
  refetchInterval: 10_000,
});

export const calendarsQuery = queryOptions({
  queryKey: ['calendars'] as const,
  queryFn: ({ signal }) => request<CalendarList>('/calendars', { signal }),
});

export function calendarQuery(name: string) {
  return queryOptions({
    queryKey: ['calendar', name] as const,
    queryFn: ({ signal }) =>
      request<CalendarDetail>(`/calendars/${encodeURIComponent(name)}`, { signal }),
  });
}

export interface PreviewInput {
  readonly cronExpr: string;
  readonly timezone: string;
  readonly calendars: readonly string[];
}

export function previewQuery(input: PreviewInput) {
  return queryOptions({
    queryKey: ['preview', input] as const,
    queryFn: ({ signal }) =>
      request<SchedulePreview>('/schedule/preview', {
        method: 'POST',
        body: { ...input, count: 10 },
        signal,
      }),
    retry: (failures, error) => failures < 2 && !(isApiError(error) && !error.transient),
    refetchInterval: 60_000,
  });
}
