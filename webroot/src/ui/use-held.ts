/**
 * Nothing moves under the pointer: while `held`, the order of the items stays as it was when the
 * pointer came. Known items are still updated in place; items that are gone stay until it leaves,
 * new ones wait and are counted.
 */
import { type PointerEvent, useState } from 'react';

export interface HeldItems<T> {
  readonly items: readonly T[];
  /** New items that wait for the pointer to leave. */
  readonly waiting: number;
}

export function holdOrder<T>(
  frozen: readonly T[],
  fresh: readonly T[],
  idOf: (item: T) => string,
): HeldItems<T> {
  const freshById = new Map(fresh.map((item) => [idOf(item), item]));
  const items = frozen.map((item) => freshById.get(idOf(item)) ?? item);
  const frozenIds = new Set(frozen.map(idOf));
  // Items after the last known one were asked for (the next page); those before it only came in.
  const lastKnown = fresh.findLastIndex((item) => frozenIds.has(idOf(item)));
  const appended = fresh.slice(lastKnown + 1).filter((item) => !frozenIds.has(idOf(item)));
  const waiting = fresh.slice(0, lastKnown + 1).filter((item) => !frozenIds.has(idOf(item))).length;
  return { items: [...items, ...appended], waiting };
}

export interface HoldHandlers {
  readonly onPointerEnter: (event: PointerEvent) => void;
  readonly onPointerLeave: () => void;
}

/**
 * Holds from the moment the mouse comes over what `handlers` are put on. `scope` names what is
 * listed: another filter is another list, and nothing is held over.
 */
export function useHeldOrder<T>(
  fresh: readonly T[],
  scope: string,
  idOf: (item: T) => string,
): HeldItems<T> & { readonly handlers: HoldHandlers } {
  const [frozen, setFrozen] = useState<{ scope: string; items: readonly T[] } | undefined>();
  const handlers: HoldHandlers = {
    onPointerEnter: (event) => {
      if (event.pointerType === 'mouse') setFrozen({ scope, items: fresh });
    },
    onPointerLeave: () => setFrozen(undefined),
  };
  const held = frozen?.scope === scope && frozen.items.length > 0;
  return {
    ...(held ? holdOrder(frozen.items, fresh, idOf) : { items: fresh, waiting: 0 }),
    handlers,
  };
}

/** The value as it was when the mouse came over it, the newest one otherwise. */
export function useHeldValue<T>(fresh: T): { readonly value: T; readonly handlers: HoldHandlers } {
  const [frozen, setFrozen] = useState<{ readonly value: T } | undefined>();
  const handlers: HoldHandlers = {
    onPointerEnter: (event) => {
      if (event.pointerType === 'mouse') setFrozen({ value: fresh });
    },
    onPointerLeave: () => setFrozen(undefined),
  };
  return { value: frozen ? frozen.value : fresh, handlers };
}
