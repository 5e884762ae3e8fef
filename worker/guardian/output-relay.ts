/**
 * A run's output on its way to the worker: both streams in the order of their arrival under one
 * running offset, joined into pieces of about 64 KiB or 100 ms (20 ms while somebody waits for it), whichever is first. Beyond the cap
 * the bytes are counted and dropped, so that a run is never held up by its cap.
 */
import type { Clock } from '../../shared/clock.ts';
import { pooledBufferBytes, type BufferPool } from './buffer-pool.ts';

const pieceMs = 100;
const hurriedPieceMs = 20;
/** Most runs say little, and hold no pooled buffer for it. */
const pooledFromBytes = 4 * 1024;

export type OutputStream = 'stdout' | 'stderr';

/** `data` is the receiver's until it calls `onSent`. */
export type SendPiece = (
  piece: { stream: OutputStream; at: number; offset: number },
  data: readonly Buffer[],
  bytes: number,
  onSent: () => void,
) => void;

export class OutputRelay {
  readonly #clock: Clock;
  readonly #pool: BufferPool;
  readonly #maxBytes: number;
  readonly #send: SendPiece;
  #seenBytes = 0;
  #keptBytes = 0;
  #stream: OutputStream = 'stdout';
  #at = 0;
  /** The piece in the making is in `#small`, or, once it is too long for that, in `#pooled`. */
  #small: Buffer[] = [];
  #pooled: Buffer | undefined;
  #bytes = 0;
  #cancelFlush: (() => void) | undefined;
  #pieceMs = pieceMs;

  constructor(clock: Clock, pool: BufferPool, maxBytes: number, send: SendPiece) {
    this.#clock = clock;
    this.#pool = pool;
    this.#maxBytes = maxBytes;
    this.#send = send;
  }

  /** All bytes that the run wrote, kept or not. */
  get seenBytes(): number {
    return this.#seenBytes;
  }

  get truncated(): boolean {
    return this.#seenBytes > this.#keptBytes;
  }

  /** The chunk is the caller's again when this returns. */
  push(stream: OutputStream, chunk: Buffer): void {
    this.#seenBytes += chunk.length;
    const end = Math.min(chunk.length, this.#maxBytes - this.#keptBytes);
    if (end <= 0) return;
    if (stream !== this.#stream) this.flush();
    this.#stream = stream;
    for (let start = 0; start < end; start += pooledBufferBytes) {
      this.#append(chunk.subarray(start, Math.min(end, start + pooledBufferBytes)));
    }
  }

  /** Whether somebody waits for the output. */
  hurry(isHurried: boolean): void {
    this.#pieceMs = isHurried ? hurriedPieceMs : pieceMs;
    if (isHurried) this.flush();
  }

  /** Sends what is waiting; nothing (and no timer) is left behind. */
  flush(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    const [bytes, pooled] = [this.#bytes, this.#pooled];
    if (bytes === 0) return;
    const data = pooled === undefined ? this.#small : [pooled.subarray(0, bytes)];
    this.#small = [];
    this.#pooled = undefined;
    this.#bytes = 0;
    const piece = { stream: this.#stream, at: this.#at, offset: this.#keptBytes - bytes };
    this.#send(piece, data, bytes, () => {
      if (pooled !== undefined) this.#pool.release(pooled);
    });
  }

  #append(chunk: Buffer): void {
    if (this.#bytes + chunk.length > pooledBufferBytes) this.flush();
    if (this.#bytes === 0) {
      this.#at = this.#clock.wallMs();
      this.#cancelFlush = this.#clock.after(this.#pieceMs, () => this.flush());
    }
    if (this.#pooled === undefined && this.#bytes + chunk.length < pooledFromBytes) {
      this.#small.push(Buffer.from(chunk));
    } else {
      chunk.copy((this.#pooled ??= this.#moveToPooled()), this.#bytes);
    }
    this.#bytes += chunk.length;
    this.#keptBytes += chunk.length;
    if (this.#bytes === pooledBufferBytes) this.flush();
  }

  #moveToPooled(): Buffer {
    const buffer = this.#pool.take();
    let end = 0;
    for (const chunk of this.#small) end += chunk.copy(buffer, end);
    this.#small = [];
    return buffer;
  }
}
