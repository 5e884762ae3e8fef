/**
 * The next fires and what calendars pass over between them, as rows in order of time: ticks that are
 * passed over for the same reason one after another are one row.
 */
import type { ExcludedTick } from '../../../shared/calendar/preview.ts';

export type FireRow<T extends { readonly tick: number }> =
  | { readonly kind: 'fire'; readonly fire: T }
  | {
      readonly kind: 'passed';
      readonly tick: number;
      readonly calendar: string;
      readonly reason: string;
      readonly count: number;
      /** There are more than were told. */
      readonly more: boolean;
    };

/** The master tells no more than this. */
const mostTold = 100;

export function fireRows<T extends { readonly tick: number }>(
  fires: readonly T[],
  excluded: readonly ExcludedTick[],
): FireRow<T>[] {
  const rows: FireRow<T>[] = [];
  let next = 0;
  const passUpTo = (tick: number): void => {
    for (let over = excluded[next]; over && over.tick < tick; over = excluded[++next]) {
      const more = excluded.length >= mostTold && next === excluded.length - 1;
      const last = rows.at(-1);
      if (last?.kind === 'passed' && last.reason === over.reason) {
        rows[rows.length - 1] = { ...last, count: last.count + 1, more };
      } else {
        rows.push({ kind: 'passed', ...over, count: 1, more });
      }
    }
  };
  for (const fire of fires) {
    passUpTo(fire.tick);
    rows.push({ kind: 'fire', fire });
  }
  passUpTo(Infinity);
  return rows;
}
