/**
 * What the worker's executor and its guardian say to each other, over one private socket.
 * A frame is a little-endian u32 length, then a kind byte: JSON for every message but output, whose
 * bytes travel as they are behind a fixed head. Both ends are always of the same build, so a frame
 * is checked for its form and its type only.
 */
import type { EndedBy, RunSpec } from '../executor/port.ts';

/** Among the guardian's arguments: a cgroup for every run. */
export const cgroupsFlag = '--cgroups';

/** Among the guardian's arguments: Node spawns every run. */
export const noSpawnerFlag = '--no-spawner';

/** The descriptor on which the guardian finds the socket. */
export const channelDescriptor = 3;

export interface StartMessage {
  readonly type: 'start';
  /** Number of the run on this channel; every later message about the run bears it. */
  readonly id: number;
  readonly spec: Omit<RunSpec, 'runId' | 'job'>;
  readonly startBy: number;
}

export type ToGuardian =
  | StartMessage
  | { readonly type: 'deadline'; readonly deadlineMs: number }
  | { readonly type: 'kill'; readonly id: number; readonly graceMs: number }
  | { readonly type: 'hurry'; readonly id: number; readonly isHurried: boolean }
  | { readonly type: 'ping' };

export interface OutputMessage {
  readonly type: 'output';
  readonly id: number;
  readonly stream: 'stdout' | 'stderr';
  readonly at: number;
  readonly offset: number;
  readonly data: Buffer;
}

export interface EndedMessage {
  readonly type: 'ended';
  readonly id: number;
  readonly at: number;
  readonly endedBy: Exclude<EndedBy, 'guardian-lost'>;
  readonly reason?: string;
  readonly exitCode?: number;
  readonly signal?: string;
  readonly outputBytes: number;
  readonly outputTruncated: boolean;
}

export type FromGuardian =
  | OutputMessage
  | EndedMessage
  | { readonly type: 'ready'; readonly monotonicMs: number }
  | { readonly type: 'started'; readonly id: number; readonly pid: number; readonly at: number }
  | { readonly type: 'pong' }
  /** For the worker's log. */
  | { readonly type: 'notice'; readonly text: string; readonly runId?: string };

const kindJson = 0;
const kindOutput = 1;
const lengthBytes = 4;
const outputHeadBytes = 1 + 4 + 1 + 8 + 8;
const maxFrameBytes = 64 * 1024 * 1024;

export function encodeMessage(message: ToGuardian | Exclude<FromGuardian, OutputMessage>): Buffer {
  const text = JSON.stringify(message);
  const bodyBytes = 1 + Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(lengthBytes + bodyBytes);
  frame.writeUInt32LE(bodyBytes, 0);
  frame.writeUInt8(kindJson, lengthBytes);
  frame.write(text, lengthBytes + 1);
  return frame;
}

/** The head of an output frame; its `dataBytes` bytes follow it on the wire, uncopied. */
export function encodeOutputHead(
  message: Omit<OutputMessage, 'type' | 'data'>,
  dataBytes: number,
): Buffer {
  const head = Buffer.allocUnsafe(lengthBytes + outputHeadBytes);
  head.writeUInt32LE(outputHeadBytes + dataBytes, 0);
  head.writeUInt8(kindOutput, 4);
  head.writeUInt32LE(message.id, 5);
  head.writeUInt8(message.stream === 'stdout' ? 1 : 2, 9);
  head.writeDoubleLE(message.at, 10);
  head.writeDoubleLE(message.offset, 18);
  return head;
}

const toGuardianTypes: ReadonlySet<unknown> = new Set<ToGuardian['type']>([
  'start',
  'deadline',
  'kill',
  'hurry',
  'ping',
]);
const fromGuardianTypes: ReadonlySet<unknown> = new Set<FromGuardian['type']>([
  'ended',
  'ready',
  'started',
  'pong',
  'notice',
]);

function isToGuardian(message: { type?: unknown }): message is ToGuardian {
  return toGuardianTypes.has(message.type);
}

function isFromGuardian(message: { type?: unknown }): message is FromGuardian {
  return fromGuardianTypes.has(message.type);
}

/** Throws when the body is not a message to the guardian. */
export function decodeToGuardian(body: Buffer): ToGuardian {
  const message = decodeJson(body);
  if (!isToGuardian(message)) throw new Error('not a message to the guardian');
  return message;
}

/** Throws when the body is not a message of the guardian. Output data may be kept. */
export function decodeFromGuardian(body: Buffer, isOwn: boolean): FromGuardian {
  if (body[0] === kindOutput) {
    const data = body.subarray(outputHeadBytes);
    return {
      type: 'output',
      id: body.readUInt32LE(1),
      stream: body.readUInt8(5) === 1 ? 'stdout' : 'stderr',
      at: body.readDoubleLE(6),
      offset: body.readDoubleLE(14),
      // A view would keep the whole read alive for as long as a few bytes of it are kept.
      data: isOwn ? data : Buffer.from(data),
    };
  }
  const message = decodeJson(body);
  if (!isFromGuardian(message)) throw new Error('not a message of the guardian');
  return message;
}

function decodeJson(body: Buffer): { type?: unknown } {
  if (body[0] !== kindJson) throw new Error(`unknown kind of frame: ${String(body[0])}`);
  const value: unknown = JSON.parse(body.toString('utf8', 1));
  if (typeof value !== 'object' || value === null) throw new Error('a frame holds no message');
  return value;
}

/**
 * Cuts what a socket delivers into frames. `onFrame` gets each body: a view that is valid until it
 * returns, or one that `isOwn`ed by nobody else.
 */
export class FrameReader {
  readonly #onFrame: (body: Buffer, isOwn: boolean) => void;
  readonly #length = Buffer.alloc(lengthBytes);
  #lengthFilled = 0;
  /** A body that came in part; it is put together once, at its full size. */
  #body: Buffer | undefined;
  #bodyFilled = 0;

  constructor(onFrame: (body: Buffer, isOwn: boolean) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    let start = 0;
    while (start < chunk.length) {
      if (this.#body === undefined) start = this.#readLength(chunk, start);
      else start = this.#fillBody(this.#body, chunk, start);
    }
  }

  #readLength(chunk: Buffer, start: number): number {
    const taken = chunk.copy(this.#length, this.#lengthFilled, start, start + this.#lengthMissing);
    this.#lengthFilled += taken;
    const bodyStart = start + taken;
    if (this.#lengthMissing > 0) return bodyStart;
    this.#lengthFilled = 0;
    const bodyBytes = this.#length.readUInt32LE(0);
    if (bodyBytes > maxFrameBytes) throw new Error(`a frame of ${String(bodyBytes)} bytes`);
    const bodyEnd = bodyStart + bodyBytes;
    if (bodyEnd > chunk.length) {
      this.#body = Buffer.allocUnsafe(bodyBytes);
      this.#bodyFilled = 0;
      return bodyStart;
    }
    this.#onFrame(chunk.subarray(bodyStart, bodyEnd), false);
    return bodyEnd;
  }

  get #lengthMissing(): number {
    return lengthBytes - this.#lengthFilled;
  }

  #fillBody(body: Buffer, chunk: Buffer, start: number): number {
    const taken = chunk.copy(body, this.#bodyFilled, start);
    this.#bodyFilled += taken;
    if (this.#bodyFilled === body.length) {
      this.#body = undefined;
      this.#onFrame(body, true);
    }
    return start + taken;
  }
}
