/** Holds lists and values still from the moment the mouse comes over them until it leaves. */
import { type PointerEvent, useState } from 'react';
import { useStore } from '../external-store.ts';
import { heldEpochStore } from './held-store.ts';
import { type HeldItems, holdOrder, unheld } from './hold-order.ts';

export interface HoldHandlers {
  readonly onPointerEnter: (event: PointerEvent) => void;
  readonly onPointerLeave: () => void;
}

interface Frozen<T> {
  readonly scope: string;
  readonly epoch: number;
  readonly items: readonly T[];
}

/**
 * To be put on the list with `handlers`. `scope` names what is listed: another filter is another
 * list, and nothing is held over.
 */
export function useHeldOrder<T>(
  fresh: readonly T[],
  scope: string,
  idOf: (item: T) => string,
): HeldItems<T> & { readonly handlers: HoldHandlers } {
  const epoch = useStore(heldEpochStore);
  const [frozen, setFrozen] = useState<Frozen<T> | undefined>();
  const handlers: HoldHandlers = {
    onPointerEnter: (event) => {
      if (event.pointerType === 'mouse') setFrozen({ scope, epoch, items: fresh });
    },
    onPointerLeave: () => setFrozen(undefined),
  };
  const holds = frozen?.scope === scope && frozen.epoch === epoch && frozen.items.length > 0;
  return { ...(holds ? holdOrder(frozen.items, fresh, idOf) : unheld(fresh)), handlers };
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
