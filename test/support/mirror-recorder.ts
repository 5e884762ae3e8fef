/**
 * A MirrorConsumer that keeps what it was told: the state as a map, every event in order, and
 * how often it was listed, connected and in doubt. `until` waits for a condition of all that.
 */
import type { KeyValue, MirrorConsumer, WatchEvent } from '../../shared/etcd/port.ts';
import { waitFor } from './server-process.ts';

export class MirrorRecorder implements MirrorConsumer {
  /** Key to value, as text. */
  readonly state = new Map<string, string>();
  readonly received: WatchEvent[] = [];
  readonly batchRevisions: number[] = [];
  /** Rows a page of the listings. */
  readonly pages: number[] = [];
  listings = 0;
  revision = 0;
  isConnected = false;
  /** Monotonic times of the changes, in order. */
  readonly connectedAtMs: number[] = [];
  readonly doubtedAtMs: number[] = [];
  readonly #listed = new Set<string>();
  #listing = false;

  reset(): void {
    this.#listed.clear();
    this.#listing = true;
  }

  items(kvs: readonly KeyValue[]): void {
    this.pages.push(kvs.length);
    for (const kv of kvs) {
      this.#listed.add(kv.key);
      this.state.set(kv.key, kv.value.toString());
    }
  }

  synced(revision: number): void {
    if (!this.#listing) throw new Error('synced without reset');
    this.#listing = false;
    for (const key of this.state.keys()) {
      if (!this.#listed.has(key)) this.state.delete(key);
    }
    this.listings += 1;
    this.revision = revision;
  }

  events(events: readonly WatchEvent[], revision: number): void {
    if (this.#listing) throw new Error('events within a listing');
    for (const event of events) {
      this.received.push(event);
      if (event.type === 'put') this.state.set(event.kv.key, event.kv.value.toString());
      else this.state.delete(event.key);
    }
    this.batchRevisions.push(revision);
    this.revision = revision;
  }

  connected(connected: boolean): void {
    this.isConnected = connected;
    (connected ? this.connectedAtMs : this.doubtedAtMs).push(performance.now());
  }

  async until(what: string, check: () => boolean, timeoutMs = 15_000): Promise<void> {
    await waitFor(check, {
      timeoutMs,
      intervalMs: 5,
      describe: () =>
        `${what}; state ${String(this.state.size)}, events ${String(this.received.length)}, ` +
        `listings ${String(this.listings)}, connected ${String(this.isConnected)}`,
    });
  }
}
