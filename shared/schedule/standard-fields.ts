/**
 * The one file that knows cron-parser: it expands the six standard fields (numbers, ranges, steps,
 * lists) into their values. What cron-parser has no words for (years, W, L-3, lists of # and L) and
 * the walk through time, where it is slow and differs from our DST rule, are not asked of it; see
 * docs/adr/0003-dst.md.
 */
import { CronExpressionParser } from 'cron-parser';
import { allValues } from './cron-fields.ts';
import type { FieldName, PlainItem } from './cron-fields.ts';

type StandardField = Exclude<FieldName, 'year'>;
type StandardItems = Readonly<Record<StandardField, readonly PlainItem[]>>;
type StandardValues = Readonly<Record<StandardField, ReadonlySet<number>>>;

/** Without them cron-parser would read the clock, and draw a seed for the H that we never pass on. */
const options = { currentDate: new Date(0), tz: 'UTC', hashSeed: 'H' };

/** The values of each field's items; Sunday is 0. */
export function expandStandardFields(items: StandardItems): StandardValues {
  const values = mapStandard(() => new Set<number>());
  const isAny = mapStandard((name) => items[name].length === 1 && isWhole(items[name][0]));
  const texts = mapStandard((name) => items[name].map((item) => itemText(item)));
  const isTogether = !hasOverlap(items);
  const rounds = isTogether ? 1 : Math.max(...standardNames.map((name) => texts[name].length));
  for (let round = 0; round < rounds; round++) {
    const expanded = expand(
      mapStandard((name) => (isTogether ? texts[name].join(',') : (texts[name][round] ?? ''))),
    );
    for (const name of standardNames) {
      if (isAny[name]) continue;
      for (const value of expanded[name]) values[name].add(value);
    }
  }
  return mapStandard((name) => (isAny[name] ? allValues[name] : values[name]));
}

function isWhole(item: PlainItem | undefined): boolean {
  return item !== undefined && item.star && item.step === 1;
}

const standardNames: readonly StandardField[] = [
  ...(['second', 'minute', 'hour', 'day-of-month', 'month', 'day-of-week'] as const),
];

function mapStandard<T>(make: (name: StandardField) => T): Record<StandardField, T> {
  return {
    second: make('second'),
    minute: make('minute'),
    hour: make('hour'),
    'day-of-month': make('day-of-month'),
    month: make('month'),
    'day-of-week': make('day-of-week'),
  };
}

/** cron-parser refuses a list that says a value twice, as `1-5,3`; then it is asked item by item. */
function hasOverlap(items: StandardItems): boolean {
  return standardNames.some((name) => {
    const list = items[name];
    if (list.length < 2) return false;
    const spans = list.map(({ start, end }) => [start, end] as const).sort((a, b) => a[0] - b[0]);
    const isWeek = name === 'day-of-week' && (spans.at(-1)?.[1] ?? 0) === 7;
    return isWeek || spans.some(([start], index) => start <= (spans[index - 1]?.[1] ?? -1));
  });
}

function expand(fields: Record<StandardField, string>): Record<StandardField, number[]> {
  const any = (text: string): string => (text === '' ? '*' : text);
  const { second, minute, hour, month } = fields;
  const weekday = fields['day-of-week'];
  const monthDay = fields['day-of-month'];
  const parsed = CronExpressionParser.parse(
    `${any(second)} ${any(minute)} ${any(hour)} ${any(monthDay)} * ${any(weekday)}`,
    options,
  ).fields;
  // Alone, because cron-parser drops or refuses days that the month beside them lacks.
  const months = /[^*]/.test(month)
    ? CronExpressionParser.parse(`0 0 0 * ${month} *`, options).fields
    : parsed;
  const numbers = (text: string, list: readonly (number | string)[]): number[] =>
    text === '' ? [] : list.map((value) => Number(value));
  return {
    second: numbers(second, parsed.second.values),
    minute: numbers(minute, parsed.minute.values),
    hour: numbers(hour, parsed.hour.values),
    'day-of-month': numbers(monthDay, parsed.dayOfMonth.values),
    month: numbers(month, months.month.values),
    'day-of-week': numbers(weekday, parsed.dayOfWeek.values).map((value) => value % 7),
  };
}

function itemText({ start, end, step, star }: PlainItem): string {
  if (star) return step === 1 ? '*' : `*/${step}`;
  if (start === end) return `${start}`;
  return step === 1 ? `${start}-${end}` : `${start}-${end}/${step}`;
}
