/**
 * The writing end of the log, with group commit: whatever waits while a write is under way shares
 * the next write and its one fdatasync. After a failed write or sync the segment is closed for good
 * (a kernel may forget that a failed page was dirty, so syncing it again proves nothing) and the
 * next write opens a new one. A rejected write may still be found on disk after a crash.
 */
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { CronmeshError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { errnoOf, syncDirectory, writeAll } from './disk.ts';
import { segmentHeader } from './frame.ts';
import { segmentPath, type Ledger, type Segment } from './ledger.ts';

export interface WriteRequest {
  readonly frames: readonly Buffer[];
  /** Tried once more without the others when the disk is full. */
  readonly essential: boolean;
  /** Runs once on disk, before the promise resolves and in log order. */
  readonly onDurable: (segment: Segment) => void;
}

interface Waiting extends WriteRequest {
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: CronmeshError) => void;
}

interface SegmentWriterOptions {
  readonly directory: string;
  readonly segmentBytes: number;
  readonly firstNumber: number;
  readonly ledger: Ledger;
  readonly logger: Logger;
  /** Called for each commit with the bytes that went to disk, before their onDurable. */
  readonly onCommitted: (segment: Segment, offset: number, bytes: Buffer) => void;
}

/** A group larger than this is committed in steps, so that one flood does not delay everybody. */
const maxGroupBytes = 8 * 1024 * 1024;

export class SegmentWriter {
  readonly #options: SegmentWriterOptions;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #flushing: Promise<void> | undefined;
  #nextNumber: number;
  #active: { readonly segment: Segment; readonly handle: FileHandle } | undefined;
  #failure: string | undefined;
  #rollAsked = false;
  #closed = false;

  constructor(options: SegmentWriterOptions) {
    this.#options = options;
    this.#nextNumber = options.firstNumber;
  }

  get activeBytes(): number {
    return this.#active?.segment.bytes ?? 0;
  }

  /** Why the last write failed; undefined when it went well. */
  get failure(): string | undefined {
    return this.#failure;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Resolves when on disk. Throws `spool-unavailable`. */
  write({ frames, essential, onDurable }: WriteRequest): Promise<void> {
    if (this.#closed) {
      return Promise.reject(new CronmeshError('spool-unavailable', 'the spool is stopped'));
    }
    return new Promise((resolve, reject) => {
      let bytes = 0;
      for (const frame of frames) bytes += frame.length;
      // Field by field: there is one for each line of output, and spreading costs as much as a checksum.
      this.#waiting.push({ frames, essential, onDurable, bytes, resolve, reject });
      this.#waitingBytes += bytes;
      this.#flushing ??= this.#flush();
    });
  }

  /** Resolves when everything that waits now is on disk or refused. */
  async flushed(): Promise<void> {
    const barrier = { frames: [], essential: true, onDurable: () => undefined };
    await this.write(barrier).catch(() => undefined);
  }

  /** Ends the segment that is being written, so that it can be removed; the next write opens one. */
  async roll(): Promise<void> {
    this.#rollAsked = true;
    await this.flushed();
  }

  /** Refuses writes from now on, commits what waits and closes the file. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#flushing;
    await this.#closeActive();
  }

  async #flush(): Promise<void> {
    // Lets everything that this turn of the loop has to write into the first group.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      if (this.#rollAsked) await this.#closeActive();
      this.#rollAsked = false;
      await this.#commit(this.#takeGroup());
    }
    this.#flushing = undefined;
  }

  #takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      if (count > 0 && bytes + waiting.bytes > maxGroupBytes) break;
      bytes += waiting.bytes;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    const failure = await this.#attempt(group);
    if (failure === undefined) return;
    const essential = group.filter((waiting) => waiting.essential);
    const retry = failure.full && essential.length > 0 && essential.length < group.length;
    this.#refuse(retry ? group.filter((waiting) => !waiting.essential) : group, failure.error);
    if (!retry) return;
    const secondFailure = await this.#attempt(essential);
    if (secondFailure !== undefined) this.#refuse(essential, secondFailure.error);
  }

  async #attempt(
    group: readonly Waiting[],
  ): Promise<{ readonly full: boolean; readonly error: CronmeshError } | undefined> {
    const bytes = Buffer.concat(group.flatMap((waiting) => waiting.frames));
    if (bytes.length === 0) {
      for (const waiting of group) waiting.resolve();
      return undefined;
    }
    let segment: Segment;
    let offset: number;
    try {
      ({ segment, offset } = await this.#writeDurably(bytes));
    } catch (error) {
      const code = errnoOf(error);
      const reason = `the spool cannot be written: ${error instanceof Error ? error.message : String(error)}`;
      if (this.#failure === undefined) this.#options.logger.error({ err: error }, reason);
      this.#failure = reason;
      return {
        full: code === 'ENOSPC' || code === 'EDQUOT',
        error: new CronmeshError('spool-unavailable', reason, { cause: error }),
      };
    }
    if (this.#failure !== undefined) this.#options.logger.info('the spool can be written again');
    this.#failure = undefined;
    // In one turn, so that nobody sees the bytes without their records or the other way round.
    this.#options.onCommitted(segment, offset, bytes);
    segment.bytes = offset + bytes.length;
    for (const waiting of group) {
      this.#waitingBytes -= waiting.bytes;
      waiting.onDurable(segment);
    }
    for (const waiting of group) waiting.resolve();
    return undefined;
  }

  #refuse(group: readonly Waiting[], error: CronmeshError): void {
    for (const waiting of group) {
      this.#waitingBytes -= waiting.bytes;
      waiting.reject(error);
    }
  }

  async #writeDurably(bytes: Buffer): Promise<{ segment: Segment; offset: number }> {
    // Replay would not read what comes behind damage.
    const isOver =
      this.#active !== undefined &&
      (this.#active.segment.damage !== undefined ||
        this.#active.segment.bytes + bytes.length > this.#options.segmentBytes);
    if (isOver) await this.#closeActive();
    if (this.#active === undefined) return this.#openSegment(bytes);
    const { segment, handle } = this.#active;
    const offset = segment.bytes;
    try {
      await writeAll(handle, bytes, offset);
      await handle.datasync();
    } catch (error) {
      // Frees what a full disk took of it; if even this fails, replay finds a torn tail.
      await handle.truncate(offset).catch(() => undefined);
      await this.#closeActive();
      throw error;
    }
    return { segment, offset };
  }

  async #openSegment(bytes: Buffer): Promise<{ segment: Segment; offset: number }> {
    const { directory, ledger } = this.#options;
    const number = this.#nextNumber;
    const path = segmentPath(directory, number);
    this.#nextNumber += 1;
    const handle = await open(path, 'wx', 0o600);
    try {
      await writeAll(handle, Buffer.concat([segmentHeader, bytes]), 0);
      await handle.datasync();
      await syncDirectory(directory);
    } catch (error) {
      await handle.close().catch(() => undefined);
      await unlink(path).catch(() => undefined);
      throw error;
    }
    const segment: Segment = {
      number,
      path,
      bytes: segmentHeader.length,
      open: true,
      pendingRecords: 0,
      pendingBytes: 0,
      unreadRecords: 0,
      unreadBytes: 0,
    };
    ledger.add(segment);
    this.#active = { segment, handle };
    return { segment, offset: segmentHeader.length };
  }

  async #closeActive(): Promise<void> {
    if (this.#active === undefined) return;
    const { segment, handle } = this.#active;
    this.#active = undefined;
    segment.open = false;
    await handle.close().catch((error: unknown) => {
      this.#options.logger.warn({ err: error, file: segment.path }, 'closing a segment failed');
    });
  }
}
