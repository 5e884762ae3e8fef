/**
 * The keys of the simulated etcd, by key, and by what they begin with down to the name of a job: so a
 * guard on all of one job's fires looks at those alone, however many jobs there are.
 */
import { isInSpan } from './etcd-checks.ts';

/** Slashes up to the end of a bucket's name: `/cron/lock/<job>/`. */
const slashesOfBucket = 4;

export class KeyTable<T> extends Map<string, T> {
  readonly #buckets = new Map<string, Set<string>>();

  override set(key: string, value: T): this {
    const bucket = bucketOf(key);
    if (bucket !== undefined && !this.has(key)) {
      const keys = this.#buckets.get(bucket);
      if (keys === undefined) this.#buckets.set(bucket, new Set([key]));
      else keys.add(key);
    }
    return super.set(key, value);
  }

  override delete(key: string): boolean {
    const bucket = bucketOf(key);
    if (bucket !== undefined) {
      const keys = this.#buckets.get(bucket);
      keys?.delete(key);
      if (keys?.size === 0) this.#buckets.delete(bucket);
    }
    return super.delete(key);
  }

  override clear(): void {
    this.#buckets.clear();
    super.clear();
  }

  /** Every key of the span, in no order. */
  keysIn(span: { readonly key: string; readonly rangeEnd?: string }): string[] {
    const bucket = bucketOf(span.key);
    const { rangeEnd = '' } = span;
    const isInside =
      bucket !== undefined && (rangeEnd === endOf(bucket) || rangeEnd.startsWith(bucket));
    const keys = isInside ? (this.#buckets.get(bucket) ?? []) : this.keys();
    const inside: string[] = [];
    for (const key of keys) if (isInSpan(key, span)) inside.push(key);
    return inside;
  }
}

function bucketOf(key: string): string | undefined {
  let at = -1;
  for (let slashes = 0; slashes < slashesOfBucket; slashes++) {
    at = key.indexOf('/', at + 1);
    if (at < 0) return undefined;
  }
  return key.slice(0, at + 1);
}

/** The first key after all that begin with `bucket`: its slash, one further. */
function endOf(bucket: string): string {
  return `${bucket.slice(0, -1)}0`;
}
