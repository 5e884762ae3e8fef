/**
 * From the items of seven fields to their values: cron-parser expands the six standard fields, this
 * file adds the years, the specials and which fields count as wildcards.
 */
import { allValues, fieldRules, isFull, mapFields } from './cron-fields.ts';
import type {
  CronItems,
  CronValues,
  DaySpecial,
  FieldItem,
  FieldName,
  PlainItem,
} from './cron-fields.ts';
import { expandStandardFields } from './standard-fields.ts';

export function expandFields(items: CronItems): CronValues {
  const plain = mapFields((name) => items[name].filter(isPlain));
  const values = { ...expandStandardFields(plain), year: yearValues(plain.year) };
  return mapFields((name) => ({
    values: values[name],
    specials: isFull(name, values[name]) ? [] : specialsBeside(items[name], values[name]),
    wildSteps: wildSteps(name, plain[name], values[name]),
  }));
}

function isPlain(item: FieldItem): item is PlainItem {
  return item.kind === 'plain';
}

/** The specials that add something to the values: `5L` does not when `5` is there too. */
function specialsBeside(
  items: readonly FieldItem[],
  values: ReadonlySet<number>,
): readonly DaySpecial[] {
  return items.filter(
    (item): item is DaySpecial =>
      !isPlain(item) && !('weekday' in item && values.has(item.weekday)),
  );
}

/**
 * For the minute and the hour a whole range is a wildcard however it is written (`0-59`, `0/5`); for
 * the day fields only `*` and `?` are, as Vixie has it.
 */
function wildSteps(
  name: FieldName,
  items: readonly PlainItem[],
  values: ReadonlySet<number>,
): readonly number[] {
  const { min, last } = fieldRules[name];
  const isDay = name === 'day-of-month' || name === 'day-of-week';
  const wild = items.filter(
    ({ star, start, end }) => star || (!isDay && start === min && end === last),
  );
  if (isFull(name, values) && (!isDay || wild.length > 0)) return [1];
  return [...new Set(wild.map(({ step }) => step))].sort((a, b) => a - b);
}

function yearValues(items: readonly PlainItem[]): ReadonlySet<number> {
  if (items.some(({ star, step }) => star && step === 1)) return allValues.year;
  const values = new Set<number>();
  for (const { start, end, step } of items) {
    for (let year = start; year <= end; year += step) values.add(year);
  }
  return values;
}
