/**
 * Frames, the unit of a segment file:
 *   length u32 | crc32 u32 over (length, payload) | payload: version u8, type u8, body
 * Little endian. A segment opens with a header of its own. Reading never trusts a byte that the
 * checksum does not cover, and a run of zeros (what a crash may leave at a file's end) is no frame.
 */
import { crc32 } from 'node:zlib';
import { CronmeshError } from '../../shared/errors.ts';

export const formatVersion = 1;
const frameHeaderBytes = 8;
/** Larger frames are refused when written, so a larger length can only be damage when read. */
const maxPayloadBytes = 64 * 1024 * 1024;

/** `note` carries nothing; it is written to find out whether the disk works again. */
const typeCodes = { record: 1, hold: 2, release: 3, note: 4 } as const;
export type FrameType = keyof typeof typeCodes;
const typesByCode = new Map<number, FrameType>(
  (['record', 'hold', 'release', 'note'] as const).map((type) => [typeCodes[type], type]),
);

const magic = Buffer.from('CMSPOOL', 'latin1');
export const segmentHeader = Buffer.concat([magic, Buffer.from([formatVersion])]);

export interface Frame {
  readonly type: FrameType;
  readonly body: Buffer;
  /** Of the whole frame, header included. */
  readonly bytes: number;
}

/** The format version of a segment by its first bytes; undefined when it is no segment header. */
export function segmentVersion(start: Buffer): number | undefined {
  if (start.length < segmentHeader.length) return undefined;
  return start.subarray(0, magic.length).equals(magic) ? start[magic.length] : undefined;
}

/** A frame with room for a body that `write` puts at `at`. Throws `internal` beyond the limit. */
export function encodeFrame(
  type: FrameType,
  bodyBytes: number,
  write: (frame: Buffer, at: number) => void,
): Buffer {
  const payloadBytes = 2 + bodyBytes;
  if (payloadBytes > maxPayloadBytes) {
    throw new CronmeshError(
      'internal',
      `a spool entry of ${String(payloadBytes)} bytes is over the limit of ${String(maxPayloadBytes)}`,
    );
  }
  const frame = Buffer.allocUnsafe(frameHeaderBytes + payloadBytes);
  frame.writeUInt32LE(payloadBytes, 0);
  frame[8] = formatVersion;
  frame[9] = typeCodes[type];
  write(frame, frameHeaderBytes + 2);
  frame.writeUInt32LE(checksum(frame, 0, payloadBytes), 4);
  return frame;
}

/**
 * The frame at `offset`; 'incomplete' with the bytes it claims to need when the buffer ends inside
 * it; 'invalid' when no frame starts there.
 */
export function readFrame(
  buffer: Buffer,
  offset: number,
): Frame | { readonly incomplete: number } | 'invalid' {
  if (buffer.length - offset < frameHeaderBytes) return { incomplete: frameHeaderBytes };
  const payloadBytes = buffer.readUInt32LE(offset);
  if (payloadBytes < 2 || payloadBytes > maxPayloadBytes) return 'invalid';
  const bytes = frameHeaderBytes + payloadBytes;
  if (buffer.length - offset < bytes) return { incomplete: bytes };
  const type = typesByCode.get(buffer[offset + 9] ?? 0);
  if (buffer[offset + 8] !== formatVersion || type === undefined) return 'invalid';
  if (checksum(buffer, offset, payloadBytes) !== buffer.readUInt32LE(offset + 4)) return 'invalid';
  return { type, body: buffer.subarray(offset + 10, offset + bytes), bytes };
}

/**
 * Whether a whole valid frame lies anywhere in the bytes from `offset` on: it tells damage in the
 * middle of a segment from a last write that a crash cut short.
 */
export function hasFrameAfter(buffer: Buffer, offset: number): boolean {
  // Each candidate costs a checksum over its claimed length; hostile bytes must not make that n².
  let checksumBudget = 4 * buffer.length + 1024 * 1024;
  for (let at = offset; at + frameHeaderBytes + 2 <= buffer.length; at += 1) {
    if (buffer[at + 8] !== formatVersion || !typesByCode.has(buffer[at + 9] ?? 0)) continue;
    const payloadBytes = buffer.readUInt32LE(at);
    if (payloadBytes < 2 || payloadBytes > buffer.length - at - frameHeaderBytes) continue;
    checksumBudget -= payloadBytes;
    if (checksumBudget < 0) return true;
    if (typeof readFrame(buffer, at) === 'object') return true;
  }
  return false;
}

function checksum(buffer: Buffer, offset: number, payloadBytes: number): number {
  const start = offset + frameHeaderBytes;
  const ofLength = crc32(buffer.subarray(offset, offset + 4));
  return crc32(buffer.subarray(start, start + payloadBytes), ofLength);
}
