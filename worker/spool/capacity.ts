/**
 * Whether the spool has room, in two senses: may the worker claim more (with some distance to the
 * limit, so that what runs already can finish), and is there still room for output of running runs.
 */
import { statfs } from 'node:fs/promises';

const fullAt = 0.9;
/** Claims resume only below this, so that they do not flutter around the limit. */
const roomAgainAt = 0.8;
/** Running runs may go beyond the limit by this part of it. */
const reservePart = 0.1;
/** Output that waits in memory for a slow disk. */
const maxWaitingBytes = 32 * 1024 * 1024;
const minFreeBytes = 64 * 1024 * 1024;
const minFreePart = 0.05;

export class Capacity {
  readonly #directory: string;
  readonly #maxBytes: number;
  #isFull = false;
  #lowDisk: string | undefined;

  constructor(directory: string, maxBytes: number) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
  }

  /** Looks at the free space of the disk: at least 64 MiB, or 5 % of a small one. */
  async measureDisk(): Promise<void> {
    try {
      const { bavail, blocks, bsize } = await statfs(this.#directory);
      const floorBytes = Math.min(minFreeBytes, blocks * bsize * minFreePart);
      const freeBytes = bavail * bsize;
      this.#lowDisk =
        freeBytes < floorBytes
          ? `the disk of the spool has only ${inMebibytes(freeBytes)} free (${inMebibytes(floorBytes)} are needed)`
          : undefined;
    } catch (error) {
      this.#lowDisk = `the disk of the spool cannot be examined: ${String(error)}`;
    }
  }

  /** Why nothing should be claimed now; undefined when there is room. */
  refusal(usedBytes: number, writeFailure: string | undefined): string | undefined {
    const part = usedBytes / this.#maxBytes;
    this.#isFull = this.#isFull ? part > roomAgainAt : part > fullAt;
    if (writeFailure !== undefined) return writeFailure;
    if (this.#lowDisk !== undefined) return this.#lowDisk;
    if (!this.#isFull) return undefined;
    return (
      `the spool is nearly full: ${inMebibytes(usedBytes)} of ${inMebibytes(this.#maxBytes)} ` +
      'wait for the store'
    );
  }

  hasRoomForOutput(usedBytes: number, waitingBytes: number): boolean {
    return usedBytes <= this.#maxBytes * (1 + reservePart) && waitingBytes <= maxWaitingBytes;
  }
}

function inMebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
