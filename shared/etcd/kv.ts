/**
 * Reads and transactions. A read goes to another endpoint after each failure, with jitter,
 * until about 10 s have passed. A transaction goes elsewhere only while it is certain that it
 * has had no effect; once it may have been applied it is never repeated here (`unknown-result`).
 */
import { backoffMs, sleep, type Clock, type Random } from '../clock.ts';
import { fromRangeRequest, fromTxn, toRangeResult, toSafeInteger, toTxnResult } from './codec.ts';
import type { Continuity } from './continuity.ts';
import type { Endpoints } from './endpoints.ts';
import type { CallLimits, GrpcEndpoint, ServiceName, WireHeader } from './grpc-endpoint.ts';
import { GrpcFailure, readError, writeError } from './grpc-failure.ts';
import type { CallOptions, RangeRequest, RangeResult, Txn, TxnResult } from './port.ts';

export const defaultTimeoutMs = 3000;
const readPatienceMs = 10_000;

export interface CallerOptions {
  readonly endpoints: Endpoints;
  readonly continuity: Continuity;
  readonly clock: Clock;
  readonly random: Random;
}

/** Sends one call to a connected endpoint, and remembers how that endpoint did. */
export class Caller {
  readonly continuity: Continuity;
  readonly #endpoints: Endpoints;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(options: CallerOptions) {
    this.continuity = options.continuity;
    this.#endpoints = options.endpoints;
    this.#clock = options.clock;
    this.#random = options.random;
  }

  /** One attempt; connecting and answering together take `timeoutMs` at most. */
  async once<T>(
    service: ServiceName,
    limits: CallLimits,
    call: (endpoint: GrpcEndpoint, limits: CallLimits) => Promise<T>,
  ): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    const endpoint = await this.#endpoints.acquire(service, limits.timeoutMs, limits.signal);
    const leftMs = limits.timeoutMs - (this.#clock.monotonicMs() - startMs);
    if (leftMs < shortestAttemptMs(limits)) {
      const message = `connected too late to be asked (${endpoint.address})`;
      throw new GrpcFailure('no-effect', endpoint.address, message);
    }
    try {
      const result = await call(endpoint, { ...limits, timeoutMs: leftMs });
      this.#endpoints.succeeded(endpoint);
      return result;
    } catch (error) {
      if (error instanceof GrpcFailure && error.passing) this.#endpoints.failed(endpoint);
      throw error;
    }
  }

  /** Asks by a linearizable call, and looks whether its answer continues those before. */
  async linear<T extends { readonly header: WireHeader }>(ask: () => Promise<T>): Promise<T> {
    const answered = this.continuity.sending();
    const response = await ask();
    const { cluster_id, raft_term, revision } = response.header;
    answered({
      clusterId: cluster_id,
      raftTerm: toSafeInteger(raft_term),
      revision: toSafeInteger(revision),
    });
    return response;
  }

  /** Attempts until one answers, `patienceMs` have passed, or a failure is not a passing one. */
  async untilAnswered<T>(
    service: ServiceName,
    limits: CallLimits,
    patienceMs: number,
    mayRepeat: (failure: GrpcFailure) => boolean,
    call: (endpoint: GrpcEndpoint, limits: CallLimits) => Promise<T>,
  ): Promise<T> {
    const deadlineMs = this.#clock.monotonicMs() + patienceMs;
    for (let attempt = 0; ; attempt += 1) {
      const leftMs = deadlineMs - this.#clock.monotonicMs();
      const timeoutMs = Math.min(limits.timeoutMs, leftMs);
      try {
        return await this.once(service, { ...limits, timeoutMs }, call);
      } catch (error) {
        if (!(error instanceof GrpcFailure) || !mayRepeat(error)) throw error;
        const pauseMs = backoffMs(attempt, 20, 500, this.#random);
        const nextLeftMs = deadlineMs - this.#clock.monotonicMs() - pauseMs;
        if (nextLeftMs < shortestAttemptMs(limits)) throw error;
        await sleep(this.#clock, pauseMs, limits.signal);
      }
    }
  }
}

/** Less time than this is not worth sending for: the likely result would be an unknown one. */
function shortestAttemptMs(limits: CallLimits): number {
  return Math.min(100, limits.timeoutMs / 4);
}

export async function range(
  caller: Caller,
  request: RangeRequest,
  options: CallOptions = {},
): Promise<RangeResult> {
  const wire = fromRangeRequest(request);
  try {
    const response = await caller.untilAnswered(
      'KV',
      toLimits(options),
      readPatienceMs,
      (failure) => failure.passing,
      (endpoint, limits) => caller.linear(() => endpoint.range(wire, limits)),
    );
    return toRangeResult(response);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw readError(error, 'a read failed');
  }
}

export async function txn(
  caller: Caller,
  request: Txn,
  options: CallOptions = {},
): Promise<TxnResult> {
  const wire = fromTxn(request);
  const limits = toLimits(options);
  try {
    const response = await caller.untilAnswered(
      'KV',
      limits,
      limits.timeoutMs,
      (failure) => failure.kind === 'no-effect' || failure.kind === 'unauthenticated',
      (endpoint, attemptLimits) => caller.linear(() => endpoint.txn(wire, attemptLimits)),
    );
    return toTxnResult(response);
  } catch (error) {
    throw writeError(error, 'a transaction failed');
  }
}

export function toLimits(options: CallOptions): CallLimits {
  return {
    timeoutMs: options.timeoutMs ?? defaultTimeoutMs,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  };
}
