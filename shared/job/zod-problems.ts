/**
 * Turns zod's issues into FieldProblems: which field (JSON pointer), what was expected, what came.
 * Used for job definitions, API queries and configuration alike.
 */
import type { z } from 'zod';
import { CronmeshError, renderGot, type ErrorCode, type FieldProblem } from '../errors.ts';

export function problemsOf(error: z.core.$ZodError, input: unknown): FieldProblem[] {
  return error.issues.flatMap((issue) => problemsOfIssue(issue, input));
}

function problemsOfIssue(issue: z.core.$ZodIssue, input: unknown): FieldProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      field: pointer([...issue.path, key]),
      message: 'is not a known field',
      expected: 'a known field',
      got: renderGot(key),
    }));
  }
  if (issue.code === 'invalid_key') {
    return issue.issues.map((inner) => ({
      field: pointer(issue.path),
      message: inner.message,
      expected: expectationOf(inner),
      got: renderGot(issue.path.at(-1)),
    }));
  }
  const value = valueAt(input, issue.path);
  return [
    {
      field: pointer(issue.path),
      message: messageOf(issue, value),
      expected: expectationOf(issue),
      got: gotOf(issue, value),
    },
  ];
}

/** In the words of this product; a schema's own message stands where there is one. */
function messageOf(issue: z.core.$ZodIssue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return value === undefined ? 'is missing' : `is not ${withArticle(nounOf(issue.expected))}`;
    case 'too_small':
      return issue.origin === 'string' ? 'is too short' : 'is too small';
    case 'too_big':
      return issue.origin === 'string' ? 'is too long' : 'is too large';
    case 'invalid_value':
      return 'is not one of the choices';
    default:
      return issue.message;
  }
}

function nounOf(type: string): string {
  return type === 'int' ? 'whole number' : type;
}

function withArticle(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}

function expectationOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return nounOf(issue.expected);
    case 'too_small':
      return `at least ${String(issue.minimum)}${unitOf(issue.origin)}`;
    case 'too_big':
      return `at most ${String(issue.maximum)}${unitOf(issue.origin)}`;
    case 'invalid_value':
      return `one of ${issue.values.map((value) => renderGot(value)).join(', ')}`;
    case 'custom': {
      const expected: unknown = issue.params?.['expected'];
      return typeof expected === 'string' ? expected : issue.message;
    }
    default:
      return issue.message;
  }
}

function gotOf(issue: z.core.$ZodIssue, value: unknown): string {
  const got: unknown = issue.code === 'custom' ? issue.params?.['got'] : undefined;
  return typeof got === 'string' ? got : renderGot(value);
}

function unitOf(origin: string): string {
  return origin === 'string' ? ' characters' : '';
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

/** RFC 6901. */
export function pointer(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** Parses or throws `code` with all problems together. */
export function parseWith<T extends z.ZodType>(
  schema: T,
  input: unknown,
  code: ErrorCode,
  what: string,
): z.output<T> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = problemsOf(parsed.error, input);
  throw new CronmeshError(code, `${what} is not valid: ${summaryOf(problems)}`, { problems });
}

/** One line for logs and terminals: `field: message (expected …, got …)`, joined by `; `. */
export function summaryOf(problems: readonly FieldProblem[]): string {
  return problems
    .map(
      ({ field, message, expected, got }) =>
        `${field === '' ? '(whole)' : field} ${message} (expected ${expected}, got ${got})`,
    )
    .join('; ');
}
