/**
 * A year of a job, a square a day: what of its runs succeeded. Colour is never the only sign: failures
 * fill a square from below and carry a dot, what did not run is hollow. Arrow keys go from day to day;
 * a day opens its runs.
 */
import { type KeyboardEvent, type MouseEvent, useEffect, useRef, useState } from 'react';
import { useLocation } from 'wouter';
import { basePath } from '../api/cell.ts';
import type { DayStats } from '../api/shapes.ts';
import { formatCount } from '../format/count.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useLanguage, useMessages } from '../i18n/language.ts';
import { shownOutcomes } from '../outcomes.ts';
import { OutcomeGlyph } from '../ui/outcome-glyph.tsx';
import { hideTooltip, showTooltip } from '../ui/tooltip.tsx';
import { type Day, daysUpTo, failedShare, nextDay, startOfDay, weeks } from './numbers.ts';
import { numbersMessages } from './numbers-messages.ts';
import { formatRate } from './rate.ts';

const size = 11;
const pitch = 13;
const left = 26;
const top = 15;

const steps: Readonly<Record<string, number>> = {
  ArrowLeft: -7,
  ArrowRight: 7,
  ArrowUp: -1,
  ArrowDown: 1,
};

interface HeatCalendarProps {
  readonly job: string;
  readonly zone: string;
  /** Epoch day. */
  readonly today: number;
  readonly stats: readonly DayStats[];
  /** In words, for those who do not see it. */
  readonly summary: string;
}

export function HeatCalendar({ job, zone, today, stats, summary }: HeatCalendarProps) {
  const text = useMessages(numbersMessages);
  const language = useLanguage();
  const [, navigate] = useLocation();
  const box = useRef<HTMLDivElement>(null);
  const days = daysUpTo(today, stats);
  const [pointed, setPointed] = useState<string | undefined>();
  const last = days.findLastIndex(({ look }) => look !== 'none');
  const chosen = days.findIndex(({ date }) => date === pointed);
  const current = chosen < 0 ? last : chosen;

  // On a narrow screen the newest weeks are what is seen first.
  useEffect(() => {
    if (box.current) box.current.scrollLeft = box.current.scrollWidth;
  }, []);
  useEffect(() => hideTooltip, []);

  const pathOf = ({ epochDay }: Day): string =>
    `/runs?job=${encodeURIComponent(job)}&from=${startOfDay(epochDay, zone)}&to=${startOfDay(epochDay + 1, zone)}`;

  function go(event: KeyboardEvent<SVGSVGElement>): void {
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const day = days[nextDay(days, current, step)];
    if (day === undefined) return;
    setPointed(day.date);
    const link = event.currentTarget.querySelector(`[data-date="${day.date}"]`);
    if (link instanceof SVGElement) link.focus();
  }

  function open(event: MouseEvent, day: Day): void {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    hideTooltip();
    navigate(pathOf(day));
  }

  return (
    <div className="heat-box" ref={box}>
      {/* The keys go from one of its links to the next. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <svg
        className="heat"
        width={left + weeks * pitch}
        height={top + 7 * pitch}
        role="group"
        aria-label={text.calendarLabel(summary)}
        data-testid="heat-calendar"
        onKeyDown={go}
      >
        <g aria-hidden="true">
          {[0, 2, 4].map((weekday) => (
            <text key={weekday} x={0} y={top + weekday * pitch + 9}>
              {weekdayName(language, weekday)}
            </text>
          ))}
          {monthMarks(days, language).map(({ week, name }) => (
            <text key={week} x={left + week * pitch} y={9}>
              {name}
            </text>
          ))}
          <path
            className="none"
            d={days.map((day) => (day.look === 'none' ? square(day) : '')).join('')}
          />
        </g>
        {days.map((day, index) =>
          day.look === 'none' || day.stats === undefined ? null : (
            <a
              key={day.date}
              className={`day ${day.look}`}
              href={basePath() + pathOf(day)}
              data-date={day.date}
              aria-label={`${text.dayText(day.date, formatRate(day.stats.successRate, language))}. ${text.open}`}
              tabIndex={index === current ? 0 : -1}
              onClick={(event) => open(event, day)}
              onFocus={(event) => {
                setPointed(day.date);
                showTooltip(event.currentTarget, <Explain day={day} />);
              }}
              onBlur={hideTooltip}
              onPointerEnter={(event) => showTooltip(event.currentTarget, <Explain day={day} />)}
              onPointerLeave={hideTooltip}
            >
              <DaySquare day={day} stats={day.stats} />
            </a>
          ),
        )}
      </svg>
    </div>
  );
}

function DaySquare({ day, stats }: { readonly day: Day; readonly stats: DayStats }) {
  const { look } = day;
  const [x, y] = placeOf(day);
  const failed = look === 'mixed' ? Math.round(size * failedShare(stats)) : 0;
  return (
    <>
      <rect className="ground" x={x} y={y} width={size} height={size} rx={2.5} />
      {failed > 0 && (
        <path
          className="share"
          d={`M${x} ${y + size - failed}h${size}v${failed - 2.5}q0 2.5-2.5 2.5h${5 - size}q-2.5 0-2.5-2.5Z`}
        />
      )}
      {(look === 'mixed' || look === 'failed') && (
        <circle className="dot" cx={x + size / 2} cy={y + size / 2} r={1.7} />
      )}
    </>
  );
}

function Explain({ day }: { readonly day: Day }) {
  const text = useMessages(numbersMessages);
  const common = useMessages(commonMessages);
  const language = useLanguage();
  const { counts = {}, successRate } = day.stats ?? {};
  return (
    <>
      <div className="line">
        <b className="num">{text.dayText(day.date, formatRate(successRate, language))}</b>
      </div>
      {shownOutcomes.map((outcome) => {
        const count = counts[outcome];
        return count === undefined ? null : (
          <div className="line" key={outcome}>
            <OutcomeGlyph kind={outcome} size={13} />
            <span className="num">{formatCount(count)}</span> {common.outcome[outcome]}
          </div>
        );
      })}
    </>
  );
}

export function HeatLegend() {
  const text = useMessages(numbersMessages);
  return (
    <p className="heat-legend muted" aria-hidden="true">
      {(['none', 'succeeded', 'mixed', 'failed', 'not-run'] as const).map((look) => (
        <span key={look}>
          <i className={look} /> {text.legend[look]}
        </span>
      ))}
    </p>
  );
}

function placeOf({ week, weekday }: Day): readonly [number, number] {
  return [left + week * pitch, top + weekday * pitch];
}

function square(day: Day): string {
  const [x, y] = placeOf(day);
  return `M${x} ${y}h${size}v${size}h${-size}Z`;
}

/** Where a month begins, but for one whose name would run into the next. */
function monthMarks(days: readonly Day[], language: string): { week: number; name: string }[] {
  const format = new Intl.DateTimeFormat(language, { month: 'short', timeZone: 'UTC' });
  return days
    .filter(({ date, week }) => date.endsWith('-01') && week < weeks - 1)
    .map(({ date, week, weekday }) => ({
      week: weekday === 0 ? week : week + 1,
      name: format.format(Date.parse(date)),
    }));
}

/** `weekday` 0 is Monday; 1 January 2024 was one. */
function weekdayName(language: string, weekday: number): string {
  const format = new Intl.DateTimeFormat(language, { weekday: 'short', timeZone: 'UTC' });
  return format.format(Date.UTC(2024, 0, 1 + weekday));
}
