/**
 * `@every 1h30m`: a period in whole seconds. Ticks are the whole multiples of it since the epoch, so
 * that all workers agree on them without having to know when the job was made.
 */
const unitSeconds = { d: 86_400, h: 3600, m: 60, s: 1 } as const;
const mostSeconds = 366 * unitSeconds.d;

export interface PeriodFault {
  readonly message: string;
  readonly got: string;
}

export const periodExpected =
  '@every and a period of days, hours, minutes, seconds, from 1s to 366d: @every 10s, @every 1h30m';

/** Seconds of a period such as `10s`, `5m`, `1h30m`, `2d`. */
export function readPeriod(text: string): number | PeriodFault {
  if (text === '') return { message: '@every needs a period, as in @every 10s', got: '@every' };
  const parts = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text.toLowerCase());
  if (parts === null)
    return { message: `The period is not understood${periodHint(text)}`, got: text };
  const [, days = '0', hours = '0', minutes = '0', seconds = '0'] = parts;
  const total =
    Number(days) * unitSeconds.d +
    Number(hours) * unitSeconds.h +
    Number(minutes) * unitSeconds.m +
    Number(seconds);
  if (total < 1) return { message: 'The period is shorter than a second', got: text };
  if (total > mostSeconds) return { message: 'The period is longer than 366 days', got: text };
  return total;
}

function periodHint(text: string): string {
  if (/^\d+$/.test(text)) return `: a unit is missing. Did you mean ${text}s or ${text}m?`;
  if (/^(?:\d+[dhms])+\d+$/i.test(text)) return ': its last number has no unit';
  if (/^[\d.]+(?:ms|us|µs|ns)$/i.test(text)) return ': the least unit is a second';
  if (/^\d*\.\d/.test(text)) return ': only whole numbers; write 1h30m for one and a half hours';
  if (/^(?:\d+[dhms])+$/i.test(text)) {
    return ': each unit at most once, days before hours before minutes before seconds';
  }
  return '';
}

/** The shortest writing of a period: 5400 becomes `1h30m`. */
export function writePeriod(totalSeconds: number): string {
  let rest = totalSeconds;
  let text = '';
  for (const [unit, size] of Object.entries(unitSeconds)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) text += `${count}${unit}`;
  }
  return text;
}
