/**
 * The console's language. Every feature keeps its words in a `messages.ts` of its own: one object a
 * language, of one type, so that a missing translation does not compile.
 */
import { createStore, useStore } from '../external-store.ts';
import { readPreference, writePreference } from '../preferences.ts';

export type Language = 'en' | 'zh';
export type Messages<T> = Readonly<Record<Language, T>>;

function initialLanguage(): Language {
  const wanted = readPreference('language') ?? navigator.language;
  return wanted.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

export const languageStore = createStore<Language>(initialLanguage());

export function useLanguage(): Language {
  return useStore(languageStore);
}

export function useMessages<T>(messages: Messages<T>): T {
  return messages[useLanguage()];
}

export function setLanguage(language: Language): void {
  document.documentElement.lang = language;
  writePreference('language', language);
  languageStore.set(language);
}
