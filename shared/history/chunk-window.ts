/** Which chunks of a run's output answer a read: chosen by their sizes, before any byte is read. */

export const maxWindowChunks = 1000;

/**
 * From the chunk that holds byte `fromOffset` (or the first one after it, where output is missing)
 * as many as fit into `maxBytes`, at least one. `sizes` are in order of offset.
 */
export function chunkWindow(
  sizes: readonly { readonly offset: number; readonly length: number }[],
  fromOffset: number,
  maxBytes: number,
): { readonly first: number; readonly last: number } | undefined {
  let bytes = 0;
  let first: number | undefined;
  let last = 0;
  for (const { offset, length } of sizes) {
    if (offset + length <= fromOffset) continue;
    if (first !== undefined && bytes + length > maxBytes) break;
    first ??= offset;
    last = offset;
    bytes += length;
  }
  return first === undefined ? undefined : { first, last };
}
