/**
 * Streams to one client, of server-sent events or of plain text, and the house of all of them: how many there may be, the
 * heartbeats that keep proxies from giving up, and the orderly end. A client that does not read is
 * seen by `bufferedBytes`; nothing here buffers without the sender knowing.
 */
import { Readable } from 'node:stream';
import type { Clock } from '../../shared/clock.ts';
import { CronmeshError } from '../../shared/errors.ts';
import type { Component } from '../../shared/lifecycle.ts';
import type { Reply } from './reply.ts';

const heartbeatMs = 15_000;
const retryMs = 2_000;
/** After an orderly end the client should be elsewhere soon: another master stands behind the proxy. */
const retryAfterEndMs = 500;

export interface ByteStream {
  /** Waiting in memory for a client that does not read. */
  readonly bufferedBytes: number;
  write(data: string | Buffer): void;
  end(): void;
  onOver(callback: () => void): void;
}

/** What is written to it is events that encodeEvent() made: one text may go to many clients. */
export interface EventStream extends ByteStream {
  /** `id` is what a reconnecting client sends as Last-Event-ID. */
  send(event: string, data: unknown, id?: string): void;
  /** Ends it; the client comes back by itself, soon. */
  end(): void;
}

export function encodeEvent(event: string, data: unknown, id?: string): string {
  const idLine = id === undefined ? '' : `id: ${id}\n`;
  return `${idLine}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

export class EventStreams implements Component {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #open = new Set<OpenStream>();
  readonly #events = new Set<OpenEventStream>();
  #cancelHeartbeat: (() => void) | undefined;
  #stopped = false;

  constructor(clock: Clock, limit: number) {
    this.#clock = clock;
    this.#limit = limit;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Throws `busy` when there are too many, or the master is about to stop. */
  open(begin: (stream: EventStream) => void): Reply {
    const stream = this.#add(new OpenEventStream());
    this.#events.add(stream);
    stream.onOver(() => this.#events.delete(stream));
    stream.comment(`retry: ${retryMs}`);
    begin(stream);
    return replyOf(stream, 'text/event-stream; charset=utf-8');
  }

  /** Text as it comes, with nothing between, for clients that are no browsers. Throws as open(). */
  openText(begin: (stream: ByteStream) => void): Reply {
    const stream = this.#add(new OpenStream());
    begin(stream);
    return replyOf(stream, 'text/plain; charset=utf-8');
  }

  #add<T extends OpenStream>(stream: T): T {
    if (this.#stopped || this.#open.size >= this.#limit) {
      throw new CronmeshError(
        'busy',
        this.#stopped
          ? 'This master is stopping.'
          : `This master serves ${this.#limit} live streams already.`,
      );
    }
    this.#open.add(stream);
    stream.onOver(() => this.#open.delete(stream));
    return stream;
  }

  async start(): Promise<void> {
    this.#cancelHeartbeat ??= this.#clock.after(heartbeatMs, () => {
      for (const stream of this.#events) stream.comment(': still here');
      this.#cancelHeartbeat = undefined;
      if (!this.#stopped) void this.start();
    });
  }

  /** Ends all of them. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelHeartbeat?.();
    for (const stream of this.#open) stream.end();
  }
}

function replyOf({ body }: OpenStream, type: string): Reply {
  const headers = { 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' };
  return { status: 200, type, content: body, headers };
}

/** Bytes to one client for as long as there are some. */
class OpenStream implements ByteStream {
  // Nothing to do on read(): whoever sends looks at what is buffered.
  readonly body = new Readable({ read: () => undefined, highWaterMark: 64 * 1024 });
  #over = false;
  readonly #callbacks: (() => void)[] = [];

  constructor() {
    this.body.once('close', () => this.#finish());
    this.body.once('error', () => this.#finish());
  }

  get bufferedBytes(): number {
    return this.body.readableLength;
  }

  write(data: string | Buffer): void {
    if (!this.#over) this.body.push(data);
  }

  end(): void {
    if (this.#over) return;
    this.body.push(null);
    this.#finish();
  }

  onOver(callback: () => void): void {
    if (this.#over) callback();
    else this.#callbacks.push(callback);
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    for (const callback of this.#callbacks.splice(0)) callback();
  }
}

class OpenEventStream extends OpenStream implements EventStream {
  send(event: string, data: unknown, id?: string): void {
    this.write(encodeEvent(event, data, id));
  }

  /** A line that is no event: a comment, or a field of the stream itself. */
  comment(line: string): void {
    this.write(`${line}\n\n`);
  }

  override end(): void {
    this.comment(`retry: ${retryAfterEndMs}`);
    super.end();
  }
}
