/** One job: what it is, when it fires next, how it went, and everything one can do to it. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useCallback } from 'react';
import { Link, useLocation } from 'wouter';
import { useJobActions } from '../actions/use-job-actions.ts';
import { isApiError } from '../api/api-error.ts';
import { jobQuery, runsQuery } from '../api/queries.ts';
import type { JobDetail } from '../api/shapes.ts';
import { RunTable } from '../history/run-table.tsx';
import { useLastJobsPath } from '../jobs/last-view.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { EmptyState } from '../ui/empty-state.tsx';
import { ErrorPanel } from '../ui/error-panel.tsx';
import { Icon } from '../ui/icon.tsx';
import { type GlyphKind, OutcomeGlyph } from '../ui/outcome-glyph.tsx';
import { RunStrip } from '../ui/run-strip.tsx';
import { SkeletonBlock, SkeletonRows } from '../ui/skeleton.tsx';
import { Countdown } from '../ui/time.tsx';
import { usePageTitle } from '../ui/use-page-title.ts';
import { JobSide } from './job-side.tsx';
import { jobMessages } from './messages.ts';
import './job-page.css';

const JobNumbers = lazy(async () => ({ default: (await import('./job-numbers.tsx')).JobNumbers }));

export function JobPage({ name }: { readonly name: string }) {
  const text = useMessages(jobMessages);
  usePageTitle(name);
  const { data, error, refetch } = useQuery(jobQuery(name));
  if (isApiError(error, 404)) {
    return (
      <EmptyState page title={text.goneTitle(name)} text={text.goneText}>
        <Link className="button primary" href="/">
          {text.allJobs}
        </Link>
        <Link className="button" href={`/runs?job=${encodeURIComponent(name)}`}>
          {text.history}
        </Link>
      </EmptyState>
    );
  }
  if (!data) {
    return (
      <>
        <header className="page-head">
          <h1>{name}</h1>
        </header>
        {error ? (
          <ErrorPanel error={error} onRetry={() => void refetch()} />
        ) : (
          <SkeletonBlock height={420} />
        )}
      </>
    );
  }
  return (
    <div className="job-page">
      <JobHead name={name} detail={data} />
      <JobSide detail={data} />
      <Suspense fallback={<NumbersPlace />}>
        <JobNumbers job={name} zone={data.job?.timezone ?? 'UTC'} />
      </Suspense>
      <JobRuns name={name} broken={data.job === undefined} />
    </div>
  );
}

/** As high as what comes, so that nothing moves. */
function NumbersPlace() {
  return (
    <div className="job-numbers-place">
      <SkeletonBlock height={324} />
    </div>
  );
}

function JobHead({ name, detail }: { readonly name: string; readonly detail: JobDetail }) {
  const text = useMessages(jobMessages);
  const common = useMessages(commonMessages);
  const [, navigate] = useLocation();
  const back = useLastJobsPath();
  const actions = useJobActions();
  const { job, revision, running, nextTicks } = detail;
  const path = `/jobs/${encodeURIComponent(name)}`;
  const ref = { name, revision };
  const next = nextTicks[0];
  const killing = running.every(({ order }) => order !== undefined);
  return (
    <header className="detail-head">
      <Link
        className="button square quiet"
        href={back}
        aria-label={text.allJobs}
        title={text.allJobs}
      >
        <Icon name="back" />
      </Link>
      <OutcomeGlyph kind={glyphOf(detail)} size={26} />
      <div className="detail-title">
        <h1>{name}</h1>
        <p className="job-state">
          {running.length > 0 && <b className="word running">{text.running(running.length)}</b>}
          {!job ? (
            <span className="word failed">{text.state.quarantined}</span>
          ) : !job.enabled ? (
            <span className="muted">{text.state.paused}</span>
          ) : detail.attention[0] !== undefined ? (
            <span className="word failed">{detail.attention[0]}</span>
          ) : next === undefined ? (
            <span className="muted">{text.state.exhausted}</span>
          ) : (
            <span className="muted">
              {text.nextIn} <Countdown at={next} zone={job.timezone} />
            </span>
          )}
          {job && job.group !== 'default' && (
            <Link className="chip" href={`/?group=${encodeURIComponent(job.group)}`}>
              {job.group}
            </Link>
          )}
        </p>
      </div>
      <div className="detail-actions">
        {running.length > 0 && (
          <button
            type="button"
            className="button danger"
            data-testid="kill"
            disabled={killing}
            onClick={() => void actions.killAll(name)}
          >
            <Icon name="stop" size={14} />
            {killing ? common.killing : common.kill}
          </button>
        )}
        {job && (
          <button
            type="button"
            className="button primary"
            data-testid="run-now"
            onClick={() => void actions.run(name)}
          >
            <Icon name="play" size={14} />
            {common.runNow}
          </button>
        )}
        {job &&
          (job.enabled ? (
            <button
              type="button"
              className="button"
              data-testid="pause"
              onClick={() => void actions.pause(ref)}
            >
              <Icon name="pause" size={14} />
              {common.pause}
            </button>
          ) : (
            <button
              type="button"
              className="button"
              data-testid="resume"
              onClick={() => void actions.resume(ref)}
            >
              <Icon name="resume" size={14} />
              {common.resume}
            </button>
          ))}
        <Link className="button" href={`${path}/edit`} data-testid="edit">
          <Icon name="edit" size={14} />
          {job ? common.edit : text.mend}
        </Link>
        <button
          type="button"
          className="button square"
          aria-label={common.delete}
          title={common.delete}
          data-testid="delete"
          onClick={() => {
            void actions.remove(ref).then((deleted) => {
              if (deleted) navigate(back);
            });
          }}
        >
          <Icon name="trash" />
        </button>
      </div>
    </header>
  );
}

const pageSize = 50;

function JobRuns({ name, broken }: { readonly name: string; readonly broken: boolean }) {
  const text = useMessages(jobMessages);
  const filter = { jobs: [name], outcomes: [], workers: [], limit: pageSize };
  const runs = useInfiniteQuery(runsQuery(filter));
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = runs;
  const rows = data?.pages.flatMap((page) => page.items) ?? [];
  const onMore = useCallback(() => {
    if (!isFetchingNextPage) void fetchNextPage();
  }, [isFetchingNextPage, fetchNextPage]);
  return (
    <section className="job-runs">
      <header className="section-head">
        <h2>{text.recent}</h2>
        {rows.length > 0 && <RunStrip rows={rows} slots={pageSize} />}
        <Link className="link" href={`/runs?job=${encodeURIComponent(name)}`}>
          {text.all}
        </Link>
      </header>
      {runs.isError && !data && (
        <ErrorPanel error={runs.error} onRetry={() => void runs.refetch()} />
      )}
      {runs.isPending && <SkeletonRows rows={5} />}
      {data && rows.length === 0 && (
        <div className="panel">
          <EmptyState title={text.emptyTitle} text={broken ? text.emptyBroken : text.emptyText} />
        </div>
      )}
      {rows.length > 0 && (
        <RunTable
          rows={rows}
          scope={name}
          showJob={false}
          hasMore={hasNextPage}
          loadingMore={isFetchingNextPage}
          onMore={onMore}
        />
      )}
    </section>
  );
}

function glyphOf({ job, running, state, attention }: JobDetail): GlyphKind {
  if (!job) return 'quarantined';
  if (running.length > 0) return 'running';
  if (!job.enabled) return 'paused';
  if (attention.length > 0) return 'quarantined';
  return state?.outcome ?? 'none';
}
