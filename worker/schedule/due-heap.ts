/**
 * Names ordered by when they next need attention, and by `order` among those of one time. Indexed binary heap: set, delete and take are
 * O(log n), so one heap and one timer serve any number of jobs.
 */
interface Slot {
  name: string;
  atMs: number;
  order: number;
}

export class DueHeap {
  readonly #slots: Slot[] = [];
  readonly #index = new Map<string, number>();

  get size(): number {
    return this.#slots.length;
  }

  names(): string[] {
    return [...this.#index.keys()];
  }

  peekMs(): number | undefined {
    return this.#slots[0]?.atMs;
  }

  set(name: string, atMs: number, order = 0): void {
    const at = this.#index.get(name);
    if (at === undefined) {
      this.#slots.push({ name, atMs, order });
      this.#index.set(name, this.#slots.length - 1);
      this.#up(this.#slots.length - 1);
      return;
    }
    const slot = this.#at(at);
    slot.atMs = atMs;
    slot.order = order;
    this.#up(at);
    this.#down(this.#index.get(name) ?? at);
  }

  delete(name: string): void {
    const at = this.#index.get(name);
    if (at === undefined) return;
    this.#index.delete(name);
    const last = this.#slots.pop();
    if (last === undefined || at === this.#slots.length) return;
    this.#slots[at] = last;
    this.#index.set(last.name, at);
    this.#up(at);
    this.#down(this.#index.get(last.name) ?? at);
  }

  /** Takes the earliest name that is due at `nowMs`. */
  take(nowMs: number): string | undefined {
    const first = this.#slots[0];
    if (first === undefined || first.atMs > nowMs) return undefined;
    this.delete(first.name);
    return first.name;
  }

  #at(index: number): Slot {
    const slot = this.#slots[index];
    if (slot === undefined) throw new RangeError(`no slot ${index}`);
    return slot;
  }

  #up(from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(this.#at(at), this.#at(parent))) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #down(from: number): void {
    let at = from;
    for (;;) {
      const left = 2 * at + 1;
      const right = left + 1;
      let least = at;
      if (this.#isBefore(left, least)) least = left;
      if (this.#isBefore(right, least)) least = right;
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #isBefore(at: number, other: number): boolean {
    return at < this.#slots.length && isBefore(this.#at(at), this.#at(other));
  }

  #swap(a: number, b: number): void {
    const slotA = this.#at(a);
    const slotB = this.#at(b);
    this.#slots[a] = slotB;
    this.#slots[b] = slotA;
    this.#index.set(slotB.name, a);
    this.#index.set(slotA.name, b);
  }
}

function isBefore(a: Slot, b: Slot): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
