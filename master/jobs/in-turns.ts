/**
 * Work on many items that nobody waits for, a piece in each turn of the event loop, so that requests
 * are answered in between.
 */

/** Calls `work` with each number below `count()`, which may grow; returns how to leave the rest. */
export function inTurns(
  count: () => number,
  perTurn: number,
  work: (item: number) => void,
): () => void {
  let turn: NodeJS.Immediate;
  const from = (first: number): void => {
    turn = setImmediate(() => {
      const end = Math.min(first + perTurn, count());
      for (let item = first; item < end; item++) work(item);
      if (end < count()) from(end);
    });
  };
  from(0);
  return () => clearImmediate(turn);
}
