/** A job's history as pictures: success by day over a year, and how long its newest runs took. */
import { queryOptions, useQuery } from '@tanstack/react-query';
import { apiUrl } from '../api/cell.ts';
import { queryString, request } from '../api/client.ts';
import type { DailyStats, RunList } from '../api/shapes.ts';
import { dayMs } from '../calendars/year-days.ts';
import { formatCount } from '../format/count.ts';
import { formatDay } from '../format/instant.ts';
import { formatDuration } from '../format/span.ts';
import { useLanguage, useMessages } from '../i18n/language.ts';
import { useNowAs } from '../live/use-now.ts';
import { CopyCommand } from '../ui/copy-command.tsx';
import { ErrorPanel } from '../ui/error-panel.tsx';
import { SkeletonBlock } from '../ui/skeleton.tsx';
import { DurationTrend } from './duration-trend.tsx';
import { HeatCalendar, HeatLegend } from './heat-calendar.tsx';
import { durationsOf, firstDayOf, timedRuns, totalsOf } from './numbers.ts';
import { numbersMessages } from './numbers-messages.ts';
import { formatRate } from './rate.ts';
import './job-numbers.css';

const trendRuns = 200;
/** A year of rows is counted for each answer: hints of single runs do not ask for another. */
const refetchMs = 60_000;
const rest = { staleTime: refetchMs / 2, refetchInterval: refetchMs } as const;
const widestOffsetMs = 14 * 3_600_000;

function daysQuery(job: string, zone: string, firstDay: number) {
  return queryOptions({
    queryKey: ['job-days', job, zone, firstDay] as const,
    queryFn: ({ signal }) => {
      const from = firstDay * dayMs - widestOffsetMs;
      const query = queryString([
        ['job', job],
        ['timezone', zone],
        ['from', from],
      ]);
      return request<DailyStats>(`/stats/daily${query}`, { signal });
    },
    ...rest,
  });
}

function durationsQuery(job: string) {
  return queryOptions({
    queryKey: ['job-durations', job] as const,
    queryFn: async ({ signal }) => {
      const ended = ['succeeded', 'failed', 'killed', 'timed-out'];
      const query = queryString([
        ['job', job],
        ['limit', trendRuns],
        ...ended.map((outcome) => ['outcome', outcome] as const),
      ]);
      return timedRuns((await request<RunList>(`/runs${query}`, { signal })).items);
    },
    ...rest,
  });
}

export function JobNumbers({ job, zone }: { readonly job: string; readonly zone: string }) {
  return (
    <section className="job-numbers panel" data-testid="job-numbers">
      <Days job={job} zone={zone} />
      <Durations job={job} />
    </section>
  );
}

function Days({ job, zone }: { readonly job: string; readonly zone: string }) {
  const text = useMessages(numbersMessages);
  const language = useLanguage();
  const today = useNowAs((now) => epochDayIn(now, zone));
  const { data, error, refetch } = useQuery(daysQuery(job, zone, firstDayOf(today)));
  const { ended, failures, notRun } = totalsOf(data?.days ?? []);
  const rate = ended === 0 ? undefined : formatRate(1 - failures / ended, language);
  const parts = [
    ...(rate === undefined ? [] : [text.summary(rate, formatCount(ended))]),
    ...(notRun === 0 ? [] : [text.notRun(formatCount(notRun))]),
  ].join(text.separator);
  return (
    <figure className="days-figure">
      <figcaption>
        <h2>{text.title}</h2>
        <span className="num">{parts}</span>
        <span className="zone muted">{text.zone(zone)}</span>
      </figcaption>
      {error && !data && <ErrorPanel error={error} onRetry={() => void refetch()} />}
      {!data && !error && <SkeletonBlock height={108} />}
      {data && (
        <HeatCalendar job={job} zone={zone} today={today} stats={data.days} summary={parts} />
      )}
      {data &&
        (data.days.length > 0 ? (
          <HeatLegend />
        ) : (
          <div className="days-empty" data-testid="days-empty">
            <b>{text.emptyTitle}</b>
            <p className="muted">{text.emptyText}</p>
            <CopyCommand
              label={text.emptyCommand}
              command={`curl -X POST '${apiUrl()}/jobs/${encodeURIComponent(job)}/run' -H 'content-type: application/json' -d '{}'`}
            />
          </div>
        ))}
    </figure>
  );
}

function Durations({ job }: { readonly job: string }) {
  const text = useMessages(numbersMessages);
  const { data, error, refetch } = useQuery(durationsQuery(job));
  const shown = data !== undefined && data.length >= 2;
  const { p50Ms, p95Ms, trend } = durationsOf(data?.map(({ tookMs }) => tookMs) ?? []);
  return (
    <figure className="trend-figure">
      <figcaption>
        <h2>{text.trendTitle}</h2>
        {shown && (
          <>
            <span className="num">
              p50 {formatDuration(p50Ms)} · p95 {formatDuration(p95Ms)}
            </span>
            <Trend ratio={trend} />
            <span className="zone muted">{text.trendRuns(data.length)}</span>
          </>
        )}
      </figcaption>
      {error && !data && <ErrorPanel error={error} onRetry={() => void refetch()} />}
      {!data && !error && <SkeletonBlock height={84} />}
      {shown && <DurationTrend runs={data} p50Ms={p50Ms} p95Ms={p95Ms} />}
      {data && !shown && <p className="muted">{text.trendTooFew}</p>}
    </figure>
  );
}

/** A tenth more or less is no trend. */
function Trend({ ratio }: { readonly ratio: number | undefined }) {
  const text = useMessages(numbersMessages);
  const language = useLanguage();
  if (ratio === undefined) return null;
  if (Math.abs(ratio - 1) < 0.1) return <span className="muted">{text.steady}</span>;
  const percent = new Intl.NumberFormat(language, { style: 'percent' }).format(Math.abs(ratio - 1));
  return ratio > 1 ? (
    <b className="slower">{text.slower(percent)}</b>
  ) : (
    <span>{text.faster(percent)}</span>
  );
}

function epochDayIn(ms: number, zone: string): number {
  return Math.floor(Date.parse(formatDay(ms, zone).split(' ')[1] ?? '') / dayMs);
}
