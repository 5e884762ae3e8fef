/**
 * What a calendar allows, worked out by comparing texts of dates: nothing of the code under test.
 */
export interface PlainCalendar {
  readonly mode: 'exclude' | 'only';
  readonly dates: readonly string[];
}

const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** `date` is `YYYY-MM-DD`. */
export function allowsDate({ mode, dates }: PlainCalendar, date: string): boolean {
  return dates.some((entry) => names(entry, date)) === (mode === 'only');
}

function names(entry: string, date: string): boolean {
  if (weekdays.includes(entry)) {
    return weekdays[new Date(`${date}T00:00:00Z`).getUTCDay()] === entry;
  }
  const [from = '', to = from] = entry.split('..');
  const day = from.length === 5 ? date.slice(5) : date;
  return from <= to ? from <= day && day <= to : day >= from || day <= to;
}

/** `YYYY-MM-DD` on the clocks of a zone. */
export function localDateReader(zone: string): (atMs: number) => string {
  const format = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  });
  return (atMs) => format.format(atMs);
}
