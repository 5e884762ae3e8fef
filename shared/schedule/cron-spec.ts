/**
 * An expression ready for the calendar: its fields as bit sets, Vixie's two rules decided (how the
 * day fields combine, and whether DST treats the job as fixed or interval), and its canonical text.
 */
import { mask60Of, maskOf } from './bit-mask.ts';
import type { Mask60 } from './bit-mask.ts';
import { canonicalFields } from './canonical-fields.ts';
import { allValues, firstYear, isFull, lastYear } from './cron-fields.ts';
import type { CronItems, CronValues, DaySpecial, FieldName, FieldValues } from './cron-fields.ts';
import { expandFields } from './expand-fields.ts';

export interface CronSpec {
  /** Seven canonical fields, without the zone. */
  readonly text: string;
  readonly kind: 'fixed' | 'interval';
  readonly seconds: Mask60;
  readonly minutes: Mask60;
  readonly hours: number;
  /** Bit 0 is the 1st. */
  readonly monthDays: number;
  /** Bit 0 is January. */
  readonly months: number;
  /** Bit 0 is Sunday. */
  readonly weekdays: number;
  readonly monthDaySpecials: readonly DaySpecial[] | undefined;
  readonly weekdaySpecials: readonly DaySpecial[] | undefined;
  /** Whether a day must match both day fields or either. */
  readonly dayRule: 'both' | 'either';
  /** One byte a year from `firstYear`; undefined when every year is meant. */
  readonly years: Uint8Array | undefined;
}

export function buildSpec(items: CronItems): CronSpec {
  const fields = simplifyDays(expandFields(items));
  const monthDay = fields['day-of-month'];
  const weekday = fields['day-of-week'];
  // Vixie: a day field is restricted when there is no * in it; two restricted fields are alternatives.
  const isEither = monthDay.wildSteps.length === 0 && weekday.wildSteps.length === 0;
  // Vixie (MIN_STAR, HR_STAR): a wildcard in the minute or the hour makes an interval of it.
  const isFixed = fields.minute.wildSteps.length === 0 && fields.hour.wildSteps.length === 0;
  const { year } = fields;
  return {
    text: canonicalFields(fields),
    kind: isFixed ? 'fixed' : 'interval',
    seconds: mask60Of(fields.second.values),
    minutes: mask60Of(fields.minute.values),
    hours: maskOf(fields.hour.values, 0),
    monthDays: maskOf(monthDay.values, 1),
    months: maskOf(fields.month.values, 1),
    weekdays: maskOf(weekday.values, 0),
    monthDaySpecials: monthDay.specials.length === 0 ? undefined : monthDay.specials,
    weekdaySpecials: weekday.specials.length === 0 ? undefined : weekday.specials,
    dayRule: isEither ? 'either' : 'both',
    years: isFull('year', year.values) ? undefined : yearTable(year.values),
  };
}

/** Two day fields that let every day pass, though written as `1-31` or `0-6`, are both a `*`. */
function simplifyDays(fields: CronValues): CronValues {
  const monthDay = fields['day-of-month'];
  const weekday = fields['day-of-week'];
  const isAllMonthDays = isFull('day-of-month', monthDay.values);
  const isAllWeekdays = isFull('day-of-week', weekday.values);
  const isEither = monthDay.wildSteps.length === 0 && weekday.wildSteps.length === 0;
  if (!isAllMonthDays && !isAllWeekdays) return fields;
  return {
    ...fields,
    'day-of-month': isAllMonthDays || isEither ? any('day-of-month') : monthDay,
    'day-of-week': isAllWeekdays || isEither ? any('day-of-week') : weekday,
  };
}

function any(name: FieldName): FieldValues {
  return { values: allValues[name], specials: [], wildSteps: [1] };
}

function yearTable(values: ReadonlySet<number>): Uint8Array {
  const table = new Uint8Array(lastYear - firstYear + 1);
  for (const year of values) table[year - firstYear] = 1;
  return table;
}
