/**
 * The seven fields of an expression, in the order they are written, and what each may hold; and the
 * parts an expression is read into before it becomes sets of numbers.
 */
export type FieldName =
  'second' | 'minute' | 'hour' | 'day-of-month' | 'month' | 'day-of-week' | 'year';

/** In the order of a seven-field expression. */
export const fieldNames: readonly FieldName[] = [
  ...(['second', 'minute', 'hour', 'day-of-month', 'month', 'day-of-week', 'year'] as const),
];

export function mapFields<T>(make: (name: FieldName) => T): Record<FieldName, T> {
  return {
    second: make('second'),
    minute: make('minute'),
    hour: make('hour'),
    'day-of-month': make('day-of-month'),
    month: make('month'),
    'day-of-week': make('day-of-week'),
    year: make('year'),
  };
}

export interface FieldRule {
  readonly name: FieldName;
  readonly min: number;
  /** The greatest value that may be written; 7 for the day of the week. */
  readonly max: number;
  /** The greatest value that `*` and an open step reach; 6 for the day of the week. */
  readonly last: number;
  /** Three-letter names; the first stands for `firstName`. */
  readonly names?: readonly string[];
  readonly firstName?: number;
  /** What may be written, for an error message. */
  readonly expected: string;
}

const plainForms = 'with lists (1,2), ranges (1-5) and steps (*/2)';

export const firstYear = 1970;
export const lastYear = 2099;
const dayNames: readonly string[] = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
const monthNames: readonly string[] = [
  ...['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'],
];

function rule(name: FieldName, min: number, max: number, forms: string): FieldRule {
  return { name, min, max, last: max, expected: `${name}: ${min}-${max}${forms}, ${plainForms}` };
}

export const fieldRules: Readonly<Record<FieldName, FieldRule>> = {
  second: rule('second', 0, 59, ''),
  minute: rule('minute', 0, 59, ''),
  hour: rule('hour', 0, 23, ''),
  'day-of-month': rule('day-of-month', 1, 31, ', L, L-3, LW, 15W'),
  month: { ...rule('month', 1, 12, ' or JAN-DEC'), names: monthNames, firstName: 1 },
  'day-of-week': {
    ...rule('day-of-week', 0, 7, ' (0 and 7 are Sunday) or SUN-SAT, 5L, 5#2'),
    last: 6,
    names: dayNames,
    firstName: 0,
  },
  year: rule('year', firstYear, lastYear, ''),
};

/** `a`, `a-b`, `a-b/n`, `*` or `*` with a step. */
export interface PlainItem {
  readonly kind: 'plain';
  readonly start: number;
  readonly end: number;
  readonly step: number;
  /** Written with `*` or `?`. */
  readonly star: boolean;
}

/** What a day field may hold beside plain items. */
export type DaySpecial =
  /** `L`, or `L-3` with `before` 3. */
  | { readonly kind: 'last-day'; readonly before: number }
  /** `LW`: the last Monday to Friday of the month. */
  | { readonly kind: 'last-working-day' }
  /** `15W`: the Monday to Friday nearest to the day, within its month. */
  | { readonly kind: 'nearest-working-day'; readonly day: number }
  /** `5#2`: the second Friday. */
  | { readonly kind: 'nth-weekday'; readonly weekday: number; readonly nth: number }
  /** `5L`: the last Friday. */
  | { readonly kind: 'last-weekday'; readonly weekday: number };

export type FieldItem = PlainItem | DaySpecial;

/** An expression as read: the items of each field. */
export type CronItems = Readonly<Record<FieldName, readonly FieldItem[]>>;

/** What a lone `*` stands for; shared, because most fields are one. */
export const allValues: Readonly<Record<FieldName, ReadonlySet<number>>> = mapFields((name) => {
  const { min, last } = fieldRules[name];
  return new Set(Array.from({ length: last - min + 1 }, (_, index) => min + index));
});

/** One field with its items expanded. */
export interface FieldValues {
  readonly values: ReadonlySet<number>;
  readonly specials: readonly DaySpecial[];
  /** The steps (1 for a plain `*`) by which it takes its whole range; empty when it has no wildcard. */
  readonly wildSteps: readonly number[];
}

export type CronValues = Readonly<Record<FieldName, FieldValues>>;

export function isFull(name: FieldName, values: ReadonlySet<number>): boolean {
  return values.size === allValues[name].size;
}
