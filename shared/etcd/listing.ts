/**
 * Reads every key below a prefix in pages, all at one pinned revision. Pages aim at 2,000 rows or
 * 128 KB, whichever is less, shrink when a reply would exceed what we receive, and are handed on in
 * pieces, with the event loop free in between and the next page on its way. A page that fails is
 * asked for again elsewhere; the listing as a whole fails when its revision is compacted or another
 * state answers.
 */
import { setImmediate as yieldToLoop } from 'node:timers/promises';
import { backoffMs, sleep, type Clock, type Random } from '../clock.ts';
import { toKeyValue, toSafeInteger } from './codec.ts';
import type { WireKeyValue, WireRangeRequest, WireRangeResponse } from './grpc-endpoint.ts';
import { GrpcFailure } from './grpc-failure.ts';
import type { Caller } from './kv.ts';
import { firstWindow, nextWindow, type Window } from './listing-window.ts';
import type { KeyValue } from './port.ts';

const firstRows = 500;
const mostRows = 2000;
/** A reply is decoded in one turn of the event loop. */
const aimedBytes = 128 * 1024;
/** What a row weighs in a reply beside its key and value, about. */
const rowOverheadBytes = 40;
/** To parse a whole page would block the loop: rows are handed on a few at a time, for so long. */
const rowsAtATime = 10;
const turnMs = 5;
const pageTimeoutMs = 3000;

export interface ListingOptions {
  readonly prefix: string;
  readonly caller: Caller;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Called with each piece of a page, in key order; once when there is nothing at all. */
  onRows(kvs: readonly KeyValue[]): void;
  /** Called for each page that failed and will be asked for again. */
  onTrouble(failure: GrpcFailure): void;
}

export interface Listed {
  readonly revision: number;
  readonly clusterId: string;
  /** Of the answers' continuity. */
  readonly era: number;
}

interface Page {
  readonly response: WireRangeResponse;
  readonly rows: number;
}

/** Throws a GrpcFailure when the listing must begin anew, or cannot be had. */
export async function listPages(options: ListingOptions): Promise<Listed> {
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  try {
    return await listUntil({ ...options, signal });
  } finally {
    // A page that nobody waits for any more.
    over.abort();
  }
}

async function listUntil(options: ListingOptions): Promise<Listed> {
  const { caller, signal } = options;
  const ask = ({ key, end }: Window, rows: number, revision?: number): Promise<Page> =>
    askUntilItFits(options, rows, (limit) => ({
      key,
      range_end: end,
      limit,
      ...(revision === undefined ? {} : { revision }),
    }));
  let window = firstWindow(options.prefix);
  let asked = ask(window, firstRows);
  let listed: Listed | undefined;
  for (;;) {
    const page = await asked;
    const { header, kvs } = page.response;
    const { era } = caller.continuity;
    listed ??= { revision: toSafeInteger(header.revision), clusterId: header.cluster_id, era };
    if (header.cluster_id !== listed.clusterId || era !== listed.era) {
      throw new GrpcFailure('compacted', '', 'another state answered within a listing');
    }
    const following = nextWindow(window, page.response);
    if (following !== undefined) {
      window = following;
      asked = ask(window, rowsThatFit(page.rows, kvs), listed.revision);
      // Looked at when it is its turn.
      asked.catch(() => undefined);
    }
    do {
      handOn(options, kvs);
      await yieldToLoop();
      signal.throwIfAborted();
    } while (kvs.length > 0);
    if (following === undefined) return listed;
  }
}

/** What one turn of the loop may take of a page. */
function handOn(options: ListingOptions, kvs: WireKeyValue[]): void {
  const overMs = options.clock.monotonicMs() + turnMs;
  do {
    // Taken off the page, so that what was handed on is garbage while it is young.
    options.onRows(kvs.splice(0, rowsAtATime).map(toKeyValue));
  } while (kvs.length > 0 && options.clock.monotonicMs() < overMs);
}

function rowsThatFit(
  rows: number,
  kvs: readonly { readonly key: Buffer; readonly value: Buffer }[],
): number {
  if (kvs.length === 0) return rows;
  let bytes = 0;
  for (const kv of kvs) bytes += kv.key.length + kv.value.length + rowOverheadBytes;
  const fitting = Math.floor((aimedBytes * kvs.length) / Math.max(1, bytes));
  // Growing in steps: the next rows may be larger than these.
  return Math.max(1, Math.min(mostRows, fitting, rows * 8));
}

async function askUntilItFits(
  options: ListingOptions,
  firstLimit: number,
  request: (limit: number) => WireRangeRequest,
): Promise<Page> {
  let rows = firstLimit;
  for (let attempt = 0; ;) {
    try {
      const limits = { timeoutMs: pageTimeoutMs, signal: options.signal };
      const response = await options.caller.once('KV', limits, (endpoint, callLimits) =>
        options.caller.linear(() => endpoint.range(request(rows), callLimits)),
      );
      return { response, rows };
    } catch (error) {
      options.signal.throwIfAborted();
      if (!(error instanceof GrpcFailure)) throw error;
      if (error.kind === 'too-large' && rows > 1) {
        rows = Math.max(1, Math.floor(rows / 8));
        continue;
      }
      if (!error.passing) throw error;
      options.onTrouble(error);
      await sleep(options.clock, backoffMs(attempt, 50, 1000, options.random), options.signal);
      attempt += 1;
    }
  }
}
