/** One job: a row on a desk, a card on a phone. The whole of it opens the job's page. */
import { memo } from 'react';
import { Link } from 'wouter';
import { type JobActions } from '../actions/use-job-actions.ts';
import type { JobListItem, JobState } from '../api/shapes.ts';
import { formatDuration } from '../format/span.ts';
import { useWhy } from '../history/use-why.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { Icon, type IconName } from '../ui/icon.tsx';
import { type GlyphKind, OutcomeGlyph } from '../ui/outcome-glyph.tsx';
import { RunStrip } from '../ui/run-strip.tsx';
import { Countdown, TimeAgo } from '../ui/time.tsx';
import { jobsMessages } from './messages.ts';

interface JobRowProps {
  readonly job: JobListItem;
  readonly actions: JobActions;
}

export const JobRow = memo(function JobRow({ job, actions }: JobRowProps) {
  const text = useMessages(jobsMessages);
  const common = useMessages(commonMessages);
  const path = `/jobs/${encodeURIComponent(job.name)}`;
  const kind = glyphOf(job);
  const label = kind === 'quarantined' && !job.quarantined ? text.stopped : labelOf(kind, common);
  return (
    <>
      <span className="job-glyph" role="cell" title={label}>
        <OutcomeGlyph kind={kind} />
        <span className="sr-only">{label}</span>
      </span>
      <div className="job-name" role="cell">
        <div className="job-title">
          <Link className="row-link" href={path} data-row-link>
            {job.name}
          </Link>
          {job.group !== 'default' && job.group !== '' && <span className="chip">{job.group}</span>}
          {job.running > 0 && <span className="chip live">{text.running(job.running)}</span>}
        </div>
        {job.description === '' ? (
          <div className="sub-line mono" title={job.command}>
            {job.command}
          </div>
        ) : (
          <div className="sub-line" title={`${job.description}\n${job.command}`}>
            {job.description}
          </div>
        )}
      </div>
      {job.quarantined ? <Quarantine job={job} /> : <JobTimes job={job} />}
      <RowActions job={job} path={path} actions={actions} />
    </>
  );
});

function JobTimes({ job }: { readonly job: JobListItem }) {
  const why = useWhy();
  const text = useMessages(jobsMessages);
  const [concern] = job.attention;
  const common = useMessages(commonMessages);
  return (
    <>
      <div className="job-schedule" role="cell" title={`${job.scheduleText}\n${job.timezone}`}>
        <div className="clip">{job.scheduleText}</div>
        {concern === undefined ? (
          <div className="sub-line">
            <code>{job.cronExpr}</code> <span className="zone">{job.timezone}</span>
          </div>
        ) : (
          <div className="sub-line concern-line" title={concern}>
            {concern}
          </div>
        )}
      </div>
      <div className="job-next" role="cell">
        {job.enabled ? (
          job.nextTick === undefined ? (
            <span className="muted">{concern === undefined ? text.noNext : text.stopped}</span>
          ) : (
            <Countdown at={job.nextTick} zone={job.timezone} />
          )
        ) : (
          <span className="chip">{text.pausedNext}</span>
        )}
      </div>
      <div className="job-strip" role="cell">
        <RunStrip rows={job.lastRuns} />
      </div>
      <div className="job-last" role="cell">
        {job.state ? (
          <Link className="over" href={`/runs/${encodeURIComponent(job.state.runId)}`}>
            <span className={`word ${job.state.outcome}`}>{common.outcome[job.state.outcome]}</span>{' '}
            <span className="muted">
              <TimeAgo at={job.state.endedAt} />
            </span>
            <div className="sub-line num">{why(job.state) ?? tookOf(job.state, text.took)}</div>
          </Link>
        ) : (
          <span className="muted">{text.neverRan}</span>
        )}
      </div>
    </>
  );
}

function Quarantine({ job }: { readonly job: JobListItem }) {
  const text = useMessages(jobsMessages);
  const common = useMessages(commonMessages);
  const first = job.quarantined?.[0];
  return (
    <div className="job-quarantine" role="cell">
      <div>{text.quarantine}</div>
      {first && (
        <div className="sub-line" title={`${first.message}; ${common.expected(first.expected)}`}>
          <code>{first.field}</code> {first.message} — {common.expected(first.expected)},{' '}
          {common.got(first.got)}
        </div>
      )}
    </div>
  );
}

function RowActions({ job, path, actions }: JobRowProps & { readonly path: string }) {
  const text = useMessages(jobsMessages);
  const broken = job.quarantined !== undefined;
  return (
    <div className="job-actions" role="cell">
      <RowButton
        icon="stop"
        testId="kill"
        label={text.killJob(job.name)}
        hidden={job.running === 0}
        onPress={() => void actions.killAll(job.name)}
      />
      <RowButton
        icon="play"
        testId="run-now"
        label={text.runJob(job.name)}
        hidden={broken}
        onPress={() => void actions.run(job.name)}
      />
      {job.enabled ? (
        <RowButton
          icon="pause"
          testId="pause"
          label={text.pauseJob(job.name)}
          hidden={broken}
          onPress={() => void actions.pause(job)}
        />
      ) : (
        <RowButton
          icon="resume"
          testId="resume"
          label={text.resumeJob(job.name)}
          hidden={broken}
          onPress={() => void actions.resume(job)}
        />
      )}
      <Link
        className="button square quiet"
        href={`${path}/edit`}
        aria-label={text.editJob(job.name)}
        title={text.editJob(job.name)}
        data-testid="edit"
      >
        <Icon name="edit" />
      </Link>
      <RowButton
        icon="trash"
        testId="delete"
        label={text.deleteJob(job.name)}
        onPress={() => void actions.remove(job)}
      />
    </div>
  );
}

interface RowButtonProps {
  readonly icon: IconName;
  readonly testId: string;
  readonly label: string;
  /** Keeps its place, so that the other buttons never move. */
  readonly hidden?: boolean;
  readonly onPress: () => void;
}

function RowButton({ icon, testId, label, hidden = false, onPress }: RowButtonProps) {
  if (hidden) return <span className="button-gap" />;
  return (
    <button
      type="button"
      className={`button square quiet ${testId}`}
      data-testid={testId}
      aria-label={label}
      title={label}
      onClick={onPress}
    >
      <Icon name={icon} />
    </button>
  );
}

function tookOf({ startedAt, endedAt }: JobState, words: (duration: string) => string): string {
  return startedAt === undefined ? '' : words(formatDuration(endedAt - startedAt));
}

function glyphOf(job: JobListItem): GlyphKind {
  if (job.quarantined) return 'quarantined';
  if (job.running > 0) return 'running';
  if (!job.enabled) return 'paused';
  if (job.attention.length > 0) return 'quarantined';
  return job.state?.outcome ?? 'none';
}

function labelOf(kind: GlyphKind, common: (typeof commonMessages)['en']): string {
  if (kind === 'paused') return common.paused;
  if (kind === 'quarantined') return common.quarantined;
  if (kind === 'none') return common.never;
  return common.outcome[kind];
}
