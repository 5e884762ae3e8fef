/** The next date that matters: without fires where dates are passed over, with fires where only they fire. */
import { useMemo } from 'react';
import type { Calendar } from '../../../shared/calendar/definition.ts';
import { formatDay } from '../format/instant.ts';
import { useMessages } from '../i18n/language.ts';
import { type DateLine, namedDays } from './date-lines.ts';
import { calendarsMessages } from './messages.ts';
import { dayMs } from './year-days.ts';

interface NextDateProps {
  readonly mode: Calendar['mode'];
  readonly lines: readonly DateLine[];
  /** Epoch day. */
  readonly from: number;
}

export function NextDate({ mode, lines, from }: NextDateProps) {
  const text = useMessages(calendarsMessages);
  const day = useMemo(() => namedDays(lines).next(from), [lines, from]);
  if (!Number.isFinite(day)) return <span>{text.noNext}</span>;
  return (
    <span>
      {mode === 'exclude' ? text.nextNoFires : text.nextFires}:{' '}
      <b className="calendar-next">{formatDay(day * dayMs, 'UTC')}</b>
    </span>
  );
}
