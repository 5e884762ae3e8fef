/**
 * Says why an expression has no date at all: the problem of 30 February and its relatives.
 */
import { renderGot } from '../errors.ts';
import type { FieldProblem } from '../errors.ts';
import { lowestFrom, maskOf } from './bit-mask.ts';
import { firstYear, lastYear } from './cron-fields.ts';
import type { CronSpec } from './cron-spec.ts';
import { monthWords } from './describe-days.ts';

const longMonths = maskOf([1, 3, 5, 7, 8, 10, 12], 1);

export function neverProblem(spec: CronSpec, cronExpr: string): FieldProblem {
  return {
    field: '/cronExpr',
    message: `The schedule never fires: ${reason(spec)}`,
    expected: `a date that comes between ${firstYear} and ${lastYear}`,
    got: renderGot(cronExpr),
  };
}

function reason(spec: CronSpec): string {
  const day = lowestFrom(spec.monthDays, 0) + 1;
  const longest = spec.months === 2 ? 29 : (spec.months & longMonths) === 0 ? 30 : 31;
  if (day > longest && spec.monthDaySpecials === undefined) {
    const months = monthWords.filter((_, index) => ((spec.months >>> index) & 1) === 1);
    return `${months.join(', ')} has no day ${day}`;
  }
  if (day === 29 && spec.months === 2 && spec.years !== undefined) {
    return 'none of its years has a 29 February that matches';
  }
  return 'no day matches its day, month and year fields together';
}
