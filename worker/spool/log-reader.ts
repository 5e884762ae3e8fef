/**
 * The reading end of the log: batches of records in log order for the store. What was just written
 * is kept for a while (offer), so that with the store up nothing is read back; beyond that bound it
 * reads the files, a window at a time, and memory stays the same however much is pending.
 */
import { open } from 'node:fs/promises';
import type { HistoryRecord } from '../../shared/history/records.ts';
import type { Logger } from '../../shared/log.ts';
import { CorruptEntry, decodeEntry } from './entry-codec.ts';
import { readFrame, segmentHeader } from './frame.ts';
import type { Ledger, Position, Segment } from './ledger.ts';
import { errnoOf } from './disk.ts';

/** A frame whose checksum is right but which this version cannot understand. */
export interface UnknownFrame {
  readonly position: Position;
  readonly reason: string;
  readonly body: Buffer;
}

export interface Batch {
  readonly records: readonly HistoryRecord[];
  readonly unknown: readonly UnknownFrame[];
  /** Where the next batch starts. */
  readonly end: Position;
  readonly segment: Segment;
  readonly takenRecords: number;
  readonly takenBytes: number;
}

interface Chunk {
  readonly segment: number;
  readonly offset: number;
  readonly bytes: Buffer;
}

const readWindowBytes = 1024 * 1024;
/** A disk that cannot read a segment this often in a row will not; the rest of it is given up. */
const maxReadFailures = 10;

export class LogReader {
  readonly #ledger: Ledger;
  readonly #logger: Logger;
  readonly #cacheBytes: number;
  #position: Position;
  #chunks: Chunk[] = [];
  #chunkBytes = 0;
  #readFailures = 0;

  constructor(options: {
    readonly ledger: Ledger;
    readonly logger: Logger;
    readonly start: Position;
    readonly cacheBytes: number;
  }) {
    this.#ledger = options.ledger;
    this.#logger = options.logger;
    this.#position = options.start;
    this.#cacheBytes = options.cacheBytes;
  }

  /**
   * Keeps freshly written bytes when they follow what is kept already and there is room. Must be
   * called before the ledger knows of their records.
   */
  offer(segment: Segment, offset: number, bytes: Buffer): void {
    if (this.#ledger.unreadRecords === 0) {
      this.#chunks = [];
      this.#chunkBytes = 0;
      this.#position = { segment: segment.number, offset };
    }
    if (!this.#follows(segment, offset)) return;
    if (this.#chunkBytes + bytes.length > this.#cacheBytes) return;
    this.#chunks.push({ segment: segment.number, offset, bytes });
    this.#chunkBytes += bytes.length;
  }

  /**
   * The next records, all of one segment; undefined when all were read. One call at a time. Throws
   * when the disk cannot be read now.
   */
  async next(maxRecords: number, maxBytes: number): Promise<Batch | undefined> {
    for (;;) {
      const segment = this.#ledger.nextUnread(this.#position.segment);
      if (segment === undefined) return undefined;
      if (segment.number !== this.#position.segment) {
        this.#moveTo({ segment: segment.number, offset: segmentHeader.length });
      }
      try {
        const batch = await this.#collect(segment, maxRecords, maxBytes);
        this.#readFailures = 0;
        if (batch !== undefined) return batch;
        this.#giveUp(segment, `unreadable at byte ${String(this.#position.offset)}`);
      } catch (error) {
        this.#readFailures += 1;
        if (errnoOf(error) !== 'ENOENT' && this.#readFailures < maxReadFailures) throw error;
        this.#giveUp(segment, error instanceof Error ? error.message : String(error));
      }
    }
  }

  async #collect(
    segment: Segment,
    maxRecords: number,
    maxBytes: number,
  ): Promise<Batch | undefined> {
    const records: HistoryRecord[] = [];
    const unknown: UnknownFrame[] = [];
    let takenRecords = 0;
    let takenBytes = 0;
    let { offset } = this.#position;
    while (takenRecords < segment.unreadRecords && takenRecords < maxRecords) {
      const window = await this.#window(segment, offset, 0);
      let frame =
        window === undefined ? 'invalid' : readFrame(window.bytes, offset - window.offset);
      if (typeof frame === 'object' && 'incomplete' in frame) {
        const larger = await this.#window(segment, offset, frame.incomplete);
        frame = larger === undefined ? 'invalid' : readFrame(larger.bytes, offset - larger.offset);
      }
      if (frame === 'invalid' || 'incomplete' in frame) break;
      if (takenRecords > 0 && takenBytes + frame.bytes > maxBytes) break;
      if (frame.type === 'record') {
        try {
          const entry = decodeEntry(frame);
          if (entry.type === 'record') records.push(entry.record);
        } catch (error) {
          if (!(error instanceof CorruptEntry)) throw error;
          const position = { segment: segment.number, offset };
          unknown.push({ position, reason: error.message, body: frame.body });
        }
        takenRecords += 1;
        takenBytes += frame.bytes;
      }
      offset += frame.bytes;
    }
    if (takenRecords === 0) return undefined;
    const end = { segment: segment.number, offset };
    this.#moveTo(end);
    this.#ledger.read(segment, takenRecords, takenBytes);
    return { records, unknown, end, segment, takenRecords, takenBytes };
  }

  /** A chunk that holds at least `atLeast` bytes from `offset`; undefined beyond the segment's end. */
  async #window(segment: Segment, offset: number, atLeast: number): Promise<Chunk | undefined> {
    this.#dropBefore({ segment: segment.number, offset });
    const first = this.#chunks[0];
    if (
      first !== undefined &&
      first.segment === segment.number &&
      first.offset <= offset &&
      first.offset + first.bytes.length >= offset + Math.max(1, atLeast)
    ) {
      return first;
    }
    if (offset + atLeast > segment.bytes || offset >= segment.bytes) return undefined;
    const wanted = Math.min(segment.bytes - offset, Math.max(readWindowBytes, atLeast));
    const chunk = { segment: segment.number, offset, bytes: Buffer.allocUnsafe(wanted) };
    const handle = await open(segment.path, 'r');
    try {
      let done = 0;
      while (done < wanted) {
        const { bytesRead } = await handle.read(chunk.bytes, done, wanted - done, offset + done);
        if (bytesRead === 0) return undefined;
        done += bytesRead;
      }
    } finally {
      await handle.close();
    }
    // Whatever is kept lies behind a gap or overlaps with this window: it is read again in turn.
    this.#chunks = [chunk];
    this.#chunkBytes = wanted;
    return chunk;
  }

  #moveTo(position: Position): void {
    this.#position = position;
    this.#dropBefore(position);
  }

  #dropBefore(position: Position): void {
    for (let first = this.#chunks[0]; first !== undefined; first = this.#chunks[0]) {
      const isPast =
        first.segment < position.segment ||
        (first.segment === position.segment &&
          first.offset + first.bytes.length <= position.offset);
      if (!isPast) return;
      this.#chunks.shift();
      this.#chunkBytes -= first.bytes.length;
    }
  }

  #follows(segment: Segment, offset: number): boolean {
    const last = this.#chunks.at(-1);
    if (last === undefined) {
      return this.#position.segment === segment.number && this.#position.offset === offset;
    }
    const end = last.offset + last.bytes.length;
    if (last.segment === segment.number) return end === offset;
    const previous = this.#ledger.before(segment);
    return previous?.number === last.segment && end === previous.bytes;
  }

  #giveUp(segment: Segment, reason: string): void {
    this.#readFailures = 0;
    this.#logger.error(
      { file: segment.path, lostRecords: segment.unreadRecords, offset: this.#position.offset },
      `spooled history cannot be read back (${reason}); the rest of this segment is set aside`,
    );
    this.#ledger.spoil(segment, reason);
    // Not the next segment: this one may still be written to.
    this.#moveTo({ segment: segment.number, offset: segment.bytes });
  }
}
