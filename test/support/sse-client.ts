/**
 * A client of server-sent events as a browser's EventSource is one: it reconnects by itself, at once,
 * with the id of the last whole event it has seen as Last-Event-ID. It keeps all events, and counts
 * its connections.
 */
export interface SseEvent {
  readonly event: string;
  readonly data: unknown;
  readonly id: string | undefined;
}

const reconnectMs = 50;

export class SseClient {
  readonly events: SseEvent[] = [];
  /** How often it was connected, the answer being a stream. */
  connections = 0;
  /** Status of answers that were no stream. */
  readonly refusals: number[] = [];
  readonly #url: string;
  readonly #abort = new AbortController();
  #lastId: string | undefined;
  #done: Promise<void> | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  /** Follows the stream until an event of this name has come, or close(). */
  start(lastEvent?: string): void {
    this.#done ??= this.#follow(lastEvent);
  }

  /** Resolves when it has ended. */
  async done(): Promise<void> {
    await this.#done;
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#done;
  }

  async #follow(lastEvent: string | undefined): Promise<void> {
    while (!this.#abort.signal.aborted) {
      try {
        if (await this.#connect(lastEvent)) return;
      } catch {
        // The connection was refused or cut: as a browser, it comes again.
      }
      await new Promise((resolve) => {
        setTimeout(resolve, reconnectMs);
      });
    }
  }

  /** True once `lastEvent` has come; false when the stream has ended without it. */
  async #connect(lastEvent: string | undefined): Promise<boolean> {
    const response = await fetch(this.#url, {
      headers: {
        accept: 'text/event-stream',
        ...(this.#lastId === undefined ? {} : { 'last-event-id': this.#lastId }),
      },
      signal: this.#abort.signal,
    });
    if (response.status !== 200 || response.body === null) {
      this.refusals.push(response.status);
      await response.body?.cancel();
      return false;
    }
    this.connections++;
    let text = '';
    const decoder = new TextDecoder();
    const body: AsyncIterable<Uint8Array> = response.body;
    for await (const bytes of body) {
      text += decoder.decode(bytes, { stream: true });
      // What follows the last blank line is an event that has not come whole.
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const event = parseEvent(block);
        if (event === undefined) continue;
        this.events.push(event);
        this.#lastId = event.id ?? this.#lastId;
        if (event.event === lastEvent) return true;
      }
    }
    return false;
  }
}

/** Undefined for comments and other lines without data. */
function parseEvent(block: string): SseEvent | undefined {
  let event = 'message';
  let id: string | undefined;
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') event = value;
    else if (name === 'id') id = value;
    else if (name === 'data') data.push(value);
  }
  return data.length === 0 ? undefined : { event, id, data: JSON.parse(data.join('\n')) };
}
