/**
 * How fresh the page is. One EventSource a tab tells what changed; its hints are gathered and handed
 * on at most once a second, and not at all while the tab is hidden. A stream that the browser gives
 * up (a proxy answered 502) is opened again with a growing pause; a master that cannot hear etcd
 * says so itself.
 */
import { basePath } from '../api/cell.ts';
import { createStore } from '../external-store.ts';
import { anything, joinHints, readHint, type Hint, type Topic } from './hint.ts';
import { serverClock } from './server-clock.ts';

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

/** `onChange` gets the topics that changed, with what of them; everything after a reconnect. */
export function createLiveStream(
  onChange: (changed: ReadonlyMap<Topic, Hint>) => void,
): LiveStream {
  let source: EventSource | undefined;
  let pauseMs = firstPauseMs;
  let reopenTimer: ReturnType<typeof setTimeout> | undefined;
  let flushTimer: ReturnType<typeof setTimeout> | undefined;
  let flushedAt = 0;
  const echoTimers = new Set<ReturnType<typeof setTimeout>>();
  let wasCut = false;
  const changed = new Map<Topic, Hint>();
  /** Runs that were told of before and are due to be looked at again. */
  let echoed: Hint | undefined;

  function update(change: Partial<Connection>): void {
    connectionStore.set({ ...connectionStore.get(), ...change });
  }

  function noteAll(): void {
    for (const topic of topics) changed.set(topic, anything);
    flushSoon();
  }

  function note(topic: Topic, hint: Hint): void {
    changed.set(topic, joinHints(changed.get(topic), hint));
    flushSoon();
  }

  function flushSoon(): void {
    if (flushTimer !== undefined || document.hidden) return;
    const waitMs = Math.max(100, flushedAt + flushEveryMs - Date.now());
    flushTimer = setTimeout(flush, waitMs);
  }

  function flush(): void {
    flushTimer = undefined;
    flushedAt = Date.now();
    const runs = changed.get('runs');
    if (runs !== undefined) echoLater(runs);
    const handedOn = new Map(changed);
    if (echoed !== undefined) handedOn.set('runs', joinHints(runs, echoed));
    changed.clear();
    echoed = undefined;
    if (handedOn.size > 0) onChange(handedOn);
  }

  function echoLater(runs: Hint): void {
    const timer = setTimeout(() => {
      echoTimers.delete(timer);
      echoed = joinHints(echoed, runs);
      flushSoon();
    }, echoAfterMs);
    echoTimers.add(timer);
  }

  function alive(): void {
    pauseMs = firstPauseMs;
    if (connectionStore.get().state !== 'live') update({ state: 'live', since: serverClock.now() });
    if (wasCut) noteAll();
    wasCut = false;
  }

  function open(): void {
    clearTimeout(reopenTimer);
    reopenTimer = undefined;
    source?.close();
    const opened = new EventSource(`${basePath()}/api/v1/stream?topics=${topics.join(',')}`);
    source = opened;
    opened.addEventListener('open', alive);
    opened.addEventListener('snapshot', alive);
    for (const topic of topics) {
      opened.addEventListener(topic, (event: MessageEvent<unknown>) => {
        alive();
        note(topic, readHint(event.data));
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
      noteAll();
    }
  }

  function onVisible(): void {
    if (!document.hidden) flushSoon();
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
      for (const timer of echoTimers) clearTimeout(timer);
      echoTimers.clear();
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
