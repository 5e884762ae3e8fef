/**
 * One route of the API: what it takes, what it answers, and the handler. The router, the checks of
 * input and the OpenAPI document are all made from the same table of these, so none can drift.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { z } from 'zod';
import { CronmeshError, type ErrorCode } from '../../shared/errors.ts';
import { parseWith, problemsOf, summaryOf } from '../../shared/job/zod-problems.ts';
import type { Reply } from './reply.ts';

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

export interface ReplyDoc {
  readonly description: string;
  /** Absent: no content. */
  readonly schema?: z.ZodType;
  /** Default `application/json`. */
  readonly type?: string;
  /** Answered under these types as well, with content that has no schema. */
  readonly otherTypes?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HeaderDoc {
  readonly name: string;
  readonly description: string;
  readonly required?: boolean;
}

interface RouteDoc {
  readonly method: Method;
  /** `/api/v1/jobs/:name`. */
  readonly path: string;
  /** The cell that it is of, where there are cells; its path begins with the cell's then. */
  readonly cell?: string;
  readonly summary: string;
  readonly tag: string;
  readonly headers?: readonly HeaderDoc[];
  /** By status; refusals are problem documents and need not be listed. */
  readonly replies: Readonly<Record<number, ReplyDoc>>;
  /** Statuses of refusals that are normal here, for the document. */
  readonly refusals?: readonly number[];
  /** The handler opens a stream; HEAD is answered without calling it. */
  readonly isStream?: boolean;
}

/** A request before its parts are parsed. */
export interface RawCall {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  /** Reads and parses the JSON body; undefined when there is none and that is allowed. */
  readonly readBody: (isOptional: boolean) => Promise<unknown>;
  readonly headers: IncomingHttpHeaders;
  /** Who asks, as history shows it: `console` or `api`, and the address. */
  readonly by: string;
}

export interface Call<P, Q, B> extends Omit<RawCall, 'params' | 'query' | 'readBody'> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
}

export interface RouteSpec<
  P extends z.ZodObject,
  Q extends z.ZodObject,
  B extends z.ZodType,
> extends RouteDoc {
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly isBodyOptional?: boolean;
  /** What the document shows in place of `body`. */
  readonly bodyDoc?: z.ZodType;
  /** Code of a body that is JSON but not what `body` says. Default `request-invalid`. */
  readonly bodyCode?: ErrorCode;
  readonly handle: (call: Call<z.output<P>, z.output<Q>, z.output<B>>) => Promise<Reply>;
}

export interface Route extends RouteDoc {
  readonly params: z.ZodObject | undefined;
  readonly query: z.ZodObject | undefined;
  readonly bodyDoc: z.ZodType | undefined;
  readonly isBodyOptional: boolean;
  readonly answer: (raw: RawCall) => Promise<Reply>;
}

export function defineRoute<
  P extends z.ZodObject = z.ZodObject,
  Q extends z.ZodObject = z.ZodObject,
  B extends z.ZodType = z.ZodUndefined,
>(spec: RouteSpec<P, Q, B>): Route {
  const { params, query, body, bodyDoc, isBodyOptional = false, handle, ...doc } = spec;
  return {
    ...doc,
    params,
    query,
    bodyDoc: bodyDoc ?? body,
    isBodyOptional,
    answer: async (raw) => {
      // A wrong address is told before a wrong body is even read.
      const call = {
        headers: raw.headers,
        by: raw.by,
        params: parsePart(params, raw.params, 'The path'),
        query: parsePart(query, raw.query, 'The query'),
      };
      const input = body === undefined ? undefined : await raw.readBody(isBodyOptional);
      return handle({ ...call, body: parseBody(body, input, spec.bodyCode) });
    },
  };
}

function parsePart<S extends z.ZodObject>(
  schema: S | undefined,
  input: unknown,
  what: string,
): z.output<S> {
  if (schema === undefined) return nothing();
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = problemsOf(parsed.error, input).map((problem) => ({
    ...problem,
    // Names of the query and the path are no pointers into a document.
    field: problem.field.split('/')[1] ?? '',
  }));
  throw new CronmeshError('request-invalid', `${what} is not valid: ${summaryOf(problems)}`, {
    problems,
  });
}

function parseBody<S extends z.ZodType>(
  schema: S | undefined,
  input: unknown,
  code: ErrorCode = 'request-invalid',
): z.output<S> {
  return schema === undefined ? nothing() : parseWith(schema, input, code, 'The body');
}

/** The part of a call that its route has no schema for: no handler looks for anything in it. */
function nothing<T>(): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return undefined as T;
}
