/** A year as twelve small months: the days that jobs pass over, and today. */
import { memo, useMemo } from 'react';
import type { DateSet } from '../../../shared/calendar/date-set.ts';
import type { Calendar } from '../../../shared/calendar/definition.ts';
import { useLanguage, useMessages } from '../i18n/language.ts';
import { useNowAs } from '../live/use-now.ts';
import { Icon } from '../ui/icon.tsx';
import { type DateLine, lineNaming, namedDays } from './date-lines.ts';
import { calendarsMessages } from './messages.ts';
import { dateText, localEpochDay, monthsOf, type Month } from './year-days.ts';
import './year-view.css';

/** A calendar knows no other years. */
const [firstYear, lastYear] = [1970, 2099];
const cellWidth = 22;
const cellHeight = 19;
const headHeight = 16;

interface YearViewProps {
  readonly year: number;
  readonly onYear: (year: number) => void;
  readonly mode: Calendar['mode'];
  readonly lines: readonly DateLine[];
  /** A click on a day; absent: the picture is for looking at. */
  readonly onDay?: (epochDay: number) => void;
}

export function YearView({ year, onYear, mode, lines, onDay }: YearViewProps) {
  const text = useMessages(calendarsMessages);
  const today = useNowAs(localEpochDay);
  const named = useMemo(() => namedDays(lines), [lines]);
  return (
    <section className="year-view panel" data-testid="year-view">
      <header>
        <YearStep year={year - 1} icon="back" label={text.yearBefore} onYear={onYear} />
        <h2 className="num" aria-live="polite">
          {year}
        </h2>
        <YearStep year={year + 1} icon="right" label={text.yearAfter} onYear={onYear} />
        <Legend mode={mode} />
      </header>
      <div className={`months ${mode} ${onDay ? 'editable' : ''}`}>
        {monthsOf(year).map((month) => (
          <MonthPicture
            key={month.month}
            year={year}
            month={month}
            mode={mode}
            named={named}
            lines={lines}
            today={today}
            onDay={onDay}
          />
        ))}
      </div>
    </section>
  );
}

function YearStep({
  year,
  icon,
  label,
  onYear,
}: {
  readonly year: number;
  readonly icon: 'back' | 'right';
  readonly label: string;
  readonly onYear: (year: number) => void;
}) {
  return (
    <button
      type="button"
      className="button square quiet"
      aria-label={label}
      title={label}
      data-testid={icon === 'back' ? 'year-before' : 'year-after'}
      disabled={year < firstYear || year > lastYear}
      onClick={() => onYear(year)}
    >
      <Icon name={icon} />
    </button>
  );
}

function Legend({ mode }: { readonly mode: Calendar['mode'] }) {
  const text = useMessages(calendarsMessages);
  return (
    <p className={`year-legend muted ${mode}`} aria-hidden="true">
      <span>
        <i className="named" /> {mode === 'exclude' ? text.noFires : text.fires}
      </span>
      <span>
        <i className="other" /> {mode === 'exclude' ? text.fires : text.noFires}
      </span>
      <span>
        <i className="today" /> {text.today}
      </span>
    </p>
  );
}

interface MonthPictureProps {
  readonly year: number;
  readonly month: Month;
  readonly mode: Calendar['mode'];
  readonly named: DateSet;
  readonly lines: readonly DateLine[];
  readonly today: number;
  readonly onDay: ((epochDay: number) => void) | undefined;
}

const MonthPicture = memo(function MonthPicture(props: MonthPictureProps) {
  const { year, month, mode, named, lines, today, onDay } = props;
  const text = useMessages(calendarsMessages);
  const language = useLanguage();
  const { months, weekdays } = wordsOf(language);
  const name = months[month.month - 1] ?? '';
  const listed = month.days.filter(({ epochDay }) => named.has(epochDay));
  const label = text.monthLabel(
    `${name} ${year}`,
    mode,
    listed.map(({ day }) => day),
  );
  return (
    <figure>
      <figcaption>{name}</figcaption>
      <svg
        viewBox={`0 0 ${7 * cellWidth} ${headHeight + 6 * cellHeight}`}
        role="img"
        aria-label={label}
      >
        {weekdays.map((weekday, column) => (
          <text className="weekday" key={weekday.long} x={middle(column)} y={10}>
            {weekday.short}
          </text>
        ))}
        {month.days.map(({ day, epochDay, column, week }) => {
          const isNamed = named.has(epochDay);
          const x = column * cellWidth;
          const y = headHeight + week * cellHeight;
          const why = isNamed ? lineNaming(lines, epochDay)?.text : undefined;
          return (
            <g
              key={day}
              className={`day ${isNamed ? 'named' : 'other'} ${epochDay === today ? 'today' : ''}`}
              data-date={dateText(epochDay)}
              onClick={onDay && (() => onDay(epochDay))}
            >
              <title>{text.dayTitle(dateText(epochDay), isNamed === (mode === 'only'), why)}</title>
              <rect x={x + 1} y={y + 1} width={cellWidth - 2} height={cellHeight - 2} rx={5} />
              <text x={middle(column)} y={y + 13.5}>
                {day}
              </text>
            </g>
          );
        })}
      </svg>
    </figure>
  );
});

function middle(column: number): number {
  return (column + 0.5) * cellWidth;
}

interface Words {
  readonly months: readonly string[];
  readonly weekdays: readonly { readonly short: string; readonly long: string }[];
}

const words = new Map<string, Words>();

/** Names of months, and of weekdays from Monday on. */
function wordsOf(language: string): Words {
  const known = words.get(language);
  if (known) return known;
  const format = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(language, { ...options, timeZone: 'UTC' });
  const long = format({ weekday: 'long' });
  const short = format({ weekday: 'narrow' });
  const made = {
    months: Array.from({ length: 12 }, (_, month) =>
      format({ month: 'long' }).format(Date.UTC(2024, month, 1)),
    ),
    // 1 January 2024 was a Monday.
    weekdays: Array.from({ length: 7 }, (_, day) => ({
      short: short.format(Date.UTC(2024, 0, 1 + day)),
      long: long.format(Date.UTC(2024, 0, 1 + day)),
    })),
  };
  words.set(language, made);
  return made;
}
