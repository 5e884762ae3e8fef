/**
 * Reads every key below a prefix in pages, all at one pinned revision. Pages aim at 2,000 rows or
 * 256 KB, whichever is less, shrink when a reply would exceed what we receive, and are handed on in
 * pieces, with the event loop free in between. A page that fails is asked for again elsewhere; the
 * listing as a whole fails when its revision is compacted or another state answers.
 */
import { setImmediate as yieldToLoop } from 'node:timers/promises';
import { backoffMs, sleep, type Clock, type Random } from '../clock.ts';
import { toKeyValue, toSafeInteger } from './codec.ts';
import type { WireRangeRequest, WireRangeResponse } from './grpc-endpoint.ts';
import { GrpcFailure } from './grpc-failure.ts';
import type { Caller } from './kv.ts';
import { prefixEnd, type KeyValue } from './port.ts';

const firstRows = 500;
const mostRows = 2000;
const aimedBytes = 256 * 1024;
/** What a row weighs in a reply beside its key and value, about. */
const rowOverheadBytes = 40;
/** So many are handed on at a time: to parse a whole page would block the loop. */
const rowsAtATime = 50;
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

/** Throws a GrpcFailure when the listing must begin anew, or cannot be had. */
export async function listPages(options: ListingOptions): Promise<Listed> {
  const rangeEnd = Buffer.from(prefixEnd(options.prefix));
  let key: Buffer = Buffer.from(options.prefix);
  let rows = firstRows;
  let listed: Listed | undefined;
  for (;;) {
    const page = await askUntilItFits(options, rows, (limit) => ({
      key,
      range_end: rangeEnd,
      limit,
      ...(listed === undefined ? {} : { revision: listed.revision }),
    }));
    const { header, kvs, more } = page.response;
    const { era } = options.caller.continuity;
    listed ??= { revision: toSafeInteger(header.revision), clusterId: header.cluster_id, era };
    if (header.cluster_id !== listed.clusterId || era !== listed.era) {
      throw new GrpcFailure('compacted', '', 'another state answered within a listing');
    }
    const last = kvs.at(-1);
    rows = rowsThatFit(page.rows, kvs);
    do {
      // Taken off the page, so that what was handed on is garbage while it is young.
      options.onRows(kvs.splice(0, rowsAtATime).map(toKeyValue));
      await yieldToLoop();
      options.signal.throwIfAborted();
    } while (kvs.length > 0);
    if (!more || last === undefined) return listed;
    key = Buffer.concat([last.key, Buffer.from([0])]);
  }
}

function rowsThatFit(
  rows: number,
  kvs: readonly { readonly key: Buffer; readonly value: Buffer }[],
): number {
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
): Promise<{ response: WireRangeResponse; rows: number }> {
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
