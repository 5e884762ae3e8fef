/**
 * A run's output on its way to the worker: both streams in the order of their arrival under one
 * running offset, joined into pieces of about 64 KiB or 100 ms (20 ms while somebody waits for it),
 * whichever is first. Of an output that is longer than the cap, the beginning is sent as it comes, and at
 * the run's end a line that says how many bytes are missing, and the last bytes. A run is never held
 * up by its cap.
 */
import type { Clock } from '../../shared/clock.ts';
import { pooledBufferBytes, type BufferPool } from './buffer-pool.ts';
import { OutputTail, type TailPiece } from './output-tail.ts';

const pieceMs = 100;
const hurriedPieceMs = 20;
/** The most that is kept of the end of an output; of a small cap, a quarter. */
const maxTailBytes = 256 * 1024;
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
  /** Of the beginning. */
  readonly #headBytes: number;
  readonly #tail: OutputTail;
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
    const tailBytes = Math.min(maxTailBytes, Math.floor(maxBytes / 4));
    this.#headBytes = maxBytes - tailBytes;
    this.#tail = new OutputTail(tailBytes);
    this.#send = send;
  }

  /** All bytes that the run wrote, kept or not. */
  get seenBytes(): number {
    return this.#seenBytes;
  }

  /** Some of them are missing. */
  get truncated(): boolean {
    return this.#tail.droppedBytes > 0;
  }

  /** The chunk is the caller's again when this returns. */
  push(stream: OutputStream, chunk: Buffer): void {
    this.#seenBytes += chunk.length;
    const end = Math.max(0, Math.min(chunk.length, this.#headBytes - this.#keptBytes));
    if (end > 0) {
      if (stream !== this.#stream) this.flush();
      this.#stream = stream;
      for (let start = 0; start < end; start += pooledBufferBytes) {
        this.#append(chunk.subarray(start, Math.min(end, start + pooledBufferBytes)));
      }
    }
    if (end < chunk.length) this.#tail.push(stream, this.#clock.wallMs(), chunk.subarray(end));
  }

  /** The run is over: sends all that is left. */
  end(): void {
    this.flush();
    const pieces = this.#tail.take();
    const { droppedBytes } = this.#tail;
    if (droppedBytes > 0 && this.#maxBytes > 0) {
      const stream = pieces[0]?.stream ?? this.#stream;
      const at = pieces[0]?.at ?? this.#clock.wallMs();
      this.#sendAtOnce({ stream, at, data: missing(droppedBytes, this.#maxBytes) });
    }
    for (const piece of pieces) this.#sendAtOnce(piece);
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

  #sendAtOnce({ stream, at, data }: TailPiece): void {
    for (let start = 0; start < data.length; start += pooledBufferBytes) {
      const part = data.subarray(start, start + pooledBufferBytes);
      this.#send({ stream, at, offset: this.#keptBytes }, [part], part.length, () => undefined);
      this.#keptBytes += part.length;
    }
  }

  #moveToPooled(): Buffer {
    const buffer = this.#pool.take();
    let end = 0;
    for (const chunk of this.#small) end += chunk.copy(buffer, end);
    this.#small = [];
    return buffer;
  }
}

function missing(bytes: number, maxBytes: number): Buffer {
  const text = `${bytes} bytes of output are missing here (${maxBytes} of a run are kept)`;
  return Buffer.from(`\n[cronmesh: ${text}]\n`);
}
