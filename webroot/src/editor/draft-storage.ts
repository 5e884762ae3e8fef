/** Unsaved typing survives the browser's back button and a reload, in this tab only. */
import { basePath } from '../api/cell.ts';
import type { Draft } from './draft.ts';
import { createPair, type Pair } from './pairs.ts';

interface StoredDraft {
  /** Of the definition it was typed over; another one makes the draft stale. */
  readonly revision: number | undefined;
  readonly draft: Draft;
}

const keyOf = (name: string | undefined): string => `cronmesh${basePath()}.draft.${name ?? ''}`;

export function storeDraft(name: string | undefined, stored: StoredDraft): void {
  try {
    sessionStorage.setItem(keyOf(name), JSON.stringify(stored));
  } catch {
    // Forbidden or full: leaving still asks first.
  }
}

export function forgetDraft(name: string | undefined): void {
  try {
    sessionStorage.removeItem(keyOf(name));
  } catch {
    // Nothing was stored either.
  }
}

/** A draft of the same shape as `like`, typed over the same revision. */
export function recallDraft(
  name: string | undefined,
  revision: number | undefined,
  like: Draft,
): Draft | undefined {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(keyOf(name)) ?? 'null');
    if (!isStoredDraft(stored, like) || stored.revision !== revision) return undefined;
    const { draft } = stored;
    return { ...draft, env: renumbered(draft.env), labels: renumbered(draft.labels) };
  } catch {
    return undefined;
  }
}

/** Numbers given before a reload may be given again after it. */
function renumbered(pairs: readonly Pair[]): Pair[] {
  return pairs.map(({ key, value }) => createPair(key, value));
}

function isStoredDraft(stored: unknown, like: Draft): stored is StoredDraft {
  if (typeof stored !== 'object' || stored === null || !('draft' in stored)) return false;
  const { draft } = stored;
  if (typeof draft !== 'object' || draft === null) return false;
  return Object.entries(like).every(([key, value]) => {
    const candidate: unknown = Reflect.get(draft, key);
    return typeof candidate === typeof value && Array.isArray(candidate) === Array.isArray(value);
  });
}
