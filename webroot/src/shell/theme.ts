/** Light, dark, or as the system says; the choice is kept in this browser. */
import { createStore } from '../external-store.ts';
import { readPreference, writePreference } from '../preferences.ts';

export type Theme = 'system' | 'light' | 'dark';

const order: readonly Theme[] = ['system', 'light', 'dark'];

function initialTheme(): Theme {
  const stored = readPreference('theme');
  return stored === 'light' || stored === 'dark' ? stored : 'system';
}

export const themeStore = createStore<Theme>(initialTheme());

export function cycleTheme(): void {
  const next = order[(order.indexOf(themeStore.get()) + 1) % order.length] ?? 'system';
  if (next === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = next;
  writePreference('theme', next === 'system' ? undefined : next);
  themeStore.set(next);
}
