/** One run: how it ended and why, where and when, and everything it wrote. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { useJobActions } from '../actions/use-job-actions.ts';
import { isApiError } from '../api/api-error.ts';
import { runQuery } from '../api/queries.ts';
import type { RunDetail } from '../api/shapes.ts';
import { useWhy } from '../history/use-why.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { EmptyState } from '../ui/empty-state.tsx';
import { ErrorPanel } from '../ui/error-panel.tsx';
import { Icon } from '../ui/icon.tsx';
import { OutcomeGlyph } from '../ui/outcome-glyph.tsx';
import { SkeletonBlock } from '../ui/skeleton.tsx';
import { TimeAgo } from '../ui/time.tsx';
import { usePageTitle } from '../ui/use-page-title.ts';
import { runMessages } from './messages.ts';
import { createOutputFeed } from './output-feed.ts';
import { OutputView } from './output-view.tsx';
import { RunFacts } from './run-facts.tsx';
import './run-page.css';

/** Of larger outputs only the end is fetched; all of it can be downloaded. */
const mostBytesShown = 16 * 1024 * 1024;

export function RunPage({ id }: { readonly id: string }) {
  const text = useMessages(runMessages);
  const { data: run, error, refetch } = useQuery(runQuery(id));
  usePageTitle(run ? `${run.job} · ${text.run}` : text.run);
  if (!run) {
    if (isApiError(error, 404)) {
      return (
        <EmptyState page title={text.gone} text={text.goneText}>
          <Link className="button primary" href="/runs">
            {text.allRuns}
          </Link>
        </EmptyState>
      );
    }
    if (error) return <ErrorPanel error={error} onRetry={() => void refetch()} />;
    return <SkeletonBlock height={480} />;
  }
  return (
    <div className="run-page">
      <RunHead run={run} />
      <RunFacts run={run} />
      {run.kind === 'run' ? (
        <Output run={run} />
      ) : (
        <p className="panel run-none muted">{text.nothingRan}</p>
      )}
    </div>
  );
}

function RunHead({ run }: { readonly run: RunDetail }) {
  const text = useMessages(runMessages);
  const common = useMessages(commonMessages);
  const actions = useJobActions();
  const why = useWhy()(run);
  const kind = run.outcome ?? 'running';
  const open = run.outcome === undefined;
  const jobPath = `/jobs/${encodeURIComponent(run.job)}`;
  return (
    <header className="detail-head">
      <Link className="button square quiet" href={jobPath} aria-label={run.job} title={run.job}>
        <Icon name="back" />
      </Link>
      <OutcomeGlyph kind={kind} size={26} />
      <div className="detail-title">
        <h1>
          <Link href={jobPath}>{run.job}</Link>
        </h1>
        <p>
          <b className={`word ${kind}`} data-testid="run-outcome" data-outcome={kind}>
            {common.outcome[kind]}
          </b>
          {why !== undefined && <span className="run-reason"> — {why}</span>}
          <OrderNote run={run} />
        </p>
      </div>
      <div className="detail-actions">
        {open && (
          <button
            type="button"
            className="button danger"
            data-testid="kill"
            disabled={run.order !== undefined}
            onClick={() => void actions.killOne(run.id, run.job)}
          >
            <Icon name="stop" size={14} />
            {run.order === undefined ? common.kill : common.killing}
          </button>
        )}
        <button
          type="button"
          className="button"
          data-testid="run-again"
          onClick={() => void actions.run(run.job)}
        >
          <Icon name="play" size={14} />
          {run.kind === 'run' ? text.runAgain : common.runNow}
        </button>
      </div>
    </header>
  );
}

/** What became of an order to kill, for as long as the run is open. */
function OrderNote({ run }: { readonly run: RunDetail }) {
  const text = useMessages(runMessages);
  const { order, outcome, worker = '' } = run;
  const [seen, setSeen] = useState(order);
  if (order !== undefined && order.orderId !== seen?.orderId) setSeen(order);
  if (outcome !== undefined || seen === undefined) return null;
  if (order === undefined) {
    return (
      <span className="run-reason"> — {run.open ? text.unanswered(worker) : text.ending}</span>
    );
  }
  return (
    <span className="run-reason" data-testid="kill-order">
      {' — '}
      {text.ordered(order.by)}
      {order.at !== undefined && (
        <>
          {', '}
          <TimeAgo at={order.at} />
        </>
      )}
      {'; '}
      {order.workerAlive ? text.waitingFor(worker) : text.workerGone(worker)}
    </span>
  );
}

function Output({ run }: { readonly run: RunDetail }) {
  const queryClient = useQueryClient();
  const { id } = run;
  // Decided once: a run that grows while it is watched is watched from where it began.
  const [from] = useState(() => Math.max(0, (run.outputBytes ?? 0) - mostBytesShown));
  const [feed] = useState(() =>
    createOutputFeed(id, from, () => {
      void queryClient.invalidateQueries({ queryKey: runQuery(id).queryKey });
    }),
  );
  useEffect(() => {
    feed.start();
    return () => feed.stop();
  }, [feed]);
  return (
    <OutputView
      runId={id}
      feed={feed}
      open={run.outcome === undefined}
      leftOutBytes={from}
      shownBytes={mostBytesShown}
      truncated={run.outputTruncated === true}
      cut={run.outputCut === true}
    />
  );
}
