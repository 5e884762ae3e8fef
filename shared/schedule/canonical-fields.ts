/**
 * The one way to write an expression: seven fields, numbers only, sorted and compressed. Equal texts
 * have equal ticks, and reading a canonical text gives the same text again; so wildcards keep their
 * `*` in the fields where Vixie's rules look at it.
 */
import { fieldNames, fieldRules } from './cron-fields.ts';
import type { CronValues, DaySpecial, FieldName, FieldValues } from './cron-fields.ts';

export function canonicalFields(fields: CronValues): string {
  return fieldNames.map((name) => canonicalField(name, fields[name])).join(' ');
}

function canonicalField(name: FieldName, field: FieldValues): string {
  if (field.wildSteps[0] === 1) return '*';
  const values = [...field.values].sort((a, b) => a - b);
  if (name === 'second' || name === 'month' || name === 'year') {
    return wholeStep(name, values) ?? compress(values).join(',');
  }
  const steps = field.wildSteps.filter(
    (step, index, all) => !all.slice(0, index).some((smaller) => step % smaller === 0),
  );
  const { min } = fieldRules[name];
  const rest = values.filter((value) => !steps.some((step) => (value - min) % step === 0));
  const specials = new Set(
    [...field.specials].sort((a, b) => specialRank(a) - specialRank(b)).map(specialText),
  );
  return [...steps.map((step) => `*/${step}`), ...compress(rest), ...specials].join(',');
}

/** `*` with a step, where three values or more are exactly that. */
function wholeStep(name: FieldName, values: readonly number[]): string | undefined {
  const { min, last } = fieldRules[name];
  const step = (values[1] ?? 0) - min;
  const isWhole =
    values.length >= 3 &&
    values.length === Math.floor((last - min) / step) + 1 &&
    values.every((value, index) => value === min + index * step);
  return isWhole ? `*/${step}` : undefined;
}

/** Sorted numbers as ranges of three or more, steps of four or more, and what is left alone. */
function compress(values: readonly number[]): string[] {
  const parts: string[] = [];
  for (let index = 0; index < values.length;) {
    const first = values[index] ?? 0;
    const step = (values[index + 1] ?? 0) - first;
    let end = index + 1;
    while (end < values.length && (values[end] ?? 0) - (values[end - 1] ?? 0) === step) end++;
    const count = end - index;
    if (count < (step === 1 ? 3 : 4)) {
      parts.push(`${first}`);
      index++;
      continue;
    }
    parts.push(`${first}-${values[end - 1]}${step === 1 ? '' : `/${step}`}`);
    index = end;
  }
  return parts;
}

function specialText(special: DaySpecial): string {
  switch (special.kind) {
    case 'nearest-working-day':
      return `${special.day}W`;
    case 'last-day':
      return special.before === 0 ? 'L' : `L-${special.before}`;
    case 'last-working-day':
      return 'LW';
    case 'nth-weekday':
      return `${special.weekday}#${special.nth}`;
    case 'last-weekday':
      return `${special.weekday}L`;
  }
}

/** The order of a list: by where in the month it falls, near enough. */
function specialRank(special: DaySpecial): number {
  switch (special.kind) {
    case 'nearest-working-day':
      return special.day;
    case 'last-day':
      return 200 - special.before;
    case 'last-working-day':
      return 300;
    case 'nth-weekday':
      return special.weekday * 10 + special.nth;
    case 'last-weekday':
      return special.weekday * 10 + 9;
  }
}
