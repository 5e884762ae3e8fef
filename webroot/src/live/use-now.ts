/**
 * One timer for the whole page: it fires on the server's whole seconds, so that every countdown
 * changes at the same instant, and only while something is looking.
 */
import { useSyncExternalStore } from 'react';
import { serverClock } from './server-clock.ts';

let current = Math.floor(serverClock.now() / 1000) * 1000;
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

function schedule(): void {
  // A little past the second: a timer that fires early would show the same second twice.
  timer = setTimeout(tick, 1010 - (serverClock.now() % 1000));
}

function tick(): void {
  schedule();
  current = Math.floor(serverClock.now() / 1000) * 1000;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    current = Math.floor(serverClock.now() / 1000) * 1000;
    schedule();
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearTimeout(timer);
    timer = undefined;
  };
}

/** The server's time in epoch ms, on whole seconds; renders once a second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => current);
}

/** As `useNow`, reduced by `select`: renders only when its result changes. */
export function useNowAs<T extends string | number | boolean>(select: (now: number) => T): T {
  return useSyncExternalStore(subscribe, () => select(current));
}
