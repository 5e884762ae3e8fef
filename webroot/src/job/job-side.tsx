/** What the job is: its schedule with the next fires, and its definition; or why it is not one. */
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { Job } from '../../../shared/job/definition.ts';
import type { JobDetail } from '../api/shapes.ts';
import { formatBytes } from '../format/bytes.ts';
import { formatCount } from '../format/count.ts';
import { fireRows } from '../format/fire-rows.ts';
import { formatClock, formatDay, localZone } from '../format/instant.ts';
import { writeDays, writeSeconds } from '../format/parse-span.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { Icon } from '../ui/icon.tsx';
import { Countdown } from '../ui/time.tsx';
import { jobMessages, type JobMessages } from './messages.ts';

/** Fires and what is passed over between them. */
const mostRows = 9;

export function JobSide({ detail }: { readonly detail: JobDetail }) {
  return (
    <aside className="job-side">
      {detail.job ? (
        <>
          <ScheduleCard job={detail.job} detail={detail} />
          <DefinitionCard job={detail.job} revision={detail.revision} />
        </>
      ) : (
        <QuarantineCard detail={detail} />
      )}
    </aside>
  );
}

function ScheduleCard({ job, detail }: { readonly job: Job; readonly detail: JobDetail }) {
  const text = useMessages(jobMessages);
  const elsewhere = job.timezone !== localZone;
  const rows = fireRows(
    detail.nextTicks.map((tick) => ({ tick })),
    detail.excluded,
  ).slice(0, mostRows);
  return (
    <section className="card panel">
      <h2>{text.schedule}</h2>
      <p className="card-lead">{detail.scheduleText}</p>
      <p className="muted">
        <code>{job.cronExpr}</code> <span className="zone">{job.timezone}</span>
      </p>
      {detail.attention.length > 0 && (
        <div className="job-attention" role="alert" data-testid="attention">
          <Icon name="alert" size={14} />
          <div>
            <b>{text.attention}</b>
            {detail.attention.map((reason) => (
              <p key={reason}>{reason}</p>
            ))}
          </div>
        </div>
      )}
      {job.calendars.length > 0 && (
        <p className="job-calendars" data-testid="job-calendars">
          <span className="muted">{text.calendars}</span>
          {job.calendars.map((name) => (
            <Link className="chip" key={name} href={`/calendars/${encodeURIComponent(name)}`}>
              {name}
            </Link>
          ))}
        </p>
      )}
      {job.enabled && rows.length > 0 && (
        <table className="next-fires num" aria-label={text.nextFires}>
          <tbody>
            {rows.map((row) =>
              row.kind === 'passed' ? (
                <tr key={row.tick} className="passed" title={row.reason} data-testid="passed-over">
                  <td>
                    <s>
                      {formatDay(row.tick, job.timezone)}{' '}
                      {row.count === 1 && formatClock(row.tick, job.timezone)}
                    </s>
                  </td>
                  <td colSpan={elsewhere ? 2 : 1}>
                    {row.calendar}
                    {row.count > 1 && `: ${text.passed(row.count, row.more)}`}
                  </td>
                </tr>
              ) : (
                <Fire key={row.fire.tick} tick={row.fire.tick} zone={job.timezone} />
              ),
            )}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Fire({ tick, zone }: { readonly tick: number; readonly zone: string }) {
  return (
    <tr>
      <td>
        <span className="muted">{formatDay(tick, zone)}</span> {formatClock(tick, zone)}
      </td>
      {zone !== localZone && (
        <td className="muted" title={localZone}>
          {formatClock(tick)}
        </td>
      )}
      <td>
        <Countdown at={tick} zone={zone} />
      </td>
    </tr>
  );
}

function DefinitionCard({ job, revision }: { readonly job: Job; readonly revision: number }) {
  const text = useMessages(jobMessages);
  const limits = text.limitsText(
    writeSeconds(job.timeoutSeconds),
    writeSeconds(job.killGraceSeconds),
    formatBytes(job.maxOutputBytes),
  );
  return (
    <section className="card definition-card panel">
      <h2>{text.definition}</h2>
      {job.description !== '' && <p className="job-description">{job.description}</p>}
      <pre className="job-command scroll-box" aria-label={text.command}>
        {job.command}
      </pre>
      <dl className="facts">
        <Fact name={text.concurrency}>
          {text.overlap[job.concurrency]}
          {job.maxConcurrent !== undefined && `, ${text.overlapLimit(job.maxConcurrent)}`}
        </Fact>
        <Policies job={job} />
        <Fact name={text.limits}>{limits}</Fact>
        <Pairs name={text.environment} pairs={job.env} />
        <Pairs name={text.labels} pairs={job.labels} />
        {job.workingDirectory !== undefined && (
          <Fact name={text.folder}>
            <code>{job.workingDirectory}</code>
          </Fact>
        )}
        {job.shell !== '/bin/sh' && (
          <Fact name={text.shell}>
            <code>{job.shell}</code>
          </Fact>
        )}
        <Fact name={text.revision}>
          <code title={text.revisionTitle}>{revision}</code>
        </Fact>
      </dl>
    </section>
  );
}

function Policies({ job }: { readonly job: Job }) {
  const text = useMessages(jobMessages);
  const common = useMessages(commonMessages);
  const what = text.misfire[job.misfire];
  const bounded = job.misfireLimit === undefined ? what : text.misfireUpTo(what, job.misfireLimit);
  const { max, on, backoffSeconds } = job.retries;
  const outcomes = on.map((outcome) => common.outcome[outcome]).join(', ');
  return (
    <>
      <Fact name={text.misfireName}>
        {text.misfireText(bounded, writeSeconds(job.startDeadlineSeconds))}
      </Fact>
      <Fact name={text.retriesName}>
        {max === 0 ? text.noRetries : text.retriesText(max, outcomes, writeSeconds(backoffSeconds))}
      </Fact>
      {job.history !== undefined && <Fact name={text.keptName}>{keptText(job.history, text)}</Fact>}
    </>
  );
}

function keptText(history: NonNullable<Job['history']>, text: JobMessages): string {
  const { maxAgeDays, maxRuns, keepLastFailure } = history;
  return [
    ...(maxAgeDays === undefined ? [] : [text.keptFor(writeDays(maxAgeDays))]),
    ...(maxRuns === undefined ? [] : [text.keptRuns(formatCount(maxRuns))]),
    ...(keepLastFailure === undefined ? [] : [text.keptFailure[keepLastFailure ? 'yes' : 'no']]),
  ].join(text.separator);
}

function QuarantineCard({ detail }: { readonly detail: JobDetail }) {
  const text = useMessages(jobMessages);
  const common = useMessages(commonMessages);
  return (
    <section className="card panel quarantine-card" role="alert">
      <h2>{text.state.quarantined}</h2>
      <ul>
        {detail.quarantined?.map((problem) => (
          <li key={`${problem.field} ${problem.message}`}>
            <b>
              <code>{problem.field}</code> {problem.message}
            </b>
            <span className="muted">
              {common.expected(problem.expected)} — {common.got(problem.got)}
            </span>
          </li>
        ))}
      </ul>
      {detail.raw !== undefined && (
        <>
          <h3 className="muted">{text.stored}</h3>
          <pre className="job-command scroll-box">{detail.raw}</pre>
        </>
      )}
    </section>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Pairs({
  name,
  pairs,
}: {
  readonly name: string;
  readonly pairs: Readonly<Record<string, string>>;
}) {
  const entries = Object.entries(pairs);
  if (entries.length === 0) return null;
  return (
    <Fact name={name}>
      {entries.map(([key, value]) => (
        <code className="pair-line" key={key}>
          {key}={value}
        </code>
      ))}
    </Fact>
  );
}
