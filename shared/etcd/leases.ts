/**
 * Leases. A grant or a revocation is safe to repeat (a grant whose answer was lost expires by
 * itself), so both go to another endpoint after a failure. Every keep-alive has a stream of its
 * own: an answer can then never be taken for that of an earlier keep-alive, and a stream that
 * hangs on one endpoint holds up nothing.
 */
import type { CallLimits, GrpcEndpoint, GrpcStream } from './grpc-endpoint.ts';
import { GrpcFailure, readError } from './grpc-failure.ts';
import { toSafeInteger } from './codec.ts';
import { toLimits, type Caller } from './kv.ts';
import type { CallOptions } from './port.ts';

const patienceMs = 10_000;

export async function grantLease(
  caller: Caller,
  ttlSeconds: number,
  options: CallOptions = {},
): Promise<{ id: string; ttlSeconds: number }> {
  try {
    const granted = await caller.untilAnswered(
      'Lease',
      toLimits(options),
      patienceMs,
      (failure) => failure.passing,
      (endpoint, limits) => endpoint.leaseGrant(ttlSeconds, limits),
    );
    return { id: granted.ID, ttlSeconds: toSafeInteger(granted.TTL) };
  } catch (error) {
    options.signal?.throwIfAborted();
    throw readError(error, 'a lease was not granted');
  }
}

/** Sends one keep-alive, to one endpoint: whoever beats decides when and how to try again. */
export async function keepLeaseAlive(
  caller: Caller,
  id: string,
  options: CallOptions = {},
): Promise<{ ttlSeconds: number }> {
  try {
    return await caller.once('Lease', toLimits(options), (endpoint, limits) =>
      keepAliveOnce(endpoint, id, limits),
    );
  } catch (error) {
    options.signal?.throwIfAborted();
    throw readError(error, 'a keep-alive failed');
  }
}

/** A lease that is not there any more counts as revoked. */
export async function revokeLease(
  caller: Caller,
  id: string,
  options: CallOptions = {},
): Promise<void> {
  try {
    await caller.untilAnswered(
      'Lease',
      toLimits(options),
      patienceMs,
      (failure) => failure.passing,
      (endpoint, limits) => endpoint.leaseRevoke(id, limits),
    );
  } catch (error) {
    if (error instanceof GrpcFailure && error.kind === 'not-found') return;
    options.signal?.throwIfAborted();
    throw readError(error, 'a lease was not revoked');
  }
}

function keepAliveOnce(
  endpoint: GrpcEndpoint,
  id: string,
  { timeoutMs, signal }: CallLimits,
): Promise<{ ttlSeconds: number }> {
  return new Promise((resolve, reject) => {
    let stream: GrpcStream<{ ID?: string }> | undefined;
    const onAbort = (): void => {
      stream?.close();
      reject(new GrpcFailure('aborted', endpoint.address, `aborted (${endpoint.address})`));
    };
    if (signal?.aborted === true) {
      onAbort();
      return;
    }
    signal?.addEventListener('abort', onAbort, { once: true });
    endpoint
      .openKeepAlive(timeoutMs, {
        onMessage: (message) => {
          signal?.removeEventListener('abort', onAbort);
          stream?.close();
          resolve({ ttlSeconds: toSafeInteger(message.TTL) });
        },
        onEnd: (failure) => {
          signal?.removeEventListener('abort', onAbort);
          reject(failure);
        },
      })
      .then((opened) => {
        stream = opened;
        if (signal?.aborted === true) opened.close();
        else opened.send({ ID: id });
      })
      .catch(reject);
  });
}
