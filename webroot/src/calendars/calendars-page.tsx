/** Every calendar: what it holds back, a picture of the year to come, and how many jobs use it. */
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link } from 'wouter';
import { apiUrl } from '../api/cell.ts';
import { calendarsQuery } from '../api/queries.ts';
import type { CalendarItem, CalendarList } from '../api/shapes.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { useNowAs } from '../live/use-now.ts';
import { CopyCommand } from '../ui/copy-command.tsx';
import { EmptyState } from '../ui/empty-state.tsx';
import { ErrorPanel } from '../ui/error-panel.tsx';
import { Icon } from '../ui/icon.tsx';
import { SkeletonBlock } from '../ui/skeleton.tsx';
import { usePageTitle } from '../ui/use-page-title.ts';
import { readDateLines } from './date-lines.ts';
import { calendarsMessages } from './messages.ts';
import { NextDate } from './next-date.tsx';
import { localEpochDay } from './year-days.ts';
import { YearStrip } from './year-strip.tsx';
import './calendars.css';

export function CalendarsPage() {
  const text = useMessages(calendarsMessages);
  usePageTitle(text.title);
  const { data, error, isPending, refetch } = useQuery(calendarsQuery);
  const isEmpty = data?.items.length === 0 && data.missing.length === 0;
  return (
    <>
      <header className="page-head">
        <h1>{text.title}</h1>
        {data && data.total > 0 && <p className="muted num">{text.summary(data.total)}</p>}
        <span className="spacer" />
        <Link className="button primary" href="/calendars/new" data-testid="new-calendar">
          <Icon name="plus" size={14} />
          {text.newCalendar}
        </Link>
      </header>
      {error && !data && <ErrorPanel error={error} onRetry={() => void refetch()} />}
      {isPending && <SkeletonBlock height={200} />}
      {data && data.missing.length > 0 && <Missing missing={data.missing} />}
      {isEmpty && <NoCalendars />}
      <div className="calendar-grid">
        {data?.items.map((item) => (
          <CalendarCard key={item.name} item={item} />
        ))}
      </div>
    </>
  );
}

function CalendarCard({ item }: { readonly item: CalendarItem }) {
  const text = useMessages(calendarsMessages);
  const common = useMessages(commonMessages);
  const { name, description, mode, dates, usedBy, problems } = item;
  const lines = useMemo(() => readDateLines(dates.join('\n')).good, [dates]);
  const today = useNowAs(localEpochDay);
  const [problem] = problems ?? [];
  return (
    <article className="calendar-card panel" data-testid={`calendar-card-${name}`}>
      <header>
        <h2>
          <Link className="row-link" href={`/calendars/${encodeURIComponent(name)}`} data-row-link>
            {name}
          </Link>
        </h2>
        {mode && <span className={`calendar-mode ${mode}`}>{text.mode[mode]}</span>}
      </header>
      {description !== '' && <p className="muted calendar-about">{description}</p>}
      {mode && <YearStrip mode={mode} lines={lines} from={today} />}
      {problem && (
        <p className="calendar-problem">
          <Icon name="alert" size={14} />
          <span>
            {text.broken}{' '}
            <small className="muted">
              <code>{problem.field}</code> {problem.message} — {common.expected(problem.expected)},{' '}
              {common.got(problem.got)}
            </small>
          </span>
        </p>
      )}
      <footer className="muted num">
        {mode && <NextDate mode={mode} lines={lines} from={today} />}
        {mode && <span>{text.entries(dates.length)}</span>}
        <span>{usedBy === 0 ? text.unused : text.usedBy(usedBy)}</span>
      </footer>
    </article>
  );
}

function Missing({ missing }: { readonly missing: CalendarList['missing'] }) {
  const text = useMessages(calendarsMessages);
  return (
    <section className="calendar-missing" role="alert" data-testid="missing-calendars">
      <Icon name="alert" />
      <div>
        <h2>{text.missingTitle}</h2>
        <p className="muted">{text.missingText}</p>
        <ul>
          {missing.map(({ name, usedBy }) => (
            <li key={name}>
              <b>{name}</b> <span className="muted">{text.usedBy(usedBy)}</span>
              <Link
                className="button small"
                href={`/calendars/new?name=${encodeURIComponent(name)}`}
              >
                {text.createIt}
              </Link>
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}

const example = '{"mode":"exclude","dates":["01-01","12-24..12-26","sat","sun"]}';

function NoCalendars() {
  const text = useMessages(calendarsMessages);
  const curl = [
    `curl -X PUT ${apiUrl()}/calendars/holidays \\`,
    `  -H 'content-type: application/json' -H 'if-none-match: *' \\`,
    `  -d '${example}'`,
  ].join('\n');
  return (
    <EmptyState title={text.emptyTitle} text={text.emptyText}>
      <Link className="button primary" href="/calendars/new">
        <Icon name="plus" size={14} />
        {text.newCalendar}
      </Link>
      <CopyCommand label={text.emptyCurl} command={curl} />
    </EmptyState>
  );
}
