/**
 * The parts of a job, made so that what is not there costs nothing: of 100,000 jobs few have anything
 * open, so what has no entries is one map for all of them.
 */
import type { UnreadableKey } from './unreadable.ts';
import type { JobParts } from './view.ts';

const none: ReadonlyMap<string, never> = new Map<string, never>();
const nothingUnreadable = { fire: none, trigger: none };

export function emptyPart(name: string): JobParts {
  return {
    name,
    entry: undefined,
    cursor: undefined,
    state: undefined,
    fires: none,
    triggers: none,
    dones: none,
    orders: none,
    slots: none,
    unreadable: nothingUnreadable,
  };
}

/** The map with the value put there, or, when it is undefined, deleted. */
export function withEntry<T>(
  map: ReadonlyMap<string, T>,
  id: string,
  value: T | undefined,
): ReadonlyMap<string, T> {
  if (value === undefined && !map.has(id)) return map;
  if (value === undefined && map.size === 1) return none;
  const own = map instanceof Map && map.size > 0 ? map : new Map<string, T>();
  if (value === undefined) own.delete(id);
  else own.set(id, value);
  return own;
}

export function setUnreadable(
  part: JobParts,
  kind: 'fire' | 'trigger',
  id: string,
  value: UnreadableKey | undefined,
): void {
  const ofKind = withEntry(part.unreadable[kind], id, value);
  if (ofKind !== part.unreadable[kind]) part.unreadable = { ...part.unreadable, [kind]: ofKind };
}

export function isEmpty(part: JobParts): boolean {
  return (
    part.entry === undefined &&
    part.cursor === undefined &&
    part.state === undefined &&
    part.fires.size + part.triggers.size + part.dones.size + part.orders.size === 0 &&
    part.slots.size + part.unreadable.fire.size + part.unreadable.trigger.size === 0
  );
}
