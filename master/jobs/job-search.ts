/**
 * Which jobs hold a text in name, description, command or group, whatever the case. What was searched
 * for recently is remembered and kept true as jobs change, so that the pages of one search cost one
 * search, and a search that goes on from a shorter one looks only at what that one found.
 */
import type { JobEntry } from '../../shared/mesh/job-entry.ts';
import { inTurns } from './in-turns.ts';
import type { JobIndex } from './job-index.ts';

const mostRemembered = 16;
/** Texts made in one turn of the event loop. */
const textsATurn = 2_000;

/** By slot, 1 for a job that holds the text. */
export type Matches = Uint8Array;

export class JobSearch {
  readonly #index: JobIndex;
  /** By slot, lower case; undefined while it was not needed. */
  #texts: (string | undefined)[] = [];
  /** The one that was asked for last is the last one. */
  readonly #remembered = new Map<string, Matches>();
  #leaveOff: () => void = () => undefined;

  constructor(index: JobIndex) {
    this.#index = index;
    index.onChange((slot) => {
      if (slot < 0) this.#forget();
      else this.#update(slot);
    });
    this.#forget();
  }

  /** `text` is not empty and in lower case. Of this moment: ask again for the next request. */
  matches(text: string): Matches {
    const { slots } = this.#index;
    const known = this.#remembered.get(text);
    if (known !== undefined && known.length >= slots) {
      this.#remember(text, known);
      return known;
    }
    const wider = this.#widerThan(text);
    // Some more slots than there are, for jobs that come.
    const found = new Uint8Array(slots + Math.max(256, slots >>> 3));
    for (let slot = 0; slot < slots; slot++) {
      if (wider?.[slot] === 0) continue;
      if (this.#textOf(slot).includes(text)) found[slot] = 1;
    }
    this.#remember(text, found);
    return found;
  }

  stop(): void {
    this.#leaveOff();
  }

  #widerThan(text: string): Matches | undefined {
    let best = '';
    for (const [known, { length }] of this.#remembered) {
      const isWider = length >= this.#index.slots && text.includes(known);
      if (isWider && known.length > best.length) best = known;
    }
    return this.#remembered.get(best);
  }

  #remember(text: string, found: Matches): void {
    this.#remembered.delete(text);
    this.#remembered.set(text, found);
    if (this.#remembered.size <= mostRemembered) return;
    for (const oldest of this.#remembered.keys()) {
      this.#remembered.delete(oldest);
      return;
    }
  }

  #textOf(slot: number): string {
    return (this.#texts[slot] ??= searchText(this.#index.at(slot)?.entry));
  }

  #update(slot: number): void {
    this.#texts[slot] = undefined;
    if (this.#remembered.size === 0) return;
    const text = this.#textOf(slot);
    for (const [searched, found] of this.#remembered) {
      if (slot < found.length) found[slot] = Number(text.includes(searched));
    }
  }

  #forget(): void {
    this.#texts = [];
    this.#remembered.clear();
    this.#leaveOff();
    // All at once, for whoever searches first, would block the loop.
    this.#leaveOff = inTurns(
      () => this.#index.slots,
      textsATurn,
      (slot) => void this.#textOf(slot),
    );
  }
}

function searchText(entry: JobEntry | undefined): string {
  if (entry === undefined) return '';
  if (!entry.ok) return entry.name.toLowerCase();
  const { description, command, group } = entry.job;
  return `${entry.name}\n${description}\n${command}\n${group}`.toLowerCase();
}
