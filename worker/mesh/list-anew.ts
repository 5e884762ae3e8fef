/** A listing that is waited for no longer than the worker lives. */
import type { Mirror } from '../../shared/etcd/port.ts';

/** Resolves when the mesh was listed anew, or `signal` aborts. */
export async function listAnew(mirror: Pick<Mirror, 'relist'>, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true, signal: over.signal });
  });
  await Promise.race([mirror.relist(), stopped]);
  over.abort();
}
