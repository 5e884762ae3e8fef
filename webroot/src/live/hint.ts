/**
 * What a hint of the live stream says: of a topic, the names that changed, or that too many did to name
 * them. Hints are gathered until somebody acts on them.
 */
export type Topic = 'jobs' | 'workers' | 'runs' | 'calendars';

export interface Hint {
  readonly names: ReadonlySet<string>;
  /** More changed than is named. */
  readonly isMore: boolean;
}

export const anything: Hint = { names: new Set(), isMore: true };

/** Beyond this many it is not worth asking which. */
const mostNames = 2_000;

export function joinHints(a: Hint | undefined, b: Hint): Hint {
  if (a === undefined) return b;
  if (a.isMore || b.isMore || a.names.size + b.names.size > mostNames) return anything;
  return { names: new Set([...a.names, ...b.names]), isMore: false };
}

/** From the data of an event; what cannot be read may be about anything. */
export function readHint(data: unknown): Hint {
  if (typeof data !== 'string') return anything;
  let hint: unknown;
  try {
    hint = JSON.parse(data);
  } catch {
    return anything;
  }
  if (typeof hint !== 'object' || hint === null || !('names' in hint)) return anything;
  const { names } = hint;
  if (!Array.isArray(names) || ('more' in hint && hint.more === true)) return anything;
  return { names: new Set(names.map(String)), isMore: false };
}
