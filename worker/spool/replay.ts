/**
 * Reads what an earlier life left in the directory: which segments hold what for the store, and
 * which entries are still held. A torn last write is cut away; a segment that is damaged in the
 * middle is read up to there and the file is later set aside as `.corrupt`; later segments are read
 * all the same. Payloads of records are not kept.
 */
import { readdir, readFile, truncate, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CronmeshError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { CorruptEntry, decodeEntry } from './entry-codec.ts';
import {
  formatVersion,
  hasFrameAfter,
  readFrame,
  segmentHeader,
  segmentVersion,
  type Frame,
} from './frame.ts';
import { segmentNumber, type Ledger, type Position, type Segment } from './ledger.ts';
import type { HeldEntry } from './port.ts';

export interface ReplayedHold {
  readonly entry: HeldEntry;
  readonly segment: number;
  readonly bytes: number;
}

export interface Replay {
  /** Oldest first, without those that were released. */
  readonly holds: ReadonlyMap<string, ReplayedHold>;
  readonly lastNumber: number;
}

interface ReplayOptions {
  readonly directory: string;
  readonly acknowledged: Position;
  readonly ledger: Ledger;
  readonly logger: Logger;
}

/** Throws `config-invalid` for a directory of a newer format, and what the disk throws. */
export async function replay(options: ReplayOptions): Promise<Replay> {
  const { directory, ledger, logger } = options;
  const holds = new Map<string, ReplayedHold>();
  const files = (await readdir(directory))
    .map((name) => ({ path: join(directory, name), number: segmentNumber(name) }))
    .filter((file): file is { path: string; number: number } => file.number !== undefined)
    .sort((a, b) => a.number - b.number);
  for (const { path, number } of files) {
    const contents = await readFile(path);
    refuseNewerFormat(path, contents);
    const segment = scan(path, number, contents, options, holds);
    const goodBytes = segment.damage === undefined ? segment.bytes : contents.length;
    if (goodBytes < contents.length) {
      logger.warn(
        { file: path, offset: goodBytes, bytes: contents.length - goodBytes },
        'the last write to this spool segment was cut short; the torn end is removed',
      );
    }
    if (goodBytes <= segmentHeader.length && segment.damage === undefined) {
      await unlink(path).catch(() => undefined);
      continue;
    }
    if (goodBytes < contents.length) {
      await truncate(path, goodBytes).catch((error: unknown) => {
        logger.warn({ err: error, file: path }, 'the torn end of a segment could not be removed');
      });
    }
    ledger.add(segment);
  }
  return { holds, lastNumber: files.at(-1)?.number ?? 0 };
}

function scan(
  path: string,
  number: number,
  contents: Buffer,
  { acknowledged, logger }: ReplayOptions,
  holds: Map<string, ReplayedHold>,
): Segment {
  const segment: Segment = {
    number,
    path,
    bytes: Math.min(segmentHeader.length, contents.length),
    open: false,
    pendingRecords: 0,
    pendingBytes: 0,
    unreadRecords: 0,
    unreadBytes: 0,
  };
  while (segment.bytes < contents.length) {
    const frame = readFrame(contents, segment.bytes);
    if (frame === 'invalid' || 'incomplete' in frame) {
      if (isForeign(contents) || hasFrameAfter(contents, segment.bytes + 1)) {
        segment.damage = `damaged at byte ${String(segment.bytes)}`;
        logger.error(
          { file: path, offset: segment.bytes, bytes: contents.length - segment.bytes },
          'SPOOL SEGMENT DAMAGED: what follows the damage in it is not replayed; ' +
            'the file is set aside as .corrupt',
        );
      }
      return segment;
    }
    if (frame.type === 'record') {
      const isTaken =
        number < acknowledged.segment ||
        (number === acknowledged.segment && segment.bytes < acknowledged.offset);
      segment.pendingRecords += isTaken ? 0 : 1;
      segment.pendingBytes += isTaken ? 0 : frame.bytes;
    } else {
      replayHold(segment, frame, logger, holds);
    }
    segment.bytes += frame.bytes;
  }
  return segment;
}

function replayHold(
  segment: Segment,
  frame: Frame,
  logger: Logger,
  holds: Map<string, ReplayedHold>,
): void {
  try {
    const entry = decodeEntry(frame);
    if (entry.type === 'release') holds.delete(entry.id);
    if (entry.type !== 'hold') return;
    // Written again further on, it keeps its place.
    holds.set(entry.entry.id, {
      entry: ownCopy(entry.entry),
      segment: segment.number,
      bytes: frame.bytes,
    });
  } catch (error) {
    if (!(error instanceof CorruptEntry)) throw error;
    segment.damage = `an entry of unknown shape at byte ${String(segment.bytes)}`;
    logger.error(
      { err: error, file: segment.path, offset: segment.bytes },
      'a held spool entry is of no shape this version knows; its file is set aside as .corrupt',
    );
  }
}

/** Frees the segment's memory, of which decoded output is a part. */
function ownCopy(entry: HeldEntry): HeldEntry {
  const records = entry.records.map((record) =>
    record.kind === 'output' ? { ...record, data: Buffer.from(record.data) } : record,
  );
  return { ...entry, records };
}

/** Nothing that a crash of ours leaves: neither our header nor zeros in its place. */
function isForeign(contents: Buffer): boolean {
  const start = contents.subarray(0, segmentHeader.length);
  return segmentVersion(contents) === undefined && start.some((byte) => byte !== 0);
}

function refuseNewerFormat(path: string, contents: Buffer): void {
  const version = segmentVersion(contents);
  if (version === undefined || version <= formatVersion) return;
  // One damaged byte must not read as a newer format.
  if (typeof readFrame(contents, segmentHeader.length) === 'object') return;
  throw new CronmeshError(
    'config-invalid',
    `the spool file ${path} was written by a newer version of cronmesh (format ${String(version)}; ` +
      `this one knows ${String(formatVersion)}): upgrade this worker or give it another directory`,
  );
}
