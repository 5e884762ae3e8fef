/**
 * A slow and obvious cron: it looks at every step of a span, asks Intl for the local fields, matches
 * them one by one, and applies the DST rule as it is written in docs/schedules.md. It shares no code
 * with the engine. Only for expressions of numbers, `*`, ranges, steps, lists, L, W and #.
 */
interface LocalInstant {
  readonly atMs: number;
  /** The local time as if it were UTC. */
  readonly localMs: number;
}

/** Every step of [fromMs, toMs) with its local time. */
export type LocalSpan = readonly LocalInstant[];

export function readLocalSpan(
  zone: string,
  fromMs: number,
  toMs: number,
  stepMs: number,
): LocalSpan {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const span: LocalInstant[] = [];
  for (let atMs = fromMs; atMs < toMs; atMs += stepMs) {
    const part = new Map(
      format.formatToParts(atMs).map(({ type, value }) => [type, Number(value)]),
    );
    const at = (type: Intl.DateTimeFormatPartTypes): number => part.get(type) ?? Number.NaN;
    const localMs = Date.UTC(
      ...([
        at('year'),
        at('month') - 1,
        at('day'),
        at('hour'),
        at('minute'),
        at('second'),
      ] as const),
    );
    span.push({ atMs, localMs });
  }
  return span;
}

/** The ticks within the span, from its second day on; what comes before only shows what is repeated. */
export function oracleTicks(expression: string, span: LocalSpan, stepMs: number): number[] {
  const matches = createMatcher(expression);
  const [, minute = '', hour = ''] = expression.split(' ');
  const isInterval = minute.includes('*') || hour.includes('*');
  const ticks: number[] = [];
  const fromMs = (span[0]?.atMs ?? 0) + 25 * 3_600_000;
  let seenLocalMs = (span[0]?.localMs ?? 0) - stepMs;
  for (const { atMs, localMs } of span) {
    let isTick = false;
    if (isInterval) {
      isTick = matches(localMs);
    } else {
      // Whatever lies between the newest local time seen and this one was swallowed by a gap.
      for (let local = seenLocalMs + stepMs; local <= localMs; local += stepMs) {
        if (matches(local)) isTick = true;
      }
      seenLocalMs = Math.max(seenLocalMs, localMs);
    }
    if (isTick && atMs >= fromMs) ticks.push(atMs);
  }
  return ticks;
}

/** Whether a local time, as if it were UTC, matches. */
export function createMatcher(expression: string): (localMs: number) => boolean {
  const [second = '', minute = '', hour = '', monthDay = '', month = '', weekday = '', year = ''] =
    expression.split(' ');
  const seconds = numbersOf(second, 0, 59);
  const minutes = numbersOf(minute, 0, 59);
  const hours = numbersOf(hour, 0, 23);
  const months = numbersOf(month, 1, 12);
  const years = numbersOf(year, 1970, 2099);
  const isEither = !monthDay.includes('*') && !weekday.includes('*');
  const days = new Map<number, boolean>();
  const dayMatches = (date: Date): boolean => {
    const day = Math.floor(date.getTime() / 86_400_000);
    let known = days.get(day);
    if (known === undefined) {
      const isMonthDay = monthDay.split(',').some((item) => monthDayMatches(item, date));
      const isWeekday = weekday.split(',').some((item) => weekdayMatches(item, date));
      known =
        (isEither ? isMonthDay || isWeekday : isMonthDay && isWeekday) &&
        months.has(date.getUTCMonth() + 1) &&
        years.has(date.getUTCFullYear());
      days.set(day, known);
    }
    return known;
  };
  return (localMs) => {
    const date = new Date(localMs);
    return (
      minutes.has(date.getUTCMinutes()) &&
      hours.has(date.getUTCHours()) &&
      seconds.has(date.getUTCSeconds()) &&
      dayMatches(date)
    );
  };
}

function numbersOf(field: string, low: number, high: number): Set<number> {
  const numbers = new Set<number>();
  for (const item of field.split(',')) {
    const [range = '', step = '1'] = item.split('/');
    const [from = '', to = from] = range === '*' ? [`${low}`, `${high}`] : range.split('-');
    for (let n = Number(from); n <= Number(to); n += Number(step)) numbers.add(n);
  }
  return numbers;
}

function monthLength(date: Date): number {
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
}

function weekdayOn(date: Date, day: number): number {
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), day)).getUTCDay();
}

function monthDayMatches(item: string, date: Date): boolean {
  const day = date.getUTCDate();
  const length = monthLength(date);
  if (item === 'L') return day === length;
  if (item.startsWith('L-')) return day === length - Number(item.slice(2));
  if (!item.endsWith('W')) return numbersOf(item, 1, 31).has(day);
  const wanted = item === 'LW' ? length : Number(item.slice(0, -1));
  if (wanted > length) return false;
  for (const distance of [0, -1, 1, -2, 2]) {
    const near = wanted + distance;
    if (near < 1 || near > length) continue;
    const weekday = weekdayOn(date, near);
    if (weekday !== 0 && weekday !== 6) return near === day;
  }
  return false;
}

function weekdayMatches(item: string, date: Date): boolean {
  const day = date.getUTCDate();
  const weekday = date.getUTCDay();
  if (item.endsWith('L')) {
    return weekday === Number(item.slice(0, -1)) % 7 && day + 7 > monthLength(date);
  }
  const [wanted = '', nth] = item.split('#');
  if (nth !== undefined)
    return weekday === Number(wanted) % 7 && Math.ceil(day / 7) === Number(nth);
  const numbers = numbersOf(item, 0, 6);
  return numbers.has(weekday) || (weekday === 0 && numbers.has(7));
}
