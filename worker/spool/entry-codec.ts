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
  return encodeFrame('record', recordParts(record));
}

export function encodeHold(entry: HeldEntry): Buffer {
  const meta = Buffer.from(JSON.stringify({ id: entry.id, completion: entry.completion }), 'utf8');
  return encodeFrame('hold', [u32(meta.length), meta, ...entry.records.flatMap(recordParts)]);
}

export function encodeRelease(id: string): Buffer {
  return encodeFrame('release', [Buffer.from(JSON.stringify({ id }), 'utf8')]);
}

export function encodeNote(): Buffer {
  return encodeFrame('note', []);
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

function recordParts(record: HistoryRecord): Buffer[] {
  const data = record.kind === 'output' ? record.data : emptyData;
  const { data: _data, ...header } = { data: undefined, ...record };
  const json = Buffer.from(JSON.stringify(header), 'utf8');
  return [u32(json.length), u32(data.length), json, data];
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

function u32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
