/** One row of history: a run, or fires that did not run, with the reason. The whole row opens it. */
import { memo } from 'react';
import { Link } from 'wouter';
import type { HistoryRow } from '../../../shared/history/records.ts';
import { formatInstant } from '../format/instant.ts';
import { formatDuration, formatSpan } from '../format/span.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { countedText } from './counted-text.ts';
import { useWhy } from './use-why.ts';
import { OutcomeGlyph } from '../ui/outcome-glyph.tsx';
import { Elapsed, TimeAgo } from '../ui/time.tsx';
import { historyMessages } from './messages.ts';

/** A start later than this after its tick is shown. */
const punctualMs = 1500;

interface RunRowProps {
  readonly row: HistoryRow;
  /** Left out where every row is of the same job. */
  readonly showJob: boolean;
}

export const RunRow = memo(function RunRow({ row, showJob }: RunRowProps) {
  const text = useMessages(historyMessages);
  const common = useMessages(commonMessages);
  const kind = row.outcome ?? 'running';
  // A further attempt is later than its tick by rights.
  const lateMs =
    row.startedAt === undefined || row.cause === 'retry' ? 0 : row.startedAt - row.tick;
  const laterCount = row.excepted?.length ?? 0;
  const why = useWhy()(row);
  const path = `/runs/${encodeURIComponent(row.id)}`;
  return (
    <>
      <span className="run-glyph" role="cell">
        <OutcomeGlyph kind={kind} />
      </span>
      <div className="run-outcome" role="cell">
        <Link className="row-link plain" href={path} data-row-link>
          <span className={`word ${kind}`}>{common.outcome[kind]}</span>
        </Link>
        {why !== undefined && (
          <span className="sub-line" title={why}>
            {why}
          </span>
        )}
      </div>
      {showJob && (
        <div className="run-job" role="cell">
          <Link className="over clip" href={`/jobs/${encodeURIComponent(row.job)}`}>
            {row.job}
          </Link>
        </div>
      )}
      <div className="run-due num" role="cell">
        <span>{formatInstant(row.tick)}</span>
        <span className="sub-line">
          <TimeAgo at={row.tick} />
          {lateMs > punctualMs && ` · ${text.late(formatSpan(lateMs))}`}
          {row.count !== undefined && row.count > 1 && ` · ${text.fires(row.count)}`}
          {laterCount > 0 && ` · ${text.runLater(laterCount)}`}
          {row.excluded !== undefined && ` · ${text.excluded(countedText(row.excluded))}`}
        </span>
      </div>
      <div className="run-took num" role="cell">
        <Took row={row} />
      </div>
      <div className="run-worker clip" role="cell">
        {row.worker}
      </div>
      <div className="run-why" role="cell">
        {common.cause[row.cause]}
        {row.attempt !== undefined && row.attempt > 1 && (
          <span className="sub-line">{text.attempt(row.attempt)}</span>
        )}
      </div>
    </>
  );
});

function Took({ row }: { readonly row: HistoryRow }) {
  if (row.kind === 'not-run' || row.startedAt === undefined)
    return <span className="muted">–</span>;
  if (row.endedAt === undefined) return <Elapsed since={row.startedAt} />;
  return formatDuration(row.endedAt - row.startedAt);
}
