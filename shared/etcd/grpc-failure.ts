/**
 * What a failed gRPC call means for its caller. etcd names its errors by gRPC status and by a
 * constant text (its own clients match on that text too, see api/v3rpc/rpctypes/error.go);
 * everything that is not provably without effect is `unknown`.
 */
import { status, type StatusObject } from '@grpc/grpc-js';
import { CronmeshError } from '../errors.ts';

/**
 * `no-effect`: never sent, or turned away before it could act; may work later or elsewhere.
 * `refused`: etcd said no to the request itself; the same one will be refused again.
 * `too-many-operations`: likewise, because the transaction is over the server's limit.
 * `not-found`: likewise, because the lease it names is gone.
 * `compacted`: the revision asked for is gone. `future`: it is not there yet.
 * `too-large`: the reply exceeds what we receive. `unauthenticated`: the token is no longer good.
 * `aborted`: our own signal. `unknown`: no clear answer; it may have been done.
 */
export type FailureKind =
  | 'no-effect'
  | 'refused'
  | 'too-many-operations'
  | 'not-found'
  | 'compacted'
  | 'future'
  | 'too-large'
  | 'unauthenticated'
  | 'aborted'
  | 'unknown';

export class GrpcFailure extends Error {
  override readonly name = 'GrpcFailure';
  readonly kind: FailureKind;
  readonly address: string;

  constructor(kind: FailureKind, address: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.address = address;
  }

  /** True when another endpoint, or this one later, may answer the same call. */
  get passing(): boolean {
    return this.kind === 'no-effect' || this.kind === 'unknown' || this.kind === 'unauthenticated';
  }
}

const staleToken = new Set([
  'etcdserver: invalid auth token',
  'etcdserver: revision of auth store is old',
  'etcdserver: user name is empty',
]);

const tooManyOperations = 'etcdserver: too many operations in txn request';

const withoutEffect = new Set([
  'etcdserver: no leader',
  'etcdserver: too many requests',
  'etcdserver: mvcc: database space exceeded',
  'etcdserver: not capable',
]);

export function failureOf(error: Partial<StatusObject> & Error, address: string): GrpcFailure {
  const details = error.details ?? error.message;
  return new GrpcFailure(kindOf(error.code, details), address, `${details} (${address})`, error);
}

function kindOf(code: status | undefined, details: string): FailureKind {
  if (withoutEffect.has(details)) return 'no-effect';
  if (staleToken.has(details)) return 'unauthenticated';
  if (details === tooManyOperations) return 'too-many-operations';
  switch (code) {
    case status.OUT_OF_RANGE:
      if (details.includes('compacted')) return 'compacted';
      return details.includes('future revision') ? 'future' : 'refused';
    case status.UNAUTHENTICATED:
      return 'unauthenticated';
    case status.RESOURCE_EXHAUSTED:
      // The reply was too large for us (the request may have acted), or etcd turned it away.
      return details.startsWith('Received message larger than max') ? 'too-large' : 'refused';
    case status.NOT_FOUND:
      return 'not-found';
    case status.INVALID_ARGUMENT:
    case status.ALREADY_EXISTS:
    case status.PERMISSION_DENIED:
    case status.FAILED_PRECONDITION:
    case status.UNIMPLEMENTED:
      return 'refused';
    default:
      return 'unknown';
  }
}

/** A read, or a write that is safe to repeat: an unknown result is as good as none. */
export function readError(error: unknown, what: string): unknown {
  return error instanceof GrpcFailure ? toCronmeshError(error, what, 'etcd-unavailable') : error;
}

/** A write: an unknown result must reach the caller as such. */
export function writeError(error: unknown, what: string): unknown {
  return error instanceof GrpcFailure ? toCronmeshError(error, what, 'unknown-result') : error;
}

function toCronmeshError(
  failure: GrpcFailure,
  what: string,
  unclear: 'etcd-unavailable' | 'unknown-result',
): CronmeshError {
  const message = `etcd: ${what}: ${failure.message}`;
  const options = { cause: failure };
  switch (failure.kind) {
    case 'no-effect':
      return new CronmeshError('etcd-unavailable', message, options);
    case 'compacted':
      return new CronmeshError('etcd-compacted', message, options);
    case 'too-many-operations':
      return new CronmeshError('etcd-txn-too-large', message, options);
    case 'refused':
    case 'not-found':
    case 'future':
    case 'unauthenticated':
      return new CronmeshError('etcd-rejected', message, options);
    case 'too-large':
      return new CronmeshError(
        unclear === 'unknown-result' ? unclear : 'etcd-rejected',
        message,
        options,
      );
    case 'aborted':
    case 'unknown':
      return new CronmeshError(unclear, message, options);
  }
}
