/** The year to come as one line of days, for a glance: twelve months from this one on. */
import { useMemo } from 'react';
import type { DateSet } from '../../../shared/calendar/date-set.ts';
import type { Calendar } from '../../../shared/calendar/definition.ts';
import { useLanguage } from '../i18n/language.ts';
import { type DateLine, namedDays } from './date-lines.ts';
import { dayMs, epochDayOf } from './year-days.ts';

const days = 366;
const height = 18;
/** A single day is to be seen, too. */
const leastWidth = 1.8;

interface YearStripProps {
  readonly mode: Calendar['mode'];
  readonly lines: readonly DateLine[];
  /** Today, as an epoch day. */
  readonly from: number;
}

export function YearStrip({ mode, lines, from }: YearStripProps) {
  const language = useLanguage();
  const { stretches, months, start } = useMemo(() => {
    const today = new Date(from * dayMs);
    const firstDay = epochDayOf(today.getUTCFullYear(), today.getUTCMonth() + 1, 1);
    return {
      start: firstDay,
      stretches: stretchesOf(namedDays(lines), firstDay),
      months: Array.from({ length: 12 }, (_, index) =>
        epochDayOf(today.getUTCFullYear(), today.getUTCMonth() + 1 + index, 1),
      ),
    };
  }, [lines, from]);
  const monthName = new Intl.DateTimeFormat(language, { month: 'narrow', timeZone: 'UTC' });
  return (
    <figure className={`year-strip ${mode}`} aria-hidden="true">
      <svg viewBox={`0 0 ${days} ${height}`} preserveAspectRatio="none">
        <rect className="ground" x={0} y={0} width={days} height={height} />
        {months.slice(1).map((day) => (
          <line key={day} x1={day - start} x2={day - start} y1={0} y2={height} />
        ))}
        {stretches.map(({ at, length }) => (
          <rect
            className="named"
            key={at}
            x={at}
            y={0}
            width={Math.max(length, leastWidth)}
            height={height}
          />
        ))}
        <rect className="now" x={from - start} y={0} width={1.5} height={height} />
      </svg>
      <figcaption>
        {months.map((day) => (
          <span key={day}>{monthName.format(day * dayMs)}</span>
        ))}
      </figcaption>
    </figure>
  );
}

interface Stretch {
  /** Days from the beginning of the strip. */
  readonly at: number;
  readonly length: number;
}

function stretchesOf(named: DateSet, firstDay: number): Stretch[] {
  const stretches: Stretch[] = [];
  for (let at = 0; at < days; at++) {
    if (!named.has(firstDay + at)) continue;
    const begun = at;
    while (at < days && named.has(firstDay + at)) at++;
    stretches.push({ at: begun, length: at - begun });
  }
  return stretches;
}
