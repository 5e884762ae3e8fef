/**
 * Finds a text in the stored output of one run, byte for byte, also where it stands in two chunks. It
 * reads from where it is told and a bounded part of the output at a time, so it needs no index and
 * holds nobody up.
 */
import { z } from 'zod';
import { parseWith } from '../job/zod-problems.ts';
import type { HistoryStore } from './port.ts';

const windowBytes = 1024 * 1024;
/** Of one call. */
const maxReadBytes = 16 * windowBytes;
const maxTextBytes = 1_024;
const maxMatches = 1_000;

export interface OutputSearch {
  readonly runId: string;
  /** 1 to 1,024 bytes of UTF-8; case matters. */
  readonly text: string;
  readonly fromOffset?: number;
  /** 1 to 1,000. */
  readonly limit: number;
}

export interface OutputMatches {
  /** Where the text begins in the run's merged output, in rising order; matches do not overlap. */
  readonly offsets: readonly number[];
  /** Where to go on; absent when the stored output was searched to its end. */
  readonly nextOffset?: number;
}

const schema = z.strictObject({
  runId: z.string(),
  text: z
    .string()
    .min(1)
    .refine((text) => Buffer.byteLength(text) <= maxTextBytes, {
      error: 'is too long',
      params: { expected: `at most ${maxTextBytes} bytes` },
    }),
  fromOffset: z.int().min(0).default(0),
  limit: z.int().min(1).max(maxMatches),
});

/** Throws `request-invalid`, and what the store throws. */
export async function searchOutput(
  store: Pick<HistoryStore, 'readOutput'>,
  search: OutputSearch,
): Promise<OutputMatches> {
  const { runId, text, fromOffset, limit } = parseWith(
    schema,
    search,
    'request-invalid',
    'the search',
  );
  const sought = Buffer.from(text);
  const offsets: number[] = [];
  /** The end of what was read, in which the text may begin. */
  let rest: Buffer = Buffer.alloc(0);
  let restAt = fromOffset;
  let next = fromOffset;
  while (next - fromOffset < maxReadBytes) {
    const chunks = await store.readOutput(runId, next, windowBytes);
    if (chunks.length === 0) return { offsets };
    for (const chunk of chunks) {
      const data = chunk.data.subarray(Math.max(0, next - chunk.offset));
      const at = Math.max(next, chunk.offset);
      const isJoined = restAt + rest.length === at;
      const bytes = isJoined ? Buffer.concat([rest, data]) : data;
      const bytesAt = isJoined ? restAt : at;
      let from = 0;
      for (let found = bytes.indexOf(sought); found >= 0; found = bytes.indexOf(sought, from)) {
        offsets.push(bytesAt + found);
        from = found + sought.length;
        if (offsets.length === limit) return { offsets, nextOffset: bytesAt + from };
      }
      const keepFrom = Math.max(from, bytes.length - sought.length + 1);
      rest = bytes.subarray(keepFrom);
      restAt = bytesAt + keepFrom;
      next = at + data.length;
    }
  }
  return { offsets, nextOffset: restAt };
}
