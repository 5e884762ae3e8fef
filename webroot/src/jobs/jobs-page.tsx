/**
 * The first room: is everything all right, and every job with when it fires next and how it went.
 * The list is the master's: filtered, sorted and cut there, fetched page by page while scrolling.
 */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useCallback, useEffect } from 'react';
import { Link, useSearchParams } from 'wouter';
import { useJobActions } from '../actions/use-job-actions.ts';
import { apiUrl } from '../api/cell.ts';
import type { JobSort } from '../api/filters.ts';
import { jobsQuery, overviewQuery } from '../api/queries.ts';
import type { JobListItem } from '../api/shapes.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { CopyCommand } from '../ui/copy-command.tsx';
import { EmptyState } from '../ui/empty-state.tsx';
import { ErrorPanel } from '../ui/error-panel.tsx';
import { Icon } from '../ui/icon.tsx';
import { SkeletonRows } from '../ui/skeleton.tsx';
import { useHeldOrder } from '../ui/use-held.ts';
import { usePageTitle } from '../ui/use-page-title.ts';
import { VirtualList } from '../ui/virtual-list.tsx';
import { changeSearch, isFiltered, readJobFilter } from './job-filter.ts';
import { JobRow } from './job-row.tsx';
import { JobsToolbar } from './jobs-toolbar.tsx';
import { lastJobsPath } from './last-view.ts';
import { jobsMessages } from './messages.ts';
import { Verdict } from './verdict.tsx';
import './jobs-page.css';
import './job-cards.css';

const nameOf = (job: JobListItem): string => job.name;

export function JobsPage() {
  const text = useMessages(jobsMessages);
  const common = useMessages(commonMessages);
  const [search, setSearch] = useSearchParams();
  const filter = readJobFilter(search);
  const scope = JSON.stringify(filter);
  const query = search.toString();
  usePageTitle(text.title);
  useEffect(() => lastJobsPath.set(query === '' ? '/' : `/?${query}`), [query]);
  const actions = useJobActions();
  const { data: overview } = useQuery(overviewQuery);
  const jobs = useInfiniteQuery(jobsQuery(filter));
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = jobs;
  const fresh = data?.pages.flatMap((page) => page.items) ?? [];
  const { items, gone, waiting, handlers } = useHeldOrder(fresh, scope, nameOf);
  const firstPage = data?.pages[0];

  const onChange = useCallback(
    (changes: Readonly<Record<string, string | readonly string[] | undefined>>) => {
      setSearch((current) => changeSearch(current, changes), { replace: true });
    },
    [setSearch],
  );
  const onEndNear = useCallback(() => {
    if (!isFetchingNextPage) void fetchNextPage();
  }, [isFetchingNextPage, fetchNextPage]);

  return (
    <>
      <header className="page-head">
        <h1>{text.title}</h1>
        <Verdict />
        <Link className="button primary" href="/jobs/new" data-testid="new-job">
          <Icon name="plus" size={14} />
          {text.newJob}
        </Link>
      </header>
      <JobsToolbar
        filter={filter}
        groups={firstPage?.facets.groups.filter(({ value }) => value !== '') ?? []}
        overview={overview}
        onChange={onChange}
      />
      {filter.cursor !== undefined && (
        <p className="muted list-note">
          {text.fromMiddle}{' '}
          <button type="button" className="text-button" onClick={() => onChange({})}>
            {text.toStart}
          </button>
        </p>
      )}
      {jobs.isError && !data && (
        <ErrorPanel error={jobs.error} onRetry={() => void jobs.refetch()} />
      )}
      {jobs.isPending && <SkeletonRows rows={8} />}
      {data && items.length === 0 && (
        <NoJobs filtered={isFiltered(filter)} onClear={() => onChange(cleared)} />
      )}
      {data && items.length > 0 && (
        <div
          className={jobs.isPlaceholderData ? 'jobs-table panel old' : 'jobs-table panel'}
          role="table"
          aria-label={text.tableLabel}
          aria-rowcount={(firstPage?.total ?? items.length) + 1}
          {...handlers}
        >
          <TableHead sort={filter.sort} onChange={onChange} />
          <VirtualList
            items={items}
            idOf={nameOf}
            estimatedHeight={57}
            rowClass={(job) =>
              `job-row ${job.enabled || job.quarantined ? '' : 'paused'} ${gone.has(job.name) ? 'gone' : ''}`
            }
            rowTestId={(job) => `job-row-${job.name}`}
            renderRow={(job) => <JobRow job={job} actions={actions} />}
            hasMore={hasNextPage}
            onEndNear={onEndNear}
          />
        </div>
      )}
      {data && items.length > 0 && (
        <footer className="list-foot muted num">
          {text.shown(items.length, firstPage?.total ?? items.length)}
          {waiting > 0 && ` · ${text.waiting(waiting)}`}
          {hasNextPage && (
            <button type="button" className="button small" onClick={onEndNear}>
              {isFetchingNextPage ? common.loading : common.loadMore}
            </button>
          )}
        </footer>
      )}
    </>
  );
}

const cleared = { q: undefined, group: undefined, status: undefined };

function TableHead({
  sort,
  onChange,
}: {
  readonly sort: JobSort;
  readonly onChange: (changes: Readonly<Record<string, string | undefined>>) => void;
}) {
  const { column } = useMessages(jobsMessages);
  const sortable = (label: string, up: JobSort, down: JobSort, first: JobSort) => {
    const current = sort === up ? 'ascending' : sort === down ? 'descending' : 'none';
    const next = sort === first ? (first === up ? down : up) : first;
    return (
      <div role="columnheader" aria-sort={current}>
        <button
          type="button"
          className="sort-button"
          onClick={() => onChange({ sort: next === 'name' ? undefined : next })}
        >
          {label}
          {current !== 'none' && <Icon name={current === 'ascending' ? 'up' : 'down'} size={12} />}
        </button>
      </div>
    );
  };
  return (
    <div className="jobs-head" role="row" aria-rowindex={1}>
      <div role="columnheader">
        <span className="sr-only">{column.status}</span>
      </div>
      {sortable(column.job, 'name', '-name', 'name')}
      <div role="columnheader">{column.schedule}</div>
      {sortable(column.next, 'nextTick', '-nextTick', 'nextTick')}
      <div role="columnheader" className="job-strip">
        {column.strip}
      </div>
      {sortable(column.last, 'lastEnded', '-lastEnded', '-lastEnded')}
      <div role="columnheader">
        <span className="sr-only">{column.actions}</span>
      </div>
    </div>
  );
}

const exampleJob = '{"name":"hello","command":"echo hi","cronExpr":"*/5 * * * * *"}';

function NoJobs({
  filtered,
  onClear,
}: {
  readonly filtered: boolean;
  readonly onClear: () => void;
}) {
  const text = useMessages(jobsMessages);
  const common = useMessages(commonMessages);
  if (filtered) {
    return (
      <EmptyState title={text.noMatchTitle} text={text.noMatchText}>
        <button type="button" className="button" onClick={onClear}>
          {common.clearFilters}
        </button>
      </EmptyState>
    );
  }
  const curl = [
    `curl -X PUT ${apiUrl()}/jobs/hello \\`,
    `  -H 'content-type: application/json' -H 'if-none-match: *' \\`,
    `  -d '${exampleJob}'`,
  ].join('\n');
  return (
    <EmptyState title={text.emptyTitle} text={text.emptyText}>
      <Link className="button primary" href="/jobs/new">
        <Icon name="plus" size={14} />
        {text.newJob}
      </Link>
      <CopyCommand label={text.emptyCurl} command={curl} />
      <CopyCommand
        label={text.emptyEtcd}
        command={`etcdctl put /cron/jobs/hello '${exampleJob}'`}
      />
    </EmptyState>
  );
}
