/**
 * Problem documents (RFC 9457): every refusal the API answers, made from the catalogue's code. What
 * is not a CronmeshError is our own fault, and says nothing of itself to the outside.
 */
import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import { CronmeshError, errorCatalogue, isCronmeshError } from '../../shared/errors.ts';
import { Refusal, type Headers } from './reply.ts';

export const problemType = 'application/problem+json; charset=utf-8';

const codes = Object.keys(errorCatalogue);

export const problemSchema = z
  .strictObject({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.int(),
    code: z.string().refine((code) => codes.includes(code), 'is not in the catalogue'),
    detail: z.string(),
    requestId: z.string(),
    errors: z.array(
      z.strictObject({
        pointer: z
          .string()
          .describe('JSON pointer into the body, or the name of a query, path or header field.'),
        message: z.string(),
        expected: z.string(),
        got: z.string(),
      }),
    ),
  })
  .meta({ id: 'Problem' });

export interface ProblemAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: z.output<typeof problemSchema>;
  /** True when nobody but us is to blame, so that it must be logged with its stack. */
  readonly unexpected: boolean;
}

export function problemAnswer(error: unknown, requestId: string): ProblemAnswer {
  const refusal = error instanceof Refusal ? error : undefined;
  const cause = refusal?.problem ?? error;
  const known = isCronmeshError(cause)
    ? cause
    : new CronmeshError('internal', 'The master failed to answer; its log says more.', { cause });
  const { status, code } = known;
  return {
    status,
    headers: { ...(status === 503 ? { 'Retry-After': '1' } : {}), ...refusal?.headers },
    body: {
      type: 'about:blank',
      title: STATUS_CODES[status] ?? 'Error',
      status,
      code,
      detail: known.message,
      requestId,
      errors: known.problems.map(({ field, message, expected, got }) => ({
        pointer: field,
        message,
        expected,
        got,
      })),
    },
    unexpected: !isCronmeshError(cause) || code === 'internal',
  };
}

/** One field of a request that is wrong, outside its body. */
export function badField(
  field: string,
  message: string,
  expected: string,
  got: string,
): CronmeshError {
  return new CronmeshError('request-invalid', `${field} ${message}`, {
    problems: [{ field, message, expected, got }],
  });
}
