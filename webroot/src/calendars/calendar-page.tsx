/** One calendar: its year as a picture, its dates, the jobs that use it. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { Link, useLocation } from 'wouter';
import type { Calendar } from '../../../shared/calendar/definition.ts';
import { isApiError } from '../api/api-error.ts';
import { deleteCalendar } from '../api/commands.ts';
import { calendarQuery, calendarsQuery } from '../api/queries.ts';
import type { CalendarDetail } from '../api/shapes.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { useNowAs } from '../live/use-now.ts';
import { askToConfirm } from '../ui/confirm-store.ts';
import { useDescribeError } from '../ui/describe-error.ts';
import { Dialog } from '../ui/dialog.tsx';
import { EmptyState } from '../ui/empty-state.tsx';
import { ErrorPanel } from '../ui/error-panel.tsx';
import { Icon } from '../ui/icon.tsx';
import { ProblemsCard } from './problems-card.tsx';
import { SkeletonBlock } from '../ui/skeleton.tsx';
import { showToast } from '../ui/toast-store.ts';
import { usePageTitle } from '../ui/use-page-title.ts';
import { readDateLines } from './date-lines.ts';
import { calendarsMessages } from './messages.ts';
import { NextDate } from './next-date.tsx';
import { localEpochDay } from './year-days.ts';
import { YearView } from './year-view.tsx';
import './calendars.css';

const rooms = '/calendars';

export function CalendarPage({ name }: { readonly name: string }) {
  usePageTitle(name);
  const { data, error, refetch } = useQuery(calendarQuery(name));
  if (isApiError(error, 404)) return <Gone name={name} />;
  if (!data) {
    return error ? (
      <ErrorPanel error={error} onRetry={() => void refetch()} />
    ) : (
      <SkeletonBlock height={480} />
    );
  }
  return (
    <div className="calendar-page">
      <Head name={name} detail={data} />
      {data.calendar ? (
        <Picture calendar={data.calendar} />
      ) : (
        <ProblemsCard problems={data.problems ?? []} raw={data.raw} />
      )}
      <aside className="calendar-side">
        {data.calendar && data.calendar.description !== '' && (
          <p className="calendar-about">{data.calendar.description}</p>
        )}
        {data.calendar && <Dates calendar={data.calendar} revision={data.revision} />}
        <Users detail={data} />
      </aside>
    </div>
  );
}

/** Jobs may name what is not there (any more). */
function Gone({ name }: { readonly name: string }) {
  const text = useMessages(calendarsMessages);
  const { data } = useQuery(calendarsQuery);
  const usedBy = data?.missing.find((missing) => missing.name === name)?.usedBy ?? 0;
  return (
    <EmptyState
      page
      title={text.gone(name)}
      text={usedBy === 0 ? text.goneText : text.goneUsed(usedBy)}
    >
      <Link className="button primary" href={`/calendars/new?name=${encodeURIComponent(name)}`}>
        {text.createIt}
      </Link>
      <Link className="button" href={rooms}>
        {text.allCalendars}
      </Link>
    </EmptyState>
  );
}

function Head({ name, detail }: { readonly name: string; readonly detail: CalendarDetail }) {
  const text = useMessages(calendarsMessages);
  const common = useMessages(commonMessages);
  const [inUse, setInUse] = useState(false);
  const remove = useRemove(name, detail.revision);
  const { calendar } = detail;
  const today = useNowAs(localEpochDay);
  const lines = useMemo(
    () => readDateLines(calendar?.dates.join('\n') ?? '').good,
    [calendar?.dates],
  );
  return (
    <header className="detail-head">
      <Link
        className="button square quiet"
        href={rooms}
        aria-label={text.allCalendars}
        title={text.allCalendars}
      >
        <Icon name="back" />
      </Link>
      <div className="detail-title">
        <h1>{name}</h1>
        <p className="calendar-state muted">
          {calendar ? (
            <>
              <span className={`calendar-mode ${calendar.mode}`}>{text.mode[calendar.mode]}</span>
              <NextDate mode={calendar.mode} lines={lines} from={today} />
            </>
          ) : (
            <span className="word failed">{text.broken}</span>
          )}
        </p>
      </div>
      <div className="detail-actions">
        <Link
          className="button"
          href={`/calendars/${encodeURIComponent(name)}/edit`}
          data-testid="edit"
        >
          <Icon name="edit" size={14} />
          {common.edit}
        </Link>
        <button
          type="button"
          className="button square"
          aria-label={common.delete}
          title={common.delete}
          data-testid="delete"
          onClick={() => {
            if (detail.usedBy > 0) setInUse(true);
            else void remove();
          }}
        >
          <Icon name="trash" />
        </button>
      </div>
      {inUse && (
        <Dialog title={text.inUseTitle(name)} testId="in-use" onClose={() => setInUse(false)}>
          <p className="muted">{text.inUseText(detail.usedBy)}</p>
          <UserLinks detail={detail} toEdit />
        </Dialog>
      )}
    </header>
  );
}

/** Asks first. What came to use it meanwhile is told by the master. */
function useRemove(name: string, revision: number): () => Promise<void> {
  const text = useMessages(calendarsMessages);
  const describe = useDescribeError();
  const queryClient = useQueryClient();
  const [, navigate] = useLocation();
  return async () => {
    const confirmed = await askToConfirm({
      title: text.deleteTitle(name),
      text: text.deleteText,
      confirm: text.deleteConfirm,
      tone: 'danger',
    });
    if (!confirmed) return;
    try {
      await deleteCalendar(name, revision);
      showToast({ tone: 'good', text: text.deleted(name) });
      navigate(rooms);
      // This page is about to go; it must not ask for what is not there any more.
      void queryClient.invalidateQueries(calendarsQuery);
    } catch (error) {
      const { text: why } = describe(error);
      showToast({ tone: 'bad', text: text.couldNotDelete(name), detail: why });
      void queryClient.invalidateQueries();
    }
  };
}

function Picture({ calendar }: { readonly calendar: Calendar }) {
  const thisYear = useNowAs((now) => new Date(now).getFullYear());
  const [year, setYear] = useState(thisYear);
  const lines = useMemo(() => readDateLines(calendar.dates.join('\n')).good, [calendar.dates]);
  return <YearView year={year} onYear={setYear} mode={calendar.mode} lines={lines} />;
}

function Dates({ calendar, revision }: { readonly calendar: Calendar; readonly revision: number }) {
  const text = useMessages(calendarsMessages);
  return (
    <section className="card panel">
      <h2>
        {text.dates} <span className="num">{calendar.dates.length}</span>
      </h2>
      {calendar.dates.length === 0 ? (
        <p className="muted">{text.datesNone}</p>
      ) : (
        <ul className="date-list scroll-box mono">
          {calendar.dates.map((date, index) => (
            // oxlint-disable-next-line react/no-array-index-key -- the same date may be there twice
            <li key={index}>{date}</li>
          ))}
        </ul>
      )}
      <p className="muted num calendar-revision">
        {text.revision} <code>{revision}</code>
      </p>
    </section>
  );
}

function Users({ detail }: { readonly detail: CalendarDetail }) {
  const text = useMessages(calendarsMessages);
  return (
    <section className="card panel" data-testid="calendar-jobs">
      <h2>
        {text.jobs} <span className="num">{detail.usedBy}</span>
      </h2>
      {detail.usedBy === 0 ? (
        <p className="muted">{text.jobsNone}</p>
      ) : (
        <UserLinks detail={detail} />
      )}
    </section>
  );
}

function UserLinks({
  detail,
  toEdit = false,
}: {
  readonly detail: CalendarDetail;
  readonly toEdit?: boolean;
}) {
  const text = useMessages(calendarsMessages);
  const { jobs, usedBy } = detail;
  return (
    <ul className="calendar-users">
      {jobs.map((job) => (
        <li key={job}>
          <Link className="link" href={`/jobs/${encodeURIComponent(job)}${toEdit ? '/edit' : ''}`}>
            {job}
          </Link>
        </li>
      ))}
      {usedBy > jobs.length && <li className="muted">{text.moreJobs(usedBy - jobs.length)}</li>}
    </ul>
  );
}
