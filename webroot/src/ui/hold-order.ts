/**
 * Nothing moves under the pointer: the order of a list as it was when the pointer came, with what is
 * known now. Known items are updated in place, items that are gone stay and are named as such, new
 * ones wait and are counted; what was asked for by scrolling (the next page) is appended.
 */
export interface HeldItems<T> {
  readonly items: readonly T[];
  /** Ids of items that are still shown but are not in the list any more. */
  readonly gone: ReadonlySet<string>;
  /** New items that wait for the pointer to leave. */
  readonly waiting: number;
}

const none: ReadonlySet<string> = new Set();

export function unheld<T>(items: readonly T[]): HeldItems<T> {
  return { items, gone: none, waiting: 0 };
}

export function holdOrder<T>(
  frozen: readonly T[],
  fresh: readonly T[],
  idOf: (item: T) => string,
): HeldItems<T> {
  const freshById = new Map(fresh.map((item) => [idOf(item), item]));
  const frozenIds = new Set(frozen.map(idOf));
  const isNew = (item: T): boolean => !frozenIds.has(idOf(item));
  // Items after the last known one were asked for (the next page); those before it only came in.
  const lastKnown = fresh.findLastIndex((item) => !isNew(item));
  return {
    items: [
      ...frozen.map((item) => freshById.get(idOf(item)) ?? item),
      ...fresh.slice(lastKnown + 1).filter(isNew),
    ],
    gone: new Set([...frozenIds].filter((id) => !freshById.has(id))),
    waiting: fresh.slice(0, lastKnown + 1).filter(isNew).length,
  };
}
