/**
 * What the spool knows of its segment files without holding their contents: how far each can be
 * read, and how much in it the store has not taken yet. Segments are kept in log order and go in
 * that order only, so that what is on disk is always one unbroken end of the log.
 */
import { join } from 'node:path';

export interface Position {
  readonly segment: number;
  readonly offset: number;
}

export interface Segment {
  readonly number: number;
  readonly path: string;
  /** Up to where it can be read: everything below is on disk and checked. */
  bytes: number;
  /** The one that is being written. */
  open: boolean;
  /** Not yet taken by the store. */
  pendingRecords: number;
  pendingBytes: number;
  /** Of those, what was not read for it either. */
  unreadRecords: number;
  unreadBytes: number;
  /** Why the bytes behind `bytes` are unreadable; such a file is kept aside, never deleted. */
  damage?: string;
}

export class Ledger {
  readonly #segments: Segment[] = [];
  readonly #waiters = new Set<() => void>();
  #addedRecords = 0;
  #settledRecords = 0;
  #pendingBytes = 0;
  #unreadRecords = 0;
  #unreadBytes = 0;

  get pendingRecords(): number {
    return this.#addedRecords - this.#settledRecords;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get unreadRecords(): number {
    return this.#unreadRecords;
  }

  get unreadBytes(): number {
    return this.#unreadBytes;
  }

  get lastNumber(): number {
    return this.#segments.at(-1)?.number ?? 0;
  }

  /** Must come in rising order of numbers. */
  add(segment: Segment): void {
    this.#segments.push(segment);
    this.#addedRecords += segment.pendingRecords;
    this.#pendingBytes += segment.pendingBytes;
    this.#addUnread(segment, segment.pendingRecords, segment.pendingBytes);
  }

  grow(segment: Segment, records: number, bytes: number): void {
    segment.pendingRecords += records;
    segment.pendingBytes += bytes;
    this.#addedRecords += records;
    this.#pendingBytes += bytes;
    this.#addUnread(segment, records, bytes);
  }

  /** On its way to the store. */
  read(segment: Segment, records: number, bytes: number): void {
    this.#addUnread(segment, -records, -bytes);
  }

  taken(segment: Segment, records: number, bytes: number): void {
    segment.pendingRecords -= records;
    segment.pendingBytes -= bytes;
    this.#settledRecords += records;
    this.#pendingBytes -= bytes;
    for (const wake of this.#waiters) wake();
  }

  /** Gives up everything in it that was not read. */
  spoil(segment: Segment, damage: string): void {
    const { unreadRecords, unreadBytes } = segment;
    segment.damage = damage;
    this.read(segment, unreadRecords, unreadBytes);
    this.taken(segment, unreadRecords, unreadBytes);
  }

  /** Resolves when all that is pending now was taken or given up, or when the signal aborts. */
  async untilSettled(signal: AbortSignal): Promise<void> {
    const target = this.#addedRecords;
    if (this.#settledRecords >= target || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const onChange = (): void => {
        if (this.#settledRecords < target && !signal.aborted) return;
        this.#waiters.delete(onChange);
        signal.removeEventListener('abort', onChange);
        resolve();
      };
      this.#waiters.add(onChange);
      signal.addEventListener('abort', onChange);
    });
  }

  /** The first segment at or behind `number` that has something to be read. */
  nextUnread(number: number): Segment | undefined {
    return this.#segments.find((segment) => segment.number >= number && segment.unreadRecords > 0);
  }

  /** The one in log order in front of `segment`. */
  before(segment: Segment): Segment | undefined {
    const index = this.#segments.indexOf(segment);
    return index > 0 ? this.#segments[index - 1] : undefined;
  }

  /** The oldest segment, when nobody writes to it and the store has all of it. */
  oldestSettled(): Segment | undefined {
    const oldest = this.#segments[0];
    return oldest !== undefined && !oldest.open && oldest.pendingRecords === 0 ? oldest : undefined;
  }

  removeOldest(segment: Segment): void {
    if (this.#segments[0] === segment) this.#segments.shift();
  }

  #addUnread(segment: Segment, records: number, bytes: number): void {
    segment.unreadRecords += records;
    segment.unreadBytes += bytes;
    this.#unreadRecords += records;
    this.#unreadBytes += bytes;
  }
}

const segmentPattern = /^segment-(\d{16})\.log$/;

export function segmentPath(directory: string, number: number): string {
  return join(directory, `segment-${String(number).padStart(16, '0')}.log`);
}

export function segmentNumber(fileName: string): number | undefined {
  const digits = segmentPattern.exec(fileName)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
