/**
 * A run's output on its way to the worker: both streams in the order of their arrival under one
 * running offset, joined into pieces of about 64 KiB or 100 ms, whichever is first. Beyond the cap
 * the bytes are counted and dropped, so that a run is never held up by its cap.
 */
import type { Clock } from '../../shared/clock.ts';

const pieceBytes = 64 * 1024;
const pieceMs = 100;

export type OutputStream = 'stdout' | 'stderr';

/** `chunks` in a row are the piece's data. */
export type SendPiece = (
  piece: { stream: OutputStream; at: number; offset: number },
  chunks: readonly Buffer[],
  bytes: number,
) => void;

export class OutputRelay {
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #send: SendPiece;
  #seenBytes = 0;
  #keptBytes = 0;
  #stream: OutputStream = 'stdout';
  #at = 0;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #cancelFlush: (() => void) | undefined;

  constructor(clock: Clock, maxBytes: number, send: SendPiece) {
    this.#clock = clock;
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

  push(stream: OutputStream, chunk: Buffer): void {
    this.#seenBytes += chunk.length;
    const room = this.#maxBytes - this.#keptBytes;
    if (room <= 0 || chunk.length === 0) return;
    const kept = chunk.length > room ? chunk.subarray(0, room) : chunk;
    if (stream !== this.#stream) this.flush();
    if (this.#bytes === 0) {
      this.#stream = stream;
      this.#at = this.#clock.wallMs();
      this.#cancelFlush = this.#clock.after(pieceMs, () => this.flush());
    }
    this.#keptBytes += kept.length;
    this.#chunks.push(kept);
    this.#bytes += kept.length;
    if (this.#bytes >= pieceBytes) this.flush();
  }

  /** Sends what is waiting; nothing (and no timer) is left behind. */
  flush(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    if (this.#bytes === 0) return;
    const [chunks, bytes] = [this.#chunks, this.#bytes];
    this.#chunks = [];
    this.#bytes = 0;
    const offset = this.#keptBytes - bytes;
    this.#send({ stream: this.#stream, at: this.#at, offset }, chunks, bytes);
  }
}
