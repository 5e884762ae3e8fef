/**
 * People who turn a calendar over at the worst moment: when most jobs are due, or when the excluded
 * ticks of a job have been gathered for as long as they may be, and somebody is about to tell of them.
 */
import { readCursor, root } from './commit-changes.ts';
import type { EtcdStore } from './etcd-store.ts';
import type { Human } from './human.ts';
import type { Ledger } from './ledger.ts';
import { countedIn } from './schedules.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimTime } from './sim-time.ts';

const gatherMs = 60_000;
const boundaryMs = 10_000;

export interface CalendarTurnsOptions {
  readonly time: SimTime;
  readonly etcd: EtcdStore;
  readonly ledger: Ledger;
  readonly humans: readonly Human[];
  readonly random: SeededRandom;
  readonly meanMs: number;
  readonly isOver: () => boolean;
}

export class CalendarTurns {
  readonly #options: CalendarTurnsOptions;

  constructor(options: CalendarTurnsOptions) {
    this.#options = options;
  }

  start(): void {
    const { time, random, humans, meanMs, isOver } = this.#options;
    time.after(random.exponential(meanMs), () => {
      if (isOver()) return;
      const aimed = random.chance(0.6) ? this.#whenTold() : undefined;
      const delayMs = aimed?.delayMs ?? boundaryMs - (time.trueWallMs % boundaryMs);
      for (const human of humans) {
        const atMs = delayMs + random.between(-250, 350);
        time.after(atMs, () => {
          if (!isOver()) void human.turnCalendar(aimed?.calendar);
        });
      }
      this.start();
    });
  }

  /** Until the ticks that a job's calendar holds back are told of. */
  #whenTold(): { readonly delayMs: number; readonly calendar: string } | undefined {
    const { time, etcd, ledger, random } = this.#options;
    const held = [...ledger.books.values()].flatMap(({ name }) => {
      const cursor = readCursor(etcd.get(`${root}cursor/${name}`)?.value.toString());
      const counted = cursor && countedIn(cursor.schedule);
      if (cursor === undefined || counted === undefined || counted.calendars.length === 0)
        return [];
      const [oldest] = counted.schedule.ticksIn(cursor.tick, cursor.tick + gatherMs);
      if (oldest === undefined || oldest > time.trueWallMs) return [];
      const told = counted.schedule.ticksIn(cursor.tick, oldest + gatherMs).at(-1) ?? oldest;
      return [{ delayMs: told - time.trueWallMs, calendar: random.pick(counted.calendars) }];
    });
    return held.length === 0 ? undefined : random.pick(held);
  }
}
