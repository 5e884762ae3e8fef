/**
 * The output of one run as it comes in: one event stream, resumed at the next byte when it breaks,
 * parsed in slices so that megabytes never hold up the page. Subscribers are told at most once a
 * frame that there is more.
 */
import { basePath } from '../api/cell.ts';
import { TerminalText, type StreamName } from './terminal-text.ts';

export interface FeedState {
  /** Counts changes; the lines themselves are read from `text`. */
  readonly version: number;
  readonly status: 'connecting' | 'streaming' | 'ended' | 'broken';
  readonly bytes: number;
}

export interface OutputFeed {
  readonly text: TerminalText;
  readonly get: () => FeedState;
  readonly subscribe: (listener: () => void) => () => void;
  readonly start: () => void;
  readonly stop: () => void;
}

interface Chunk {
  readonly offset: number;
  readonly stream: StreamName;
  readonly at: number;
  readonly base64: string;
}

const sliceMs = 10;
const betweenSlicesMs = 16;
const reopenAfterMs = 2000;

/** `from`: byte to begin at. `onEnd` is called once, when the run has ended and all was read. */
export function createOutputFeed(runId: string, from: number, onEnd: () => void): OutputFeed {
  const text = new TerminalText();
  const listeners = new Set<() => void>();
  let state: FeedState = { version: 0, status: 'connecting', bytes: 0 };
  let source: EventSource | undefined;
  let queue: Chunk[] = [];
  let sliceTimer: ReturnType<typeof setTimeout> | undefined;
  let reopenTimer: ReturnType<typeof setTimeout> | undefined;
  let nextOffset = from;
  let endSeen = false;

  function update(change: Partial<FeedState>): void {
    state = { ...state, ...change, version: state.version + 1 };
    for (const listener of listeners) listener();
  }

  function readSlice(): void {
    sliceTimer = undefined;
    const stopAt = performance.now() + sliceMs;
    let read = 0;
    while (read < queue.length && performance.now() < stopAt) {
      const chunk = queue[read];
      read += 1;
      if (chunk) writeChunk(chunk);
    }
    queue = queue.slice(read);
    if (queue.length === 0 && endSeen) {
      text.end();
      update({ status: 'ended', bytes: nextOffset - from });
      onEnd();
      return;
    }
    update({ status: 'streaming', bytes: nextOffset - from });
    if (queue.length > 0) sliceTimer = setTimeout(readSlice, betweenSlicesMs);
  }

  function writeChunk({ offset, stream, at, base64 }: Chunk): void {
    const bytes = bytesOfBase64(base64);
    const end = offset + bytes.length;
    // A stream that was resumed may say again what it had said.
    if (end <= nextOffset) return;
    text.write(stream, bytes.subarray(Math.max(0, nextOffset - offset)), at);
    nextOffset = end;
  }

  function wake(): void {
    sliceTimer ??= setTimeout(readSlice, betweenSlicesMs);
  }

  function open(): void {
    reopenTimer = undefined;
    const resumeAt = queue.at(-1) === undefined ? nextOffset : endOfQueue();
    const opened = new EventSource(
      `${basePath()}/api/v1/runs/${encodeURIComponent(runId)}/output/stream?from=${resumeAt}`,
    );
    source = opened;
    opened.addEventListener('open', wake);
    opened.addEventListener('output', (event: MessageEvent<unknown>) => {
      const chunk = readChunk(event.data);
      if (!chunk) return;
      queue.push(chunk);
      wake();
    });
    opened.addEventListener('end', () => {
      endSeen = true;
      opened.close();
      wake();
    });
    opened.addEventListener('error', () => {
      if (opened.readyState !== EventSource.CLOSED || endSeen) return;
      update({ status: 'broken' });
      reopenTimer = setTimeout(open, reopenAfterMs);
    });
  }

  function endOfQueue(): number {
    const last = queue.at(-1);
    return last ? last.offset + bytesOfBase64(last.base64).length : nextOffset;
  }

  return {
    text,
    get: () => state,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    start() {
      if (!source && !endSeen) open();
    },
    stop() {
      source?.close();
      source = undefined;
      clearTimeout(sliceTimer);
      clearTimeout(reopenTimer);
      sliceTimer = undefined;
      // What was read stays; what waits is asked for again by the next start.
      if (queue.length > 0) endSeen = false;
      queue = [];
    },
  };
}

function readChunk(data: unknown): Chunk | undefined {
  if (typeof data !== 'string') return undefined;
  const chunk: unknown = JSON.parse(data);
  if (typeof chunk !== 'object' || chunk === null) return undefined;
  if (!('offset' in chunk && 'stream' in chunk && 'at' in chunk && 'base64' in chunk)) {
    return undefined;
  }
  const { offset, stream, at, base64 } = chunk;
  if (typeof offset !== 'number' || typeof at !== 'number' || typeof base64 !== 'string') {
    return undefined;
  }
  return { offset, at, base64, stream: stream === 'stderr' ? 'stderr' : 'stdout' };
}

function bytesOfBase64(base64: string): Uint8Array {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at += 1) bytes[at] = binary.charCodeAt(at);
  return bytes;
}
