/**
 * How fresh the page is. One EventSource a tab tells what changed; its hints are gathered and handed
 * on at most once a second, and not at all while the tab is hidden. A stream that the browser gives
 * up (a proxy answered 502) is opened again with a growing pause; a master that cannot hear etcd
 * says so itself.
 */
import { createStore } from '../external-store.ts';
import { serverClock } from './server-clock.ts';

export type Topic = 'jobs' | 'workers' | 'runs' | 'calendars';

export interface Connection {
  readonly state: 'connecting' | 'live' | 'cut';
  /** When the state began, by the master's clock; for `cut`, the last sign of life. */
  readonly since: number;
  readonly etcd: 'ok' | 'stale';
  readonly etcdSince?: number;
}

export const connectionStore = createStore<Connection>({
  state: 'connecting',
  since: serverClock.now(),
  etcd: 'ok',
});

export interface LiveStream {
  readonly start: () => void;
  readonly stop: () => void;
  /** Opens the stream at once, without waiting for the pause to end. */
  readonly retryNow: () => void;
}

const flushEveryMs = 1000;
/** A run's end is known at once, its row in the history a moment later: it is looked at twice. */
const echoAfterMs = 1500;
const firstPauseMs = 1000;
const longestPauseMs = 15_000;
const topics: readonly Topic[] = ['jobs', 'workers', 'runs', 'calendars'];

/** `onChange` gets the topics that changed; all of them after a reconnect. */
export function createLiveStream(onChange: (changed: ReadonlySet<Topic>) => void): LiveStream {
  let source: EventSource | undefined;
  let pauseMs = firstPauseMs;
  let reopenTimer: ReturnType<typeof setTimeout> | undefined;
  let flushTimer: ReturnType<typeof setTimeout> | undefined;
  let flushedAt = 0;
  let echoTimer: ReturnType<typeof setTimeout> | undefined;
  let isEcho = false;
  let wasCut = false;
  const changed = new Set<Topic>();

  function update(change: Partial<Connection>): void {
    connectionStore.set({ ...connectionStore.get(), ...change });
  }

  function note(...names: readonly Topic[]): void {
    for (const name of names) changed.add(name);
    if (flushTimer !== undefined || document.hidden) return;
    const waitMs = Math.max(100, flushedAt + flushEveryMs - Date.now());
    flushTimer = setTimeout(flush, waitMs);
  }

  function flush(): void {
    flushTimer = undefined;
    flushedAt = Date.now();
    if (changed.size === 0) return;
    const handedOn = new Set(changed);
    changed.clear();
    onChange(handedOn);
    if (handedOn.has('runs') && !isEcho) {
      clearTimeout(echoTimer);
      echoTimer = setTimeout(() => {
        isEcho = changed.size === 0;
        note('runs');
      }, echoAfterMs);
    }
    isEcho = false;
  }

  function alive(): void {
    pauseMs = firstPauseMs;
    if (connectionStore.get().state !== 'live') update({ state: 'live', since: serverClock.now() });
    if (wasCut) note(...topics);
    wasCut = false;
  }

  function open(): void {
    clearTimeout(reopenTimer);
    reopenTimer = undefined;
    source?.close();
    const opened = new EventSource(`/api/v1/stream?topics=${topics.join(',')}`);
    source = opened;
    opened.addEventListener('open', alive);
    opened.addEventListener('snapshot', alive);
    for (const topic of topics) {
      opened.addEventListener(topic, () => {
        alive();
        isEcho = false;
        note(topic);
      });
    }
    opened.addEventListener('status', (event: MessageEvent<unknown>) => {
      alive();
      readStatus(event.data);
    });
    opened.addEventListener('error', () => {
      wasCut = true;
      if (connectionStore.get().state !== 'cut') update({ state: 'cut', since: serverClock.now() });
      if (opened.readyState === EventSource.CLOSED) reopenLater();
    });
  }

  function reopenLater(): void {
    clearTimeout(reopenTimer);
    reopenTimer = setTimeout(open, pauseMs * (0.75 + Math.random() / 2));
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }

  function readStatus(data: unknown): void {
    if (typeof data !== 'string') return;
    const status: unknown = JSON.parse(data);
    if (typeof status !== 'object' || status === null || !('etcd' in status)) return;
    const etcd = status.etcd === 'stale' ? 'stale' : 'ok';
    const since =
      'since' in status && typeof status.since === 'number' ? status.since : serverClock.now();
    if (etcd !== connectionStore.get().etcd) {
      update({ etcd, etcdSince: since });
      note(...topics);
    }
  }

  function onVisible(): void {
    if (!document.hidden) note();
  }

  return {
    start() {
      if (source) return;
      document.addEventListener('visibilitychange', onVisible);
      open();
    },
    stop() {
      document.removeEventListener('visibilitychange', onVisible);
      clearTimeout(reopenTimer);
      clearTimeout(flushTimer);
      clearTimeout(echoTimer);
      flushTimer = undefined;
      source?.close();
      source = undefined;
    },
    retryNow() {
      pauseMs = firstPauseMs;
      open();
    },
  };
}
