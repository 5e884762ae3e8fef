/**
 * Reads the text of an expression: a macro, `@every`, or 5, 6 or 7 fields; into the items of seven
 * fields or a period, or into the list of everything that is wrong with it. Whether its dates exist
 * is not looked at here.
 */
import { renderGot } from '../errors.ts';
import type { FieldProblem } from '../errors.ts';
import { fieldNames, fieldRules, mapFields } from './cron-fields.ts';
import type { CronItems, FieldItem } from './cron-fields.ts';
import { periodExpected, readPeriod } from './every-period.ts';
import { nearestText } from './near-text.ts';
import { readField } from './read-field.ts';

export type ExpressionReading =
  | { readonly kind: 'cron'; readonly items: CronItems }
  | { readonly kind: 'every'; readonly seconds: number }
  | { readonly kind: 'faulty'; readonly problems: readonly FieldProblem[] };

const macros: ReadonlyMap<string, string> = new Map([
  ['@YEARLY', '0 0 0 1 1 * *'],
  ['@ANNUALLY', '0 0 0 1 1 * *'],
  ['@MONTHLY', '0 0 0 1 * * *'],
  ['@WEEKLY', '0 0 0 * * 0 *'],
  ['@DAILY', '0 0 0 * * * *'],
  ['@MIDNIGHT', '0 0 0 * * * *'],
  ['@HOURLY', '0 0 * * * * *'],
]);

const macrosExpected =
  '@yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly or @every with a period';

const fieldsExpected =
  '5 fields (minute hour day-of-month month day-of-week), 6 (second first), 7 (year last), or a macro such as @daily';

function problem(message: string, expected: string, got: string): FieldProblem {
  return { field: '/cronExpr', message, expected, got };
}

function faulty(...problems: readonly FieldProblem[]): ExpressionReading {
  return { kind: 'faulty', problems };
}

export function readExpression(text: string): ExpressionReading {
  const trimmed = text.trim();
  if (trimmed === '') {
    return faulty(problem('The expression is empty', fieldsExpected, renderGot(text)));
  }
  // Anything but a tab: a NUL or a line break here is never meant, and would travel into logs and keys.
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(trimmed.replaceAll('\t', ' '))) {
    const message = 'The expression has control characters or line breaks in it';
    return faulty(problem(message, 'one line of printable text', renderGot(text)));
  }
  if (trimmed.startsWith('@')) return readMacro(trimmed);
  return readFields(trimmed);
}

function readMacro(text: string): ExpressionReading {
  const [name = '', ...rest] = text.split(/[ \t]+/);
  const macro = name.toUpperCase();
  if (macro === '@EVERY') return readEvery(rest);
  if (macro === '@REBOOT') {
    const message =
      '@reboot is not supported: a job belongs to the whole mesh, which has no boot of its own';
    return faulty(problem(message, macrosExpected, renderGot(text)));
  }
  const fields = macros.get(macro);
  if (fields === undefined) {
    const meant = nearestText(macro, [...macros.keys(), '@EVERY'])?.toLowerCase();
    const hint = meant === undefined ? '' : `. Did you mean ${meant}?`;
    return faulty(problem(`There is no such macro${hint}`, macrosExpected, renderGot(name)));
  }
  if (rest.length > 0) {
    const message = `Nothing may follow ${name.toLowerCase()}; a command goes into the job's command`;
    return faulty(problem(message, name.toLowerCase(), renderGot(text)));
  }
  return readFields(fields);
}

function readEvery(rest: readonly string[]): ExpressionReading {
  if (rest.length > 1) {
    const message = 'The period of @every is one word without blanks';
    return faulty(problem(message, periodExpected, renderGot(rest.join(' '))));
  }
  const period = readPeriod(rest[0] ?? '');
  if (typeof period === 'number') return { kind: 'every', seconds: period };
  return faulty(problem(period.message, periodExpected, renderGot(period.got)));
}

function readFields(text: string): ExpressionReading {
  const words = text.split(/[ \t]+/);
  if (words.length < 5 || words.length > 7) {
    const count = `${words.length} ${words.length === 1 ? 'field' : 'fields'}`;
    return faulty(
      problem(`The expression has ${count}${countHint(words)}`, fieldsExpected, renderGot(text)),
    );
  }
  const written = [...(words.length === 5 ? ['0'] : []), ...words];
  if (written.length === 6) written.push('*');
  const problems: FieldProblem[] = [];
  const items = mapFields((name): readonly FieldItem[] => {
    const word = written[fieldNames.indexOf(name)] ?? '*';
    const read = readField(fieldRules[name], word.toUpperCase());
    if (!('kind' in read)) return read;
    const isPart = read.got !== '' && read.got !== word.toUpperCase();
    const got = isPart ? `${read.got} in ${word}` : word;
    const hint = name === 'day-of-week' ? yearHint(words) : '';
    const message = `The ${name} field is wrong: ${read.message}${hint}`;
    problems.push(problem(message, fieldRules[name].expected, renderGot(got)));
    return [];
  });
  return problems.length > 0 ? { kind: 'faulty', problems } : { kind: 'cron', items };
}

function countHint(words: readonly string[]): string {
  const [first = ''] = words;
  const period = /^(?:every)?((?:\d+[dhms])+)$/i.exec(words.join(''))?.[1];
  if (period !== undefined) return `. Did you mean @every ${period.toLowerCase()}?`;
  if (macros.has(`@${first.toUpperCase()}`) && words.length === 1) {
    return `. Did you mean @${first.toLowerCase()}?`;
  }
  if (/^(?:CRON_)?TZ=/i.test(first)) return ": the zone goes into the job's timezone";
  if (words.length === 4) return ': one is missing';
  if (words.length > 7) return ": a command, if this is one, goes into the job's command";
  return '';
}

/** Six fields begin with seconds; somebody who ends them with a year meant seven. */
function yearHint(words: readonly string[]): string {
  return words.length === 6 && /^(?:19|20)\d\d\b/.test(words[5] ?? '')
    ? '. Six fields begin with seconds; to give a year write all seven'
    : '';
}
