/**
 * The end of an output that is longer than what is kept of it: the last bytes that came, in a ring that
 * is made when the first of them does, with the stream and time of each stretch. What falls out is
 * counted.
 */
import type { OutputStream } from './output-relay.ts';

/** Streams that change with every byte must not cost more than the bytes. */
const maxStretches = 4_096;

interface Stretch {
  readonly stream: OutputStream;
  /** Of its newest bytes, epoch ms. */
  at: number;
  bytes: number;
}

export interface TailPiece {
  readonly stream: OutputStream;
  readonly at: number;
  readonly data: Buffer;
}

export class OutputTail {
  readonly #capacity: number;
  #ring: Buffer | undefined;
  #start = 0;
  #size = 0;
  #stretches: Stretch[] = [];
  #droppedBytes = 0;

  /** `capacity` in bytes; 0 keeps nothing and counts. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get droppedBytes(): number {
    return this.#droppedBytes;
  }

  /** The chunk is the caller's again when this returns. */
  push(stream: OutputStream, at: number, chunk: Buffer): void {
    const kept = chunk.subarray(Math.max(0, chunk.length - this.#capacity));
    this.#droppedBytes += chunk.length - kept.length;
    this.#drop(this.#size + kept.length - this.#capacity);
    if (kept.length === 0) return;
    this.#write(kept);
    const last = this.#stretches.at(-1);
    if (last?.stream === stream) {
      last.bytes += kept.length;
      last.at = at;
      return;
    }
    if (this.#stretches.length >= maxStretches) this.#drop(this.#stretches[0]?.bytes ?? 0);
    this.#stretches.push({ stream, at, bytes: kept.length });
  }

  /** What is left, in order, from the beginning of a line where one is near; it is empty then. */
  take(): TailPiece[] {
    if (this.#droppedBytes > 0) this.#drop(this.#untilLine());
    const pieces = this.#stretches.map(({ stream, at, bytes }) => {
      const data = this.#read(bytes);
      return { stream, at, data };
    });
    this.#stretches = [];
    this.#ring = undefined;
    return pieces;
  }

  #write(bytes: Buffer): void {
    const ring = (this.#ring ??= Buffer.allocUnsafe(this.#capacity));
    const end = (this.#start + this.#size) % this.#capacity;
    const copied = bytes.copy(ring, end);
    bytes.copy(ring, 0, copied);
    this.#size += bytes.length;
  }

  #read(count: number): Buffer {
    const data = Buffer.allocUnsafe(count);
    const copied = this.#ring?.copy(data, 0, this.#start, this.#start + count) ?? 0;
    this.#ring?.copy(data, copied, 0, count - copied);
    this.#start = (this.#start + count) % this.#capacity;
    this.#size -= count;
    return data;
  }

  /** The oldest bytes go. */
  #drop(count: number): void {
    let left = Math.min(count, this.#size);
    if (left <= 0) return;
    this.#droppedBytes += left;
    this.#size -= left;
    this.#start = (this.#start + left) % this.#capacity;
    let gone = 0;
    for (const stretch of this.#stretches) {
      const taken = Math.min(left, stretch.bytes);
      stretch.bytes -= taken;
      left -= taken;
      if (stretch.bytes === 0) gone += 1;
      if (left === 0) break;
    }
    if (gone > 0) this.#stretches.splice(0, gone);
  }

  /** Bytes before the first whole line, if it begins in the first quarter. */
  #untilLine(): number {
    const limit = Math.floor(this.#size / 4);
    for (let i = 0; i < limit; i += 1) {
      if (this.#ring?.[(this.#start + i) % this.#capacity] === 0x0a) return i + 1;
    }
    return 0;
  }
}
