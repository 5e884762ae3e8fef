/** Everything that ran, and every fire that did not: by job, outcome and worker. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useCallback, useState } from 'react';
import { Link, useSearchParams } from 'wouter';
import { apiUrl } from '../api/cell.ts';
import type { RunFilter } from '../api/filters.ts';
import { jobsQuery, runsQuery, workersQuery } from '../api/queries.ts';
import { historyMessages } from '../history/messages.ts';
import { RunTable } from '../history/run-table.tsx';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { formatInstant } from '../format/instant.ts';
import { changeSearch } from '../jobs/job-filter.ts';
import { shownOutcomes } from '../outcomes.ts';
import { CopyCommand } from '../ui/copy-command.tsx';
import { EmptyState } from '../ui/empty-state.tsx';
import { ErrorPanel } from '../ui/error-panel.tsx';
import { Icon } from '../ui/icon.tsx';
import { OutcomeGlyph } from '../ui/outcome-glyph.tsx';
import { SkeletonRows } from '../ui/skeleton.tsx';
import { usePageTitle } from '../ui/use-page-title.ts';
import { useSettled } from '../use-settled.ts';
import { ExportLinks } from './export-links.tsx';
import './runs-page.css';

const pageSize = 50;

function readRunFilter(search: URLSearchParams): RunFilter {
  const asked = search.getAll('outcome');
  const [from, to] = [instantOf(search, 'from'), instantOf(search, 'to')];
  return {
    jobs: search.getAll('job').filter((job) => job !== ''),
    workers: search.getAll('worker').filter((worker) => worker !== ''),
    outcomes: shownOutcomes.filter((outcome) => asked.includes(outcome)),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    limit: pageSize,
  };
}

/** Epoch ms; what is none is passed over. */
function instantOf(search: URLSearchParams, name: string): number | undefined {
  const text = search.get(name) ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

export function RunsPage() {
  const text = useMessages(historyMessages);
  usePageTitle(text.title);
  const common = useMessages(commonMessages);
  const [search, setSearch] = useSearchParams();
  const filter = readRunFilter(search);
  const runs = useInfiniteQuery(runsQuery(filter));
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = runs;
  const rows = data?.pages.flatMap((page) => page.items) ?? [];
  const timed = filter.from !== undefined || filter.to !== undefined;
  const filtered = timed || filter.jobs.length + filter.workers.length + filter.outcomes.length > 0;

  const onChange = useCallback(
    (changes: Readonly<Record<string, string | readonly string[] | undefined>>) => {
      setSearch((current) => changeSearch(current, changes), { replace: true });
    },
    [setSearch],
  );
  const onMore = useCallback(() => {
    if (!isFetchingNextPage) void fetchNextPage();
  }, [isFetchingNextPage, fetchNextPage]);

  return (
    <>
      <header className="page-head">
        <h1>{text.title}</h1>
        <ExportLinks filter={filter} />
      </header>
      <div className="toolbar">
        <JobFilterField
          key={filter.jobs.join(' ')}
          value={filter.jobs[0] ?? ''}
          onChange={(job) => onChange({ job })}
        />
        <WorkerSelect value={filter.workers[0] ?? ''} onChange={(worker) => onChange({ worker })} />
        <div className="segments" role="group" aria-label={text.outcomeLabel}>
          <button
            type="button"
            aria-pressed={filter.outcomes.length === 0}
            onClick={() => onChange({ outcome: undefined })}
          >
            {text.all}
          </button>
          {shownOutcomes.map((outcome) => {
            const on = filter.outcomes.includes(outcome);
            return (
              <button
                type="button"
                key={outcome}
                aria-pressed={on}
                onClick={() =>
                  onChange({
                    outcome: on
                      ? filter.outcomes.filter((other) => other !== outcome)
                      : [...filter.outcomes, outcome],
                  })
                }
              >
                <OutcomeGlyph kind={outcome} size={13} />
                {common.outcome[outcome]}
              </button>
            );
          })}
        </div>
        {timed && (
          <WindowChip
            from={filter.from}
            to={filter.to}
            onClear={() => onChange({ from: undefined, to: undefined })}
          />
        )}
      </div>
      {runs.isError && !data && (
        <ErrorPanel error={runs.error} onRetry={() => void runs.refetch()} />
      )}
      {runs.isPending && <SkeletonRows rows={10} />}
      {data && rows.length === 0 && (
        <NoRuns
          filtered={filtered}
          onClear={() =>
            onChange({
              job: undefined,
              worker: undefined,
              outcome: undefined,
              from: undefined,
              to: undefined,
            })
          }
        />
      )}
      {rows.length > 0 && (
        <RunTable
          rows={rows}
          scope={JSON.stringify(filter)}
          showJob
          hasMore={hasNextPage}
          loadingMore={isFetchingNextPage}
          onMore={onMore}
        />
      )}
    </>
  );
}

/** The window of time that a link led to. */
function WindowChip({
  from,
  to,
  onClear,
}: {
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly onClear: () => void;
}) {
  const text = useMessages(historyMessages);
  const words =
    from === undefined
      ? text.windowTo(formatInstant(to ?? 0))
      : to === undefined
        ? text.windowFrom(formatInstant(from))
        : text.window(formatInstant(from), formatInstant(to));
  return (
    <span className="window-chip num" data-testid="window-chip">
      {words}
      <button
        type="button"
        className="button square small quiet"
        aria-label={text.anyTime}
        title={text.anyTime}
        onClick={onClear}
      >
        <Icon name="close" size={12} />
      </button>
    </span>
  );
}

/** A job's whole name; what is typed is completed from the jobs that match it. */
function JobFilterField({
  value,
  onChange,
}: {
  readonly value: string;
  readonly onChange: (job: string) => void;
}) {
  const text = useMessages(historyMessages);
  const [draft, setDraft] = useState(value);
  const settled = useSettled(draft, 200);
  const { data } = useInfiniteQuery(
    jobsQuery({
      sort: 'name',
      groups: [],
      statuses: [],
      limit: 20,
      ...(settled === '' ? {} : { q: settled }),
    }),
  );
  const names = data?.pages[0]?.items.map(({ name }) => name) ?? [];
  return (
    <form
      className="job-filter"
      onSubmit={(event) => {
        event.preventDefault();
        onChange(draft.trim());
      }}
    >
      <input
        type="search"
        className="input"
        data-search
        data-testid="job-filter"
        list="job-names"
        aria-label={text.jobLabel}
        placeholder={text.anyJob}
        spellCheck={false}
        autoComplete="off"
        value={draft}
        onChange={(event) => {
          setDraft(event.target.value);
          // A choice from the list, or an emptied field, is an answer; the rest waits for Enter.
          if (event.target.value === '' || names.includes(event.target.value)) {
            onChange(event.target.value);
          }
        }}
        onBlur={() => {
          if (draft.trim() !== value) onChange(draft.trim());
        }}
      />
      <datalist id="job-names">
        {names.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </datalist>
    </form>
  );
}

function WorkerSelect({
  value,
  onChange,
}: {
  readonly value: string;
  readonly onChange: (worker: string) => void;
}) {
  const text = useMessages(historyMessages);
  const { data } = useQuery(workersQuery);
  const ids = data?.items.map(({ id }) => id) ?? [];
  return (
    <select
      className="input group-select"
      aria-label={text.workerLabel}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    >
      <option value="">{text.anyWorker}</option>
      {value !== '' && !ids.includes(value) && <option value={value}>{value}</option>}
      {ids.map((id) => (
        <option key={id} value={id}>
          {id}
        </option>
      ))}
    </select>
  );
}

function NoRuns({
  filtered,
  onClear,
}: {
  readonly filtered: boolean;
  readonly onClear: () => void;
}) {
  const text = useMessages(historyMessages);
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
  return (
    <EmptyState title={text.emptyTitle} text={text.emptyText}>
      <Link className="button primary" href="/">
        {text.toJobs}
      </Link>
      <CopyCommand
        label={text.emptyCommand}
        command={`curl -X POST ${apiUrl()}/jobs/hello/run -H 'content-type: application/json' -d '{}'`}
      />
    </EmptyState>
  );
}
