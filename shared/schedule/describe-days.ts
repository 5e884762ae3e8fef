/**
 * The days of a canonical text in words: its two day fields, the month and the year.
 */
import type { DaySpecial } from './cron-fields.ts';
import { itemWords, joinWords, ordinal, readTextField } from './describe-field.ts';
import type { TextField } from './describe-field.ts';

const weekdayWords: readonly string[] = [
  ...['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'],
];
export const monthWords: readonly string[] = [
  ...['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September'],
  ...['October', 'November', 'December'],
];
const nthWords: readonly string[] = ['', 'first', 'second', 'third', 'fourth', 'fifth'];

export interface DaysWords {
  /** With a leading blank; empty when there is nothing to say. */
  readonly words: string;
  /** Neither day field says anything. */
  readonly isEveryDay: boolean;
}

export function describeDays(
  monthDayText: string,
  monthText: string,
  weekdayText: string,
  yearText: string,
): DaysWords {
  const month = readTextField('month', monthText);
  const year = readTextField('year', yearText);
  const monthDay = readTextField('day-of-month', monthDayText);
  const weekday = readTextField('day-of-week', weekdayText);
  const isEveryDay = monthDay.isAny && weekday.isAny;
  const isDate =
    month.isSingle && weekday.isAny && !monthDay.isAny && monthDay.specials.length === 0;
  const parts = isDate
    ? [`on ${joinWords(monthDay.items.map(itemWords))} ${monthWords[month.first - 1]}`]
    : [
        ...(isEveryDay ? [] : [dayWords(monthDay, weekday)]),
        ...(month.isAny
          ? []
          : [`in ${joinWords(month.values.map((m) => `${monthWords[m - 1]}`))}`]),
      ];
  if (!year.isAny) {
    const years = joinWords(year.items.map(itemWords));
    parts.push(year.isSingle ? `in ${years}` : `in the years ${years}`);
  }
  return { words: parts.length === 0 ? '' : ` ${parts.join(', ')}`, isEveryDay };
}

function dayWords(monthDay: TextField, weekday: TextField): string {
  if (weekday.isAny) return `on ${monthDayWords(monthDay)} of the month`;
  if (monthDay.isAny) return weekdayPhrase(weekday);
  const hasStar = [...monthDay.items, ...weekday.items].some(({ star }) => star);
  const onMonthDays = `on ${monthDayWords(monthDay)} of the month`;
  return hasStar
    ? `${weekdayPhrase(weekday)}, but only ${onMonthDays}`
    : `${onMonthDays} and also ${weekdayPhrase(weekday)}`;
}

function monthDayWords({ items, values, specials }: TextField): string {
  const isListed = items.some(({ step }) => step !== 1);
  const plain = isListed
    ? values.map((value) => `the ${ordinal(value)}`)
    : items.map(({ start, end }) =>
        start === end ? `the ${ordinal(start)}` : `the ${ordinal(start)} to the ${ordinal(end)}`,
      );
  return joinWords([...plain, ...specials.map(specialWords)]);
}

function weekdayPhrase({ values, specials }: TextField): string {
  // Monday first, as people list them.
  const days = values.map((value) => value % 7).sort((a, b) => ((a + 6) % 7) - ((b + 6) % 7));
  const isWorkWeek = days.join('') === '12345';
  const plain = isWorkWeek
    ? ['from Monday to Friday']
    : days.length === 0
      ? []
      : [`on ${joinWords(days.map((day) => `${weekdayWords[day]}s`))}`];
  if (specials.length === 0) return plain.join('');
  const special = `on ${joinWords(specials.map(specialWords))} of the month`;
  return [...plain, special].join(' and ');
}

function specialWords(special: DaySpecial): string {
  switch (special.kind) {
    case 'last-day':
      if (special.before === 0) return 'the last day';
      return `the day ${special.before === 1 ? 'before' : `${special.before} days before`} the last`;
    case 'last-working-day':
      return 'the last working day (Monday to Friday)';
    case 'nearest-working-day':
      return `the working day (Monday to Friday) nearest to the ${ordinal(special.day)}`;
    case 'nth-weekday':
      return `the ${nthWords[special.nth]} ${weekdayWords[special.weekday]}`;
    case 'last-weekday':
      return `the last ${weekdayWords[special.weekday]}`;
  }
}
