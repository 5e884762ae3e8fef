/**
 * A schedule in English words: short for the forms people write, field by field for the rest. Made
 * from the canonical text, so that what it says is what the schedule does. It does not name the zone.
 */
import { describeDays } from './describe-days.ts';
import { clockText, countWords, itemWords, joinWords, readTextField } from './describe-field.ts';
import type { TextField } from './describe-field.ts';
import { parseSchedule } from './parse-schedule.ts';
import type { Schedule } from './schedule.ts';

/** So many clock times are listed one by one. */
const mostTimes = 8;

/** Throws `schedule-invalid` for an expression that is not one. */
export function describeSchedule(schedule: Schedule | string): string {
  const { canonical } = typeof schedule === 'string' ? parseSchedule(schedule, 'UTC') : schedule;
  const [second = '*', minute = '*', hour = '*', monthDay = '*', month = '*', weekday = '*', year] =
    canonical.split(' ');
  if (second === '@every') return `Every ${periodWords(minute)}`;
  const clock: Clock = {
    second: readTextField('second', second),
    minute: readTextField('minute', minute),
    hour: readTextField('hour', hour),
  };
  const days = describeDays(monthDay, month, weekday, year ?? '*');
  const regular = intervalWords(clock) ?? hourlyWords(clock);
  if (regular !== undefined) return `${regular}${days.words}`;
  const times = clockTimes(clock);
  if (times === undefined) return `${fieldWords(clock)}${days.words}`;
  return `At ${joinWords(times)}${days.isEveryDay ? ' every day' : ''}${days.words}`;
}

interface Clock {
  readonly second: TextField;
  readonly minute: TextField;
  readonly hour: TextField;
}

/** "Every 10 seconds", "Every 5 minutes from 09:00 to 17:55". */
function intervalWords({ second, minute, hour }: Clock): string | undefined {
  if (!hour.isAny && !hour.isSpan) return undefined;
  const within = (unit: 'second' | 'minute'): string => {
    if (hour.isAny) return '';
    const start = clockText(hour.first, minute.first, second.first, unit === 'second');
    return ` from ${start} to ${clockText(hour.last, minute.last, second.last, unit === 'second')}`;
  };
  if (minute.isAny && second.evenStep !== undefined) {
    return `Every ${countWords(second.evenStep, 'second')}${within('second')}`;
  }
  if (minute.evenStep === undefined || !second.isSingle) return undefined;
  const at = second.first === 0 ? '' : ` at second ${second.first}`;
  return `Every ${countWords(minute.evenStep, 'minute')}${at}${within('minute')}`;
}

/** "Every hour", "Every hour at 15 minutes past", "Every 6 hours from 00:15", "Every hour from 09:15 to 17:15". */
function hourlyWords({ second, minute, hour }: Clock): string | undefined {
  if (!second.isSingle || !minute.isSingle) return undefined;
  const at = (hours: number): string => clockText(hours, minute.first, second.first, false);
  if (hour.isAny) {
    const past = [
      ...(minute.first === 0 ? [] : [`${minute.first} minute${minute.first === 1 ? '' : 's'}`]),
      ...(second.first === 0 ? [] : [`${second.first} second${second.first === 1 ? '' : 's'}`]),
    ];
    return past.length === 0 ? 'Every hour' : `Every hour at ${past.join(' and ')} past`;
  }
  if (hour.evenStep !== undefined) {
    return `Every ${countWords(hour.evenStep, 'hour')} from ${at(0)}`;
  }
  if (!hour.isSpan || hour.values.length < 3) return undefined;
  return `Every hour from ${at(hour.first)} to ${at(hour.last)}`;
}

function clockTimes({ second, minute, hour }: Clock): string[] | undefined {
  if (second.values.length * minute.values.length * hour.values.length > mostTimes)
    return undefined;
  return hour.values.flatMap((h) =>
    minute.values.flatMap((m) => second.values.map((s) => clockText(h, m, s, false))),
  );
}

/** "At seconds 0 and 30 of minutes 5 to 10 of every hour": always possible, never short. */
function fieldWords({ second, minute, hour }: Clock): string {
  const words = (field: TextField, unit: string): string => {
    if (field.isAny) return `every ${unit}`;
    return `${unit}${field.isSingle ? '' : 's'} ${joinWords(field.items.map(itemWords))}`;
  };
  const seconds = second.isSingle && second.first === 0 ? [] : [words(second, 'second')];
  return `At ${[...seconds, words(minute, 'minute'), words(hour, 'hour')].join(' of ')}`;
}

function periodWords(period: string): string {
  const units = new Map([
    ['d', 'day'],
    ['h', 'hour'],
    ['m', 'minute'],
    ['s', 'second'],
  ]);
  const parts = [...period.matchAll(/(\d+)([dhms])/g)].map(([, count = '0', unit = 's']) => ({
    count: Number(count),
    unit: units.get(unit) ?? unit,
  }));
  const [only] = parts;
  // A long period has a phase, and it is not that of the zone.
  const phase = /[dh]/.test(period) ? ', counted in UTC' : '';
  if (parts.length === 1 && only !== undefined)
    return `${countWords(only.count, only.unit)}${phase}`;
  const words = joinWords(
    parts.map(({ count, unit }) => `${count} ${unit}${count === 1 ? '' : 's'}`),
  );
  return `${words}${phase}`;
}
