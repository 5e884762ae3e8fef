/**
 * Buffers for output on its way to the worker, used again once written: left to the garbage
 * collector, a flood holds tens of MiB of them before it is noticed.
 */
export const pooledBufferBytes = 64 * 1024;
/** As much as may wait for a worker that does not read, and some. */
const maxFree = 64;

export class BufferPool {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(pooledBufferBytes);
  }

  release(buffer: Buffer): void {
    if (this.#free.length < maxFree) this.#free.push(buffer);
  }
}
