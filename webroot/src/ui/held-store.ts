/**
 * Counts the moments at which lists that are held under the pointer may move after all, because the
 * person at the pointer has just asked for it (a deletion).
 */
import { createStore } from '../external-store.ts';

export const heldEpochStore = createStore(0);

export function releaseHeld(): void {
  heldEpochStore.set(heldEpochStore.get() + 1);
}
