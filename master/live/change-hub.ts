/**
 * The live stream: what changed, told as hints (names, no data) by topic, at most four times a
 * second; and whether the master's view of etcd is current. A hint says "fetch again if you show
 * it"; one that is lost costs nothing but time.
 */
import type { Clock } from '../../shared/clock.ts';
import type { Component } from '../../shared/lifecycle.ts';
import type { MeshChange } from '../../shared/mesh/view.ts';
import type { EventStream } from '../http/event-stream.ts';
import type { MeshLink, SightStatus } from './mesh-link.ts';

export const topics = ['jobs', 'workers', 'runs', 'calendars'] as const;
export type Topic = (typeof topics)[number];

const flushEveryMs = 250;
/** More names than this and the hint says only that there is more. */
const maxNames = 200;
/** A client that has this much unread does not follow; it comes back and starts anew. */
const maxBufferedBytes = 256 * 1024;

interface Watcher {
  readonly stream: EventStream;
  readonly topics: ReadonlySet<Topic>;
}

export class ChangeHub implements Component {
  readonly #link: MeshLink;
  readonly #clock: Clock;
  readonly #watchers = new Set<Watcher>();
  readonly #changed: Readonly<Record<Topic, Set<string>>> = {
    jobs: new Set(),
    workers: new Set(),
    runs: new Set(),
    calendars: new Set(),
  };
  readonly #overflown = new Set<Topic>();
  #unsubscribe: (() => void)[] = [];
  #cancelFlush: (() => void) | undefined;

  constructor(link: MeshLink, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
  }

  async start(): Promise<void> {
    if (this.#unsubscribe.length > 0) return;
    this.#unsubscribe = [
      this.#link.view.onChange((change) => this.#note(change)),
      this.#link.onStatus((status) => this.#tellStatus(status)),
    ];
  }

  async stop(): Promise<void> {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
  }

  /** Sends the snapshot, then hints until the stream is over. */
  watch(stream: EventStream, wanted: ReadonlySet<Topic>): void {
    const watcher = { stream, topics: wanted };
    this.#watchers.add(watcher);
    stream.onOver(() => this.#watchers.delete(watcher));
    const { revision } = this.#link.view;
    stream.send('snapshot', { revision, topics: [...wanted], ...this.#link.status });
    stream.send('status', this.#link.status);
  }

  #note(change: MeshChange): void {
    if (this.#watchers.size === 0) return;
    if (change.type === 'resync') {
      for (const topic of topics) this.#overflown.add(topic);
    } else {
      this.#noteKey(change);
    }
    this.#cancelFlush ??= this.#clock.after(flushEveryMs, () => this.#flush());
  }

  #noteKey({ key }: Extract<MeshChange, { type: 'key' }>): void {
    switch (key.kind) {
      case 'job':
        this.#add('jobs', key.name);
        return;
      case 'worker':
        this.#add('workers', key.id);
        return;
      case 'calendar':
        this.#add('calendars', key.id);
        return;
      case 'fire':
      case 'state':
      case 'done':
      case 'killer':
        this.#add('runs', key.name);
        return;
      default:
    }
  }

  #add(topic: Topic, name: string): void {
    const names = this.#changed[topic];
    if (names.size < maxNames) names.add(name);
    else if (!names.has(name)) this.#overflown.add(topic);
  }

  #flush(): void {
    this.#cancelFlush = undefined;
    const { revision } = this.#link.view;
    for (const topic of topics) {
      const names = [...this.#changed[topic]];
      const more = this.#overflown.delete(topic);
      this.#changed[topic].clear();
      if (names.length === 0 && !more) continue;
      const hint = more ? { names, more, revision } : { names, revision };
      for (const watcher of this.#watchers) {
        if (watcher.topics.has(topic)) tell(watcher.stream, topic, hint);
      }
    }
  }

  #tellStatus(status: SightStatus): void {
    for (const { stream } of this.#watchers) tell(stream, 'status', status);
  }
}

function tell(stream: EventStream, event: string, data: unknown): void {
  if (stream.bufferedBytes > maxBufferedBytes) stream.end();
  else stream.send(event, data);
}
