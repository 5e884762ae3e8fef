/**
 * The one catalogue of errors: every failure that crosses a module boundary is a CronmeshError
 * whose `code` is listed here. Callers decide by code, never by message. `status` is what the API
 * answers; `retryable` says whether the same call may succeed later without a change.
 */
export const errorCatalogue = {
  'config-invalid': { status: 500, retryable: false },
  'request-invalid': { status: 400, retryable: false },
  'body-malformed': { status: 400, retryable: false },
  'body-too-large': { status: 413, retryable: false },
  'range-invalid': { status: 416, retryable: false },
  'media-type-unsupported': { status: 415, retryable: false },
  'job-invalid': { status: 422, retryable: false },
  'calendar-invalid': { status: 422, retryable: false },
  'schedule-invalid': { status: 422, retryable: false },
  forbidden: { status: 403, retryable: false },
  'not-found': { status: 404, retryable: false },
  'method-not-allowed': { status: 405, retryable: false },
  'precondition-required': { status: 428, retryable: false },
  'precondition-failed': { status: 412, retryable: false },
  conflict: { status: 409, retryable: false },
  'etcd-unavailable': { status: 503, retryable: true },
  'etcd-compacted': { status: 503, retryable: true },
  'etcd-rejected': { status: 500, retryable: false },
  'etcd-txn-too-large': { status: 500, retryable: false },
  'unknown-result': { status: 503, retryable: true },
  'store-unavailable': { status: 503, retryable: true },
  'store-rejected': { status: 500, retryable: false },
  'spool-unavailable': { status: 503, retryable: true },
  busy: { status: 503, retryable: true },
  'address-in-use': { status: 500, retryable: false },
  internal: { status: 500, retryable: false },
} as const satisfies Record<string, { status: number; retryable: boolean }>;

export type ErrorCode = keyof typeof errorCatalogue;

/**
 * One thing that is wrong with an input.
 * `field` is a JSON pointer into a body (`/timezone`), a query or setting name (`limit`), or '' for
 * the whole.
 */
export interface FieldProblem {
  readonly field: string;
  readonly message: string;
  readonly expected: string;
  readonly got: string;
}

export class CronmeshError extends Error {
  override readonly name = 'CronmeshError';
  readonly code: ErrorCode;
  readonly problems: readonly FieldProblem[];

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; problems?: readonly FieldProblem[] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.problems = options.problems ?? [];
  }

  get retryable(): boolean {
    return errorCatalogue[this.code].retryable;
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }
}

export function isCronmeshError(error: unknown, code?: ErrorCode): error is CronmeshError {
  return error instanceof CronmeshError && (code === undefined || error.code === code);
}

/** A short rendering of any value for a problem's `got`: at most 80 characters, never multi-line. */
export function renderGot(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text =
    typeof value === 'number' || typeof value === 'bigint' ? String(value) : safeStringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function safeStringify(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
