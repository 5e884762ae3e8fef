/**
 * The timeline of a simulation for people: one line an event, true time first. `short` leaves out what
 * merely went as usual. The same seed tells the same story, byte for byte.
 */
import type { SimTime } from './sim-time.ts';

export type StoryDetail = 'none' | 'short' | 'full';

export class Story {
  readonly #time: SimTime;
  readonly #detail: StoryDetail;
  readonly #lines: string[] = [];

  constructor(time: SimTime, detail: StoryDetail) {
    this.#time = time;
    this.#detail = detail;
  }

  get isFull(): boolean {
    return this.#detail === 'full';
  }

  tell(who: string, what: string): void {
    if (this.#detail !== 'none') this.#add(who, what);
  }

  /** Only in the full story. */
  detail(who: string, what: string): void {
    if (this.#detail === 'full') this.#add(who, what);
  }

  text(): string {
    return this.#lines.length === 0 ? '' : `${this.#lines.join('\n')}\n`;
  }

  #add(who: string, what: string): void {
    this.#lines.push(`${clockOf(this.#time.nowMs)}  ${who.padEnd(8)} ${what}`);
  }
}

function clockOf(ms: number): string {
  const total = Math.floor(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const hours = two(Math.floor(total / 3_600_000));
  const minutes = two(Math.floor(total / 60_000) % 60);
  const seconds = two(Math.floor(total / 1000) % 60);
  return `${hours}:${minutes}:${seconds}.${String(total % 1000).padStart(3, '0')}`;
}
