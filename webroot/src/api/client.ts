/**
 * One function between the console and the master: JSON in and out, a bounded wait, problem
 * documents turned into ApiError. Every answer's Date header feeds the server clock.
 */
import { serverClock } from '../live/server-clock.ts';
import { ApiError } from './api-error.ts';
import { basePath } from './cell.ts';
import type { FieldError } from './shapes.ts';

const defaultTimeoutMs = 15_000;

export interface RequestOptions {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  /** Asked of the master as a whole, not of the cell that this tab shows. */
  readonly ofMaster?: boolean;
}

/** Throws ApiError; an abort through `signal` is passed on as it is. */
export async function request<T>(path: string, options: RequestOptions = {}): Promise<T> {
  const response = await send(path, 'application/json', options);
  if (response.status === 204) return decode<T>(undefined);
  return decode<T>(await response.json());
}

/** As `request`, for answers that are not JSON. */
export async function requestText(path: string, options: RequestOptions = {}): Promise<Blob> {
  return (await send(path, 'text/plain', options)).blob();
}

async function send(path: string, accept: string, options: RequestOptions): Promise<Response> {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? defaultTimeoutMs);
  const headers = new Headers({ accept, ...options.headers });
  const init: RequestInit = { method: options.method ?? 'GET', headers };
  init.signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  if (options.body !== undefined) {
    headers.set('content-type', 'application/json');
    init.body = JSON.stringify(options.body);
  }
  const sentAt = Date.now();
  let response: Response;
  try {
    const base = options.ofMaster === true ? '' : basePath();
    response = await fetch(`${base}/api/v1${path}`, init);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    const code = timeout.aborted ? 'timed-out' : 'unreachable';
    throw new ApiError(0, code, '', { cause: error });
  }
  serverClock.observe(response.headers.get('date'), sentAt, Date.now());
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function problemOf(response: Response): Promise<ApiError> {
  const requestId = response.headers.get('x-request-id') ?? undefined;
  let body: unknown;
  try {
    body = await response.json();
  } catch {
    // Not ours: a proxy's error page. The status says what there is to say.
  }
  const fallback = `${response.status} ${response.statusText}`.trim();
  if (typeof body !== 'object' || body === null) {
    return new ApiError(response.status, 'unexpected', fallback, { requestId });
  }
  const problem = decode<Partial<Problem>>(body);
  return new ApiError(
    response.status,
    problem.code ?? 'unexpected',
    problem.detail ?? problem.title ?? fallback,
    { errors: problem.errors ?? [], requestId: problem.requestId ?? requestId },
  );
}

interface Problem {
  readonly title: string;
  readonly detail: string;
  readonly code: string;
  readonly requestId: string;
  readonly errors: readonly FieldError[];
}

/**
 * The one place where an answer gets its type unchecked: console and master are built together from
 * the same schemas, and parsing a second time would cost more than all of the console's own code.
 */
function decode<T>(body: unknown): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return body as T;
}

export function queryString(
  entries: readonly (readonly [string, string | number | undefined])[],
): string {
  const search = new URLSearchParams();
  for (const [name, value] of entries) {
    if (value !== undefined && value !== '') search.append(name, String(value));
  }
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}
