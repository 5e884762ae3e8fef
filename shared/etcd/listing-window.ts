/**
 * From where to where the pages of a listing are asked for. etcd walks over every key of a range before
 * it answers a page of it, 30 ms for 200,000 keys, so a page is not asked for out of all that is left:
 * only out of what begins like the page before, then out of what begins like that but for a byte, and,
 * when nothing does, out of the rest. Together the windows are the whole range, each key once.
 */
import { prefixEnd } from './port.ts';

export interface Window {
  readonly key: Buffer;
  /** Exclusive, in etcd's terms. */
  readonly end: Buffer;
  /** Of the whole listing. */
  readonly rangeEnd: Buffer;
}

export interface WindowPage {
  readonly kvs: readonly { readonly key: Buffer }[];
  /** The window holds more. */
  readonly more: boolean;
}

const zero = Buffer.from([0]);
/** As etcd has it: a range that ends with this has no end. */
const unbounded = zero;

export function firstWindow(prefix: string): Window {
  const rangeEnd = Buffer.from(prefixEnd(prefix));
  return { key: Buffer.from(prefix), end: rangeEnd, rangeEnd };
}

/**
 * Undefined when the page was the last one. All keys of a window begin alike, up to its end, so none
 * reaches beyond the range.
 */
export function nextWindow({ end, rangeEnd }: Window, page: WindowPage): Window | undefined {
  const [first, last] = [page.kvs[0]?.key, page.kvs.at(-1)?.key];
  if (page.more && first !== undefined && last !== undefined) {
    const kinEnd = endOf(first.subarray(0, commonBytes(first, last)));
    return { key: Buffer.concat([last, zero]), end: kinEnd, rangeEnd };
  }
  if (end.equals(rangeEnd)) return undefined;
  const wider = last === undefined ? rangeEnd : endOf(end.subarray(0, -1));
  return { key: end, end: wider, rangeEnd };
}

/** The end of the keys that begin so. */
function endOf(prefix: Buffer): Buffer {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length -= 1;
  if (length === 0) return unbounded;
  const end = Buffer.from(prefix.subarray(0, length));
  end[length - 1] = (end[length - 1] ?? 0) + 1;
  return end;
}

function commonBytes(a: Buffer, b: Buffer): number {
  const longest = Math.min(a.length, b.length);
  let length = 0;
  while (length < longest && a[length] === b[length]) length += 1;
  return length;
}
