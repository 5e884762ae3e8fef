/**
 * The weather between one process and the server; faults change it as time goes by. Who must notice a
 * change of it listens, so that nobody has to look again and again.
 */
export type LinkState = 'up' | 'refused' | 'silent';

export class Link {
  /** What a message usually takes at most: how far away this process is. */
  readonly usualMs: number;
  /** What an event of a watch usually takes at most. */
  readonly usualLagMs: number;
  repliesLost = false;
  /** Chance that one request, or one reply, is lost. */
  lossChance = 0;
  /** Chance that a request or reply takes up to `slowMs`. */
  slowChance = 0;
  slowMs = 0;
  watchLagMs = 0;
  readonly #listeners = new Set<() => void>();
  #state: LinkState = 'up';
  #isDeposed = false;
  #isWatchHung = false;
  #watchCuts = 0;

  constructor(usualMs = 4, usualLagMs = 3) {
    this.usualMs = usualMs;
    this.usualLagMs = usualLagMs;
  }

  /** `refused`: no connection, calls fail at once; `silent`: what is sent vanishes, both ways. */
  get state(): LinkState {
    return this.#state;
  }

  set state(state: LinkState) {
    this.#state = state;
    this.#changed();
  }

  /** A deposed leader: answers keep-alives without effect and nothing else. */
  get isDeposed(): boolean {
    return this.#isDeposed;
  }

  set isDeposed(isDeposed: boolean) {
    this.#isDeposed = isDeposed;
    this.#changed();
  }

  /** A watch that is open says nothing more. */
  get isWatchHung(): boolean {
    return this.#isWatchHung;
  }

  set isWatchHung(isWatchHung: boolean) {
    this.#isWatchHung = isWatchHung;
    this.#changed();
  }

  /** How often the open watch was cut so far. */
  get watchCuts(): number {
    return this.#watchCuts;
  }

  /** A watch that is open hears what happens. */
  get isHearing(): boolean {
    return this.#state === 'up' && !this.#isWatchHung && !this.#isDeposed;
  }

  cutWatch(): void {
    this.#watchCuts++;
    this.#changed();
  }

  /** Everything works again. */
  mend(): void {
    this.repliesLost = false;
    this.lossChance = 0;
    this.slowChance = 0;
    this.slowMs = 0;
    this.watchLagMs = 0;
    this.#state = 'up';
    this.#isDeposed = false;
    this.#isWatchHung = false;
    this.#changed();
  }

  /** Tells when the watch may have been touched; the returned function ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
