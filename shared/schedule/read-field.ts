/**
 * Reads the text of one field into its items, or says exactly which item is wrong and why. Text is
 * upper case and has no blanks. What is allowed where is in cron-fields.ts.
 */
import type { DaySpecial, FieldItem, FieldRule, PlainItem } from './cron-fields.ts';
import { nearestText } from './near-text.ts';

export interface FieldFault {
  readonly kind: 'fault';
  /** A sentence without its field's name and full stop. */
  readonly message: string;
  /** The part of the field that is wrong. */
  readonly got: string;
}

function fault(message: string, got: string): FieldFault {
  return { kind: 'fault', message, got };
}

export function readField(rule: FieldRule, text: string): readonly FieldItem[] | FieldFault {
  const items: FieldItem[] = [];
  for (const part of text.split(',')) {
    if (part === '') return fault('an item of its list is empty', text);
    const item = readSpecial(rule, part) ?? readPlain(rule, part);
    if (item.kind === 'fault') return item;
    items.push(item);
  }
  return items;
}

function readSpecial(rule: FieldRule, part: string): DaySpecial | FieldFault | undefined {
  if (rule.name === 'day-of-month') return readMonthDaySpecial(rule, part);
  if (rule.name === 'day-of-week') return readWeekdaySpecial(rule, part);
  return undefined;
}

function readMonthDaySpecial(rule: FieldRule, part: string): DaySpecial | FieldFault | undefined {
  if (part === 'L') return { kind: 'last-day', before: 0 };
  if (part === 'LW') return { kind: 'last-working-day' };
  if (part === 'W') return fault('W needs a day before it, as in 15W', part);
  const before = /^L-(\d{1,4})$/.exec(part)?.[1];
  if (before !== undefined) {
    if (Number(before) > 30) return fault('no month has so many days before its last', part);
    return { kind: 'last-day', before: Number(before) };
  }
  const near = /^(.+)W$/.exec(part)?.[1];
  if (near !== undefined) {
    const day = readValue(rule, near);
    return typeof day === 'number' ? { kind: 'nearest-working-day', day } : day;
  }
  if (part.includes('#')) return fault('# belongs to the day-of-week field, as in 5#2', part);
  return undefined;
}

function readWeekdaySpecial(rule: FieldRule, part: string): DaySpecial | FieldFault | undefined {
  if (part === 'L') return fault('L needs a day of the week before it, as in 6L or SATL', part);
  if (part.endsWith('W')) return fault('W belongs to the day-of-month field, as in 15W', part);
  const lastOf = /^(.+)L$/.exec(part)?.[1];
  if (lastOf !== undefined) {
    const weekday = readValue(rule, lastOf);
    return typeof weekday === 'number' ? { kind: 'last-weekday', weekday: weekday % 7 } : weekday;
  }
  if (!part.includes('#')) return undefined;
  const [name = '', count = '', ...more] = part.split('#');
  if (more.length > 0 || !/^[1-5]$/.test(count)) {
    return fault('after # comes which one of the month, 1 to 5, as in 5#2', part);
  }
  const weekday = readValue(rule, name);
  if (typeof weekday !== 'number') return weekday;
  return { kind: 'nth-weekday', weekday: weekday % 7, nth: Number(count) };
}

function readPlain(rule: FieldRule, part: string): PlainItem | FieldFault {
  const [range = '', stepText, ...moreSteps] = part.split('/');
  if (moreSteps.length > 0) return fault('it has more than one /', part);
  const step = stepText === undefined ? 1 : readStep(rule, stepText, part);
  if (typeof step !== 'number') return step;
  const isDay = rule.name === 'day-of-month' || rule.name === 'day-of-week';
  if (range === '*' || (range === '?' && isDay && stepText === undefined)) {
    return { kind: 'plain', start: rule.min, end: rule.last, step, star: true };
  }
  if (range === '?') {
    return fault('? may only stand alone, for the day of the month or of the week', part);
  }
  const [startText = '', endText, ...moreEnds] = range.split('-');
  if (moreEnds.length > 0) return fault('a range has one start and one end', part);
  const start = readValue(rule, startText);
  if (typeof start !== 'number') return start;
  if (endText === undefined) {
    const end = stepText === undefined ? start : Math.max(start, rule.last);
    return { kind: 'plain', start, end, step, star: false };
  }
  const written = readValue(rule, endText);
  if (typeof written !== 'number') return written;
  // Sunday may end a week as well as begin it.
  const end = rule.name === 'day-of-week' && written === 0 && start > 0 ? 7 : written;
  if (start > end)
    return fault(`a range cannot run backwards; ${splitRange(rule, start, end)}`, part);
  return { kind: 'plain', start, end, step, star: false };
}

function splitRange(rule: FieldRule, start: number, end: number): string {
  const span = (from: number, to: number): string => (from === to ? `${from}` : `${from}-${to}`);
  return rule.name === 'year'
    ? `write ${end}-${start}`
    : `write ${span(start, rule.last)},${span(rule.min, end)}`;
}

function readStep(rule: FieldRule, text: string, part: string): number | FieldFault {
  if (!/^\d{1,6}$/.test(text)) return fault('after / comes a step, a whole number', part);
  const step = Number(text);
  const most = rule.last - rule.min + 1;
  if (step === 0) return fault('a step of 0 never moves on; the least step is 1', part);
  if (step <= most) return step;
  const unit = { second: 's', minute: 'm', hour: 'h' }[rule.name as string];
  const instead = unit === undefined ? '' : `; for a longer interval write @every ${step}${unit}`;
  return fault(`a step of ${step} is more than the field's ${most} values${instead}`, part);
}

function readValue(rule: FieldRule, text: string): number | FieldFault {
  if (/^\d{1,4}$/.test(text)) {
    const value = Number(text);
    if (value < rule.min) return fault(`${value} is below ${rule.min}`, text);
    if (value > rule.max) return fault(`${value} is above ${rule.max}`, text);
    return value;
  }
  if (/^\d+$/.test(text)) return fault(`the number is above ${rule.max}`, text);
  if (text === '') return fault('a number is missing', text);
  const { names, firstName = 0 } = rule;
  if (names === undefined) return fault('this is not a number', text);
  const index = names.indexOf(text);
  if (index >= 0) return index + firstName;
  const meant =
    names.find((name) => text.length > 3 && text.startsWith(name)) ?? nearestText(text, names);
  const hint = meant === undefined ? '' : `. Did you mean ${meant}?`;
  return fault(`this is neither a number nor a name${hint}`, text);
}
