/**
 * What frames mean: one history record each, a held entry, or the release of one. A record is a
 * JSON header and, for output, its raw bytes behind it, so binary output costs its own size and
 * stays as it is. Decoding throws CorruptEntry for anything this version cannot understand.
 */
import { z } from 'zod';
import type { HistoryRecord } from '../../shared/history/records.ts';
import { encodeFrame, type Frame } from './frame.ts';
import type { HeldEntry } from './port.ts';
import { recordSchema } from './record-schema.ts';

export type Entry =
  | { readonly type: 'record'; readonly record: HistoryRecord }
  | { readonly type: 'hold'; readonly entry: HeldEntry }
  | { readonly type: 'release'; readonly id: string }
  | { readonly type: 'note' };

export class CorruptEntry extends Error {
  override readonly name = 'CorruptEntry';
}

/** A piece of output larger than this is spooled as several records. */
const maxOutputPieceBytes = 1024 * 1024;
const emptyData = Buffer.alloc(0);

const heldMetaSchema = z.object({ id: z.string(), completion: z.unknown().optional() });
const releaseSchema = z.object({ id: z.string() });

export function encodeRecord(record: HistoryRecord): Buffer {
  const parts = recordParts(record);
  return encodeFrame('record', parts.bytes, (frame, at) => writeRecord(parts, frame, at));
}

export function encodeHold(entry: HeldEntry): Buffer {
  const meta = Buffer.from(JSON.stringify({ id: entry.id, completion: entry.completion }), 'utf8');
  const records = entry.records.map(recordParts);
  const bytes = records.reduce((sum, parts) => sum + parts.bytes, 4 + meta.length);
  return encodeFrame('hold', bytes, (frame, start) => {
    let at = frame.writeUInt32LE(meta.length, start);
    at += meta.copy(frame, at);
    for (const parts of records) at = writeRecord(parts, frame, at);
  });
}

export function encodeRelease(id: string): Buffer {
  const body = Buffer.from(JSON.stringify({ id }), 'utf8');
  return encodeFrame('release', body.length, (frame, at) => body.copy(frame, at));
}

export function encodeNote(): Buffer {
  return encodeFrame('note', 0, () => undefined);
}

/** Throws CorruptEntry. The data of output records shares the frame's memory. */
export function decodeEntry(frame: Frame): Entry {
  switch (frame.type) {
    case 'record': {
      const { record, end } = decodeRecord(frame.body, 0);
      if (end !== frame.body.length) throw new CorruptEntry('bytes behind a record');
      return { type: 'record', record };
    }
    case 'hold':
      return { type: 'hold', entry: decodeHold(frame.body) };
    case 'release':
      return { type: 'release', id: parse(releaseSchema, parseJson(frame.body)).id };
    case 'note':
      return { type: 'note' };
  }
}

/** Output records over 1 MiB become several that follow each other; everything else stays. */
export function splitLargeOutput(record: HistoryRecord): readonly HistoryRecord[] {
  if (record.kind !== 'output' || record.data.length <= maxOutputPieceBytes) return [record];
  const pieces: HistoryRecord[] = [];
  for (let at = 0; at < record.data.length; at += maxOutputPieceBytes) {
    pieces.push({
      ...record,
      offset: record.offset + at,
      data: record.data.subarray(at, at + maxOutputPieceBytes),
    });
  }
  return pieces;
}

interface RecordParts {
  readonly json: string;
  readonly jsonBytes: number;
  readonly data: Buffer;
  readonly bytes: number;
}

function recordParts(record: HistoryRecord): RecordParts {
  const data = record.kind === 'output' ? record.data : emptyData;
  const json = JSON.stringify(record.kind === 'output' ? { ...record, data: undefined } : record);
  const jsonBytes = Buffer.byteLength(json);
  return { json, jsonBytes, data, bytes: 8 + jsonBytes + data.length };
}

/** Returns where it ends. One buffer for a record: there is one for each line of output. */
function writeRecord(parts: RecordParts, frame: Buffer, start: number): number {
  const { json, jsonBytes, data } = parts;
  let at = frame.writeUInt32LE(jsonBytes, start);
  at = frame.writeUInt32LE(data.length, at);
  at += frame.write(json, at);
  return at + data.copy(frame, at);
}

function decodeRecord(body: Buffer, start: number): { record: HistoryRecord; end: number } {
  const jsonStart = start + 8;
  if (jsonStart > body.length) throw new CorruptEntry('a record is cut short');
  const dataStart = jsonStart + body.readUInt32LE(start);
  const end = dataStart + body.readUInt32LE(start + 4);
  if (end > body.length) throw new CorruptEntry('a record is cut short');
  const header = parseJson(body.subarray(jsonStart, dataStart));
  if (typeof header !== 'object' || header === null) throw new CorruptEntry('no record header');
  const isOutput = 'kind' in header && header.kind === 'output';
  const record = isOutput ? { ...header, data: body.subarray(dataStart, end) } : header;
  return { record: parse(recordSchema, record), end };
}

function decodeHold(body: Buffer): HeldEntry {
  if (body.length < 4) throw new CorruptEntry('a held entry is cut short');
  const metaEnd = 4 + body.readUInt32LE(0);
  if (metaEnd > body.length) throw new CorruptEntry('a held entry is cut short');
  const meta = parse(heldMetaSchema, parseJson(body.subarray(4, metaEnd)));
  const records: HistoryRecord[] = [];
  for (let at = metaEnd; at < body.length;) {
    const { record, end } = decodeRecord(body, at);
    records.push(record);
    at = end;
  }
  return { id: meta.id, completion: meta.completion, records };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new CorruptEntry('not JSON', { cause });
  }
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new CorruptEntry('not a known shape', { cause: parsed.error });
  return parsed.data;
}
