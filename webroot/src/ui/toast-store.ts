/** Short reports of what a click did. They go by themselves; errors stay until closed. */
import { createStore } from '../external-store.ts';

export interface Toast {
  readonly id: number;
  readonly tone: 'good' | 'bad' | 'plain';
  readonly text: string;
  readonly detail?: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}

export const toastStore = createStore<readonly Toast[]>([]);
const mostAtOnce = 4;
let lastId = 0;

/** Answers its id, for dismissToast. */
export function showToast(toast: Omit<Toast, 'id'>): number {
  lastId += 1;
  toastStore.set([...toastStore.get(), { ...toast, id: lastId }].slice(-mostAtOnce));
  return lastId;
}

export function dismissToast(id: number): void {
  toastStore.set(toastStore.get().filter((toast) => toast.id !== id));
}
