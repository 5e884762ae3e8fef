/**
 * Live output of runs: the store is asked every quarter of a second while somebody watches, once for
 * all watchers that stand at the same byte. A client that reads slowly is not given more until it
 * has read; it catches up from the store, and nothing piles up here. A stream ends when the run has
 * an outcome and every byte was sent; after a `lost` verdict it waits a little, for the worker may
 * still be alive and report late.
 */
import type { Clock } from '../../shared/clock.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import type { HistoryRow, OutputChunk } from '../../shared/history/records.ts';
import type { Component } from '../../shared/lifecycle.ts';
import type { Logger } from '../../shared/log.ts';
import type { EventStream } from '../http/event-stream.ts';

const pollEveryMs = 250;
const retryEveryMs = 1_000;
const readBytes = 256 * 1024;
const maxBufferedBytes = 512 * 1024;
/** A client that has not taken a byte for so long is not there any more, whatever its socket says. */
const stuckMs = 60_000;
const lateMs = 5_000;

interface Watcher {
  readonly stream: EventStream;
  offset: number;
  stuckSinceMs: number | undefined;
}

export interface OutputPiece {
  readonly offset: number;
  readonly stream: 'stdout' | 'stderr';
  readonly at: number;
  readonly base64: string;
}

/** Chunks as the API gives them, cut so that the first begins at `from`. */
export function outputPieces(chunks: readonly OutputChunk[], from: number): OutputPiece[] {
  return chunks.flatMap(({ offset, stream, at, data }) => {
    const skipped = Math.max(0, from - offset);
    if (skipped >= data.length) return [];
    return [
      { offset: offset + skipped, stream, at, base64: data.subarray(skipped).toString('base64') },
    ];
  });
}

/** The byte after the last one of `chunks`; `from` when there are none. */
export function endOffset(chunks: readonly OutputChunk[], from: number): number {
  const last = chunks.at(-1);
  return last === undefined ? from : Math.max(from, last.offset + last.data.length);
}

export class OutputFeeds implements Component {
  readonly #store: HistoryStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #feeds = new Map<string, Feed>();

  constructor(store: HistoryStore, clock: Clock, logger: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
  }

  async start(): Promise<void> {
    // Feeds start with their first watcher.
  }

  async stop(): Promise<void> {
    for (const feed of this.#feeds.values()) feed.stop();
    this.#feeds.clear();
  }

  watch(runId: string, stream: EventStream, from: number): void {
    let feed = this.#feeds.get(runId);
    if (feed === undefined) {
      feed = new Feed(runId, this.#store, this.#clock, this.#logger, () => {
        this.#feeds.delete(runId);
      });
      this.#feeds.set(runId, feed);
    }
    feed.add(stream, from);
  }
}

class Feed {
  readonly #runId: string;
  readonly #store: HistoryStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #onIdle: () => void;
  readonly #watchers = new Set<Watcher>();
  #cancelPoll: (() => void) | undefined;
  #isPolling = false;
  #isStopped = false;
  #lostSinceMs: number | undefined;

  constructor(
    runId: string,
    store: HistoryStore,
    clock: Clock,
    logger: Logger,
    onIdle: () => void,
  ) {
    this.#runId = runId;
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger.child({ runId });
    this.#onIdle = onIdle;
  }

  add(stream: EventStream, from: number): void {
    const watcher: Watcher = { stream, offset: from, stuckSinceMs: undefined };
    this.#watchers.add(watcher);
    stream.onOver(() => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.stop();
    });
    this.#schedule(0);
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancelPoll?.();
    this.#onIdle();
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped || this.#isPolling) return;
    this.#cancelPoll?.();
    this.#cancelPoll = this.#clock.after(delayMs, () => {
      this.#isPolling = true;
      this.#poll()
        .catch((error: unknown) => {
          this.#logger.debug({ err: error }, 'output could not be read; asked again soon');
          return retryEveryMs;
        })
        .then(
          (nextMs) => {
            this.#isPolling = false;
            this.#schedule(nextMs);
          },
          () => undefined,
        );
    });
  }

  /** Answers when to poll again. */
  async #poll(): Promise<number> {
    // The row before the bytes: a run that had ended then has written nothing since.
    const row = await this.#store.getRun(this.#runId);
    const isOver = this.#isOver(row);
    let hasMore = false;
    for (const [offset, watchers] of this.#byOffset()) {
      const chunks = await this.#store.readOutput(this.#runId, offset, readBytes);
      const next = endOffset(chunks, offset);
      if (next > offset) {
        hasMore = true;
        for (const watcher of watchers) send(watcher, chunks, next);
      } else if (isOver) {
        for (const { stream } of watchers) {
          stream.send('end', { row });
          stream.end();
        }
      }
    }
    return hasMore ? 0 : pollEveryMs;
  }

  #isOver(row: HistoryRow | undefined): boolean {
    if (row?.outcome === undefined) return false;
    if (row.outcome !== 'lost' || row.lateResult !== undefined) return true;
    // An old verdict was waited for long ago, by whoever watched then.
    if (this.#clock.wallMs() - (row.endedAt ?? 0) > lateMs) return true;
    this.#lostSinceMs ??= this.#clock.monotonicMs();
    return this.#clock.monotonicMs() - this.#lostSinceMs >= lateMs;
  }

  #byOffset(): Map<number, Watcher[]> {
    const groups = new Map<number, Watcher[]>();
    const nowMs = this.#clock.monotonicMs();
    for (const watcher of this.#watchers) {
      if (watcher.stream.bufferedBytes > maxBufferedBytes) {
        watcher.stuckSinceMs ??= nowMs;
        if (nowMs - watcher.stuckSinceMs > stuckMs) watcher.stream.end();
        continue;
      }
      watcher.stuckSinceMs = undefined;
      const group = groups.get(watcher.offset);
      if (group === undefined) groups.set(watcher.offset, [watcher]);
      else group.push(watcher);
    }
    return groups;
  }
}

function send(watcher: Watcher, chunks: readonly OutputChunk[], next: number): void {
  for (const piece of outputPieces(chunks, watcher.offset)) {
    const end = piece.offset + Buffer.byteLength(piece.base64, 'base64');
    watcher.stream.send('output', piece, String(end));
  }
  watcher.offset = next;
}
