/**
 * What a handler answers, as plain data: JSON, other content, a stream, or nothing. A refusal
 * is thrown instead: a CronmeshError, or a Refusal when headers must go with it.
 */
import type { Readable } from 'node:stream';
import type { CronmeshError } from '../../shared/errors.ts';

export type Headers = Readonly<Record<string, string>>;

export type Reply =
  | { readonly status: number; readonly headers?: Headers; readonly json: unknown }
  | {
      readonly status: number;
      readonly headers?: Headers;
      /** Content-Type. */
      readonly type: string;
      readonly content: string | Buffer | Readable;
    }
  | { readonly status: 204 | 304; readonly headers?: Headers };

export function ok(json: unknown, headers: Headers = {}): Reply {
  return { status: 200, json, headers };
}

/** A problem with headers of its own, such as the ETag that would have matched. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly problem: CronmeshError;
  readonly headers: Headers;

  constructor(problem: CronmeshError, headers: Headers) {
    super(problem.message, { cause: problem });
    this.problem = problem;
    this.headers = headers;
  }
}
