/**
 * One field of a canonical text as the words of a description need it, and the small words.
 */
import { fieldRules } from './cron-fields.ts';
import type { DaySpecial, FieldName, PlainItem } from './cron-fields.ts';
import { readField } from './read-field.ts';

export interface TextField {
  readonly isAny: boolean;
  readonly isSingle: boolean;
  /** Values without holes between the first and the last. */
  readonly isSpan: boolean;
  readonly first: number;
  readonly last: number;
  /** The step of `*` or of a step that divides the whole range evenly. */
  readonly evenStep: number | undefined;
  readonly items: readonly PlainItem[];
  readonly specials: readonly DaySpecial[];
  /** Sorted. */
  readonly values: readonly number[];
}

export function readTextField(name: FieldName, text: string): TextField {
  const rule = fieldRules[name];
  const read = readField(rule, text);
  const all = 'kind' in read ? [] : read;
  const items = all.filter((item) => item.kind === 'plain');
  const set = new Set<number>();
  for (const { start, end, step } of items) {
    for (let value = start; value <= end; value += step) set.add(value);
  }
  const values = [...set].sort((a, b) => a - b);
  const first = values[0] ?? rule.min;
  const last = values.at(-1) ?? rule.min;
  const [item] = items;
  const starStep = items.length === 1 && item?.star === true ? item.step : undefined;
  // For seconds a list is as good as a star; for minutes and hours it decides the DST rule.
  const step = starStep ?? (name === 'second' ? gapOf(values) : undefined);
  const isEven =
    step !== undefined &&
    (rule.last - rule.min + 1) % step === 0 &&
    (starStep !== undefined || values.length * step === rule.last - rule.min + 1);
  return {
    isAny: text === '*',
    isSingle: values.length === 1,
    isSpan: values.length === last - first + 1,
    first,
    last,
    evenStep: isEven && values.length > 1 ? step : undefined,
    items,
    specials: all.filter((each): each is DaySpecial => each.kind !== 'plain'),
    values,
  };
}

/** The one distance between neighbours, when the first value is 0. */
function gapOf(values: readonly number[]): number | undefined {
  const [first, second] = values;
  if (first !== 0 || second === undefined) return undefined;
  return values.every((value, index) => value === index * second) ? second : undefined;
}

/** "second", "10 seconds": after "every". */
export function countWords(count: number, unit: string): string {
  return count === 1 ? unit : `${count} ${unit}s`;
}

/** "5", "5 to 10", "1 to 59 in steps of 2". */
export function itemWords({ start, end, step }: PlainItem): string {
  if (start === end) return `${start}`;
  return step === 1 ? `${start} to ${end}` : `${start} to ${end} in steps of ${step}`;
}

/** "a", "a and b", "a, b and c". */
export function joinWords(words: readonly string[], joint = 'and'): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} ${joint} ${words.at(-1)}`;
}

/** `02:30`, and `02:30:15` when there are seconds or they are wanted. */
export function clockText(
  hour: number,
  minute: number,
  second: number,
  withSecond: boolean,
): string {
  const pad = (value: number): string => String(value).padStart(2, '0');
  const text = `${pad(hour)}:${pad(minute)}`;
  return withSecond || second !== 0 ? `${text}:${pad(second)}` : text;
}

export function ordinal(value: number): string {
  const ending = { 1: 'st', 2: 'nd', 3: 'rd', 21: 'st', 22: 'nd', 23: 'rd', 31: 'st' }[value];
  return `${value}${ending ?? 'th'}`;
}
