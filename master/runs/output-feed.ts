/**
 * Live output of runs. While somebody watches a run, its worker is told so (WatchMarks) and sends
 * what the run writes to the store at once; here the store is asked many times a second, once for all
 * watchers that stand at the same byte, those at the end first. A client that reads slowly is not given
 * more until it has read; it catches up from the store, and nothing piles up here. A stream ends when
 * the run has an outcome and every byte was sent; after a `lost` verdict it waits a little, for the
 * worker may still be alive and report late.
 */
import type { Clock } from '../../shared/clock.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import type { HistoryRow } from '../../shared/history/records.ts';
import type { Component } from '../../shared/lifecycle.ts';
import type { Logger } from '../../shared/log.ts';
import type { OpenFires } from './open-fires.ts';
import { OutputPortion } from './output-portion.ts';
import type { WatchMarks } from './watch-marks.ts';

/** While the run is open; when it said nothing for a while; and when it is over, but not in the store. */
const pollMs = 50;
const quietPollMs = 100;
const endPollMs = 250;
const quietAfterMs = 10_000;
const retryEveryMs = 1_000;
/** An open fire that the view shows may be long gone, while the view is stale. */
const askRowEveryMs = 1_000;
const readBytes = 256 * 1024;
const maxBufferedBytes = 512 * 1024;
/** Groups of watchers behind the first one that are served in a turn. */
const maxLagging = 16;
/** A client that has not taken a byte for so long is not there any more, whatever its socket says. */
const stuckMs = 60_000;
const lateMs = 5_000;

/** One client. */
export interface OutputSink {
  /** Waiting in memory because the client does not read. */
  readonly bufferedBytes: number;
  send(portion: OutputPortion): void;
  /** The run has ended and every byte was sent. */
  end(row: HistoryRow): void;
  /** The connection is given up. */
  close(): void;
  onOver(callback: () => void): void;
}

interface Watcher {
  readonly sink: OutputSink;
  offset: number;
  stuckSinceMs: number | undefined;
}

export interface OutputFeedsOptions {
  readonly store: HistoryStore;
  readonly openFires: OpenFires;
  readonly marks: WatchMarks;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class OutputFeeds implements Component {
  readonly #options: OutputFeedsOptions;
  readonly #feeds = new Map<string, Feed>();

  constructor(options: OutputFeedsOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    // Feeds start with their first watcher.
  }

  async stop(): Promise<void> {
    for (const feed of this.#feeds.values()) feed.stop();
    this.#feeds.clear();
    this.#options.marks.stop();
  }

  watch(runId: string, sink: OutputSink, from: number): void {
    let feed = this.#feeds.get(runId);
    if (feed === undefined) {
      feed = new Feed(runId, this.#options, () => this.#feeds.delete(runId));
      this.#feeds.set(runId, feed);
    }
    feed.add(sink, from);
  }
}

class Feed {
  readonly #runId: string;
  readonly #options: OutputFeedsOptions;
  readonly #logger: Logger;
  readonly #onIdle: () => void;
  readonly #watchers = new Set<Watcher>();
  #cancelPoll: (() => void) | undefined;
  #isPolling = false;
  #isStopped = false;
  #lostSinceMs: number | undefined;
  /** Monotonic: of the last bytes, and of the last look at the row. */
  #spokeAtMs = 0;
  #rowAtMs = -Infinity;

  constructor(runId: string, options: OutputFeedsOptions, onIdle: () => void) {
    this.#runId = runId;
    this.#options = options;
    this.#logger = options.logger.child({ runId });
    this.#onIdle = onIdle;
    this.#spokeAtMs = options.clock.monotonicMs();
  }

  add(sink: OutputSink, from: number): void {
    const watcher: Watcher = { sink, offset: from, stuckSinceMs: undefined };
    this.#watchers.add(watcher);
    if (this.#isOpen) this.#options.marks.hold(this.#runId);
    sink.onOver(() => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.stop();
    });
    this.#schedule(0);
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancelPoll?.();
    this.#options.marks.release(this.#runId);
    this.#onIdle();
  }

  get #isOpen(): boolean {
    return this.#options.openFires.get(this.#runId) !== undefined;
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped || this.#isPolling) return;
    this.#cancelPoll?.();
    this.#cancelPoll = this.#options.clock.after(delayMs, () => {
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
    const { store, clock } = this.#options;
    // The row before the bytes: a run that had ended then has written nothing since.
    const row = await this.#row();
    const isOver = this.#isOver(row);
    let hasMore = false;
    for (const [offset, watchers] of this.#nextGroups()) {
      const chunks = await store.readOutput(this.#runId, offset, readBytes);
      const portion = new OutputPortion(chunks, offset);
      if (!portion.isEmpty) {
        hasMore = true;
        for (const watcher of watchers) {
          watcher.sink.send(portion);
          watcher.offset = portion.next;
        }
      } else if (isOver && row !== undefined) {
        for (const { sink } of watchers) sink.end(row);
      }
    }
    const nowMs = clock.monotonicMs();
    if (hasMore) this.#spokeAtMs = nowMs;
    if (!this.#isOpen) return hasMore ? 0 : endPollMs;
    return nowMs - this.#spokeAtMs > quietAfterMs ? quietPollMs : pollMs;
  }

  /** Undefined also while the fire is open, which says as much. */
  async #row(): Promise<HistoryRow | undefined> {
    const { store, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#isOpen && nowMs - this.#rowAtMs < askRowEveryMs) return undefined;
    this.#rowAtMs = nowMs;
    return store.getRun(this.#runId);
  }

  #isOver(row: HistoryRow | undefined): boolean {
    if (row?.outcome === undefined) return false;
    if (row.outcome !== 'lost' || row.lateResult !== undefined) return true;
    const { clock } = this.#options;
    // An old verdict was waited for long ago, by whoever watched then.
    if (clock.wallMs() - (row.endedAt ?? 0) > lateMs) return true;
    this.#lostSinceMs ??= clock.monotonicMs();
    return clock.monotonicMs() - this.#lostSinceMs >= lateMs;
  }

  /** Who is at the end comes first; of the others some, those that waited longest first. */
  #nextGroups(): [offset: number, watchers: readonly Watcher[]][] {
    const groups = [...this.#byOffset()];
    const end = groups.reduce((most, [offset]) => Math.max(most, offset), 0);
    const leading = groups.filter(([offset]) => offset === end);
    const lagging = groups.filter(([offset]) => offset !== end).slice(0, maxLagging);
    for (const [, watchers] of lagging) {
      for (const watcher of watchers) {
        this.#watchers.delete(watcher);
        this.#watchers.add(watcher);
      }
    }
    return [...leading, ...lagging];
  }

  #byOffset(): Map<number, Watcher[]> {
    const groups = new Map<number, Watcher[]>();
    const nowMs = this.#options.clock.monotonicMs();
    for (const watcher of this.#watchers) {
      if (watcher.sink.bufferedBytes > maxBufferedBytes) {
        watcher.stuckSinceMs ??= nowMs;
        if (nowMs - watcher.stuckSinceMs > stuckMs) watcher.sink.close();
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
