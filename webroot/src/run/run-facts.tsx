/** Times, place and cause of a run, or the span of fires that did not run. */
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { HistoryRow } from '../../../shared/history/records.ts';
import { formatBytes } from '../format/bytes.ts';
import { formatInstant } from '../format/instant.ts';
import { formatDuration, formatSpan } from '../format/span.ts';
import { countedText } from '../history/counted-text.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { Elapsed, TimeAgo } from '../ui/time.tsx';
import { runMessages } from './messages.ts';

/** Starting later than this after the tick is worth saying in so many words. */
const punctualMs = 1000;

export function RunFacts({ run }: { readonly run: HistoryRow }) {
  return (
    <section className="run-facts panel">
      <dl>{run.kind === 'run' ? <RanFacts run={run} /> : <SpanFacts run={run} />}</dl>
      {run.command !== undefined && <pre className="run-command scroll-box">{run.command}</pre>}
      {run.lateResult && <LateResult late={run.lateResult} />}
    </section>
  );
}

function RanFacts({ run }: { readonly run: HistoryRow }) {
  const text = useMessages(runMessages);
  const common = useMessages(commonMessages);
  const { startedAt, endedAt, exitCode, signal, outputBytes } = run;
  return (
    <>
      <Fact name={run.cause === 'manual' ? text.asked : text.due} title={formatInstant(run.tick)}>
        {formatInstant(run.tick)}
      </Fact>
      {startedAt !== undefined && (
        <Fact
          name={text.started}
          title={formatInstant(startedAt)}
          note={lateness(startedAt - run.tick, text)}
        >
          <TimeAgo at={startedAt} />
        </Fact>
      )}
      {startedAt !== undefined && endedAt === undefined && (
        <Fact name={text.soFar}>
          <Elapsed since={startedAt} />
        </Fact>
      )}
      {endedAt !== undefined && (
        <Fact name={text.ended} title={formatInstant(endedAt)}>
          <TimeAgo at={endedAt} />
        </Fact>
      )}
      {startedAt !== undefined && endedAt !== undefined && (
        <Fact name={text.took}>{formatDuration(endedAt - startedAt)}</Fact>
      )}
      {(exitCode !== undefined || signal !== undefined) && (
        <Fact name={text.exit}>
          {signal === undefined ? text.exitCode(exitCode ?? 0) : text.signal(signal)}
        </Fact>
      )}
      {run.worker !== undefined && (
        <Fact name={text.worker}>
          <Link className="link" href={`/runs?worker=${encodeURIComponent(run.worker)}`}>
            {run.worker}
          </Link>
        </Fact>
      )}
      <Fact name={text.cause} {...(run.by === undefined ? {} : { note: text.by(run.by) })}>
        {common.cause[run.cause]}
      </Fact>
      {run.attempt !== undefined && run.attempt > 1 && (
        <Fact name={text.attempt}>{run.attempt}</Fact>
      )}
      {outputBytes !== undefined && <Fact name={text.output}>{formatBytes(outputBytes)}</Fact>}
      {run.fence !== undefined && (
        <Fact name={text.fence} title={text.fenceTitle}>
          <code>{run.fence}</code>
        </Fact>
      )}
      <Fact name={text.id} title={run.id}>
        <code className="run-id">{run.id}</code>
      </Fact>
    </>
  );
}

function SpanFacts({ run }: { readonly run: HistoryRow }) {
  const text = useMessages(runMessages);
  const common = useMessages(commonMessages);
  const { fromTick } = run;
  const isSpan = fromTick !== undefined && (run.count !== 1 || (run.excepted?.length ?? 0) > 0);
  return (
    <>
      {isSpan ? (
        <Fact name={text.due}>
          {text.spanText(formatInstant(fromTick), formatInstant(run.tick))}
        </Fact>
      ) : (
        <Fact name={text.due}>{formatInstant(run.tick)}</Fact>
      )}
      {isSpan && run.count !== undefined && (
        <Fact name={common.outcome[run.outcome ?? 'missed']}>
          {text.spanOf(countedText(run.count))}
        </Fact>
      )}
      {run.excepted !== undefined && run.excepted.length > 0 && (
        <Fact name={text.runLater}>{text.spanOf(countedText(run.excepted.length))}</Fact>
      )}
      {run.excluded !== undefined && (
        <Fact name={text.excluded}>{text.spanOf(countedText(run.excluded))}</Fact>
      )}
      <Fact name={text.cause}>{common.cause[run.cause]}</Fact>
      {run.worker !== undefined && <Fact name={text.worker}>{run.worker}</Fact>}
    </>
  );
}

function LateResult({ late }: { readonly late: NonNullable<HistoryRow['lateResult']> }) {
  const text = useMessages(runMessages);
  const common = useMessages(commonMessages);
  return (
    <p className="run-late">
      {text.lateTitle} <b className={`word ${late.outcome}`}>{common.outcome[late.outcome]}</b>,{' '}
      {formatInstant(late.endedAt)}
      {late.exitCode !== undefined && `, ${text.exitCode(late.exitCode)}`}
    </p>
  );
}

function lateness(ms: number, text: (typeof runMessages)['en']): string {
  if (ms < punctualMs) return text.onTime;
  return text.late(ms < 10_000 ? formatDuration(ms) : formatSpan(ms));
}

interface FactProps {
  readonly name: string;
  readonly title?: string;
  readonly note?: string;
  readonly children: ReactNode;
}

function Fact({ name, title, note, children }: FactProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className="num" title={title}>
        {children}
        {note !== undefined && <small>{note}</small>}
      </dd>
    </div>
  );
}
