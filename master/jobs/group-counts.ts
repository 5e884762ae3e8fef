/** Groups by number, so that a column of jobs can hold them, and how many jobs each has. */
export class GroupCounts {
  readonly #numbers = new Map<string, number>();
  readonly #names: string[] = [];
  #counts: number[] = [];

  /** Numbers are below this. */
  get size(): number {
    return this.#names.length;
  }

  /** Jobs of each group, by number. */
  get counts(): readonly number[] {
    return this.#counts;
  }

  /** Of a group that has or had a job; undefined for any other. */
  numberOf(name: string): number | undefined {
    return this.#numbers.get(name);
  }

  nameOf(number: number): string {
    return this.#names[number] ?? '';
  }

  /** Counts one job more in the group, whose number it returns. */
  add(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.#names.push(name) - 1;
      this.#numbers.set(name, number);
    }
    this.#counts[number] = (this.#counts[number] ?? 0) + 1;
    return number;
  }

  remove(number: number): void {
    this.#counts[number] = (this.#counts[number] ?? 0) - 1;
  }

  clear(): void {
    this.#numbers.clear();
    this.#names.length = 0;
    this.#counts = [];
  }
}
