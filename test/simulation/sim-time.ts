/**
 * True time of a simulation: one queue of events in order of time, then of asking. Between two events
 * every promise that is ready runs, so that what an event sets off is settled before the next one.
 * That takes no turn of the real loop, and a rejection that nobody handled is told at once; only now
 * and then there is a turn, for whoever else wants one.
 */

// Taken before the globals are forbidden.
const realSetImmediate = setImmediate;

/**
 * What Node itself does between two timers of one turn: ticks, promises, and rejections that nobody
 * handled. A fifth of what it takes to wait for all that by a promise and a tick of one's own.
 */
const { _tickCallback: runWhatIsReady } = process as unknown as { _tickCallback(this: void): void };

/** After how many events there is a turn of the real loop. */
const usualTurn = 500;

interface Event {
  readonly atMs: number;
  readonly order: number;
  run: (() => void) | undefined;
}

export class SimTime {
  readonly #heap: Event[] = [];
  #nowMs = 0;
  #order = 0;
  #events = 0;
  /** The true wall time at which it begins, epoch ms. */
  readonly originMs: number;
  readonly #eventsPerTurn: number;

  constructor(originMs: number, eventsPerTurn = usualTurn) {
    this.originMs = originMs;
    this.#eventsPerTurn = eventsPerTurn;
  }

  /** True milliseconds since the simulation began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get trueWallMs(): number {
    return this.originMs + this.#nowMs;
  }

  get eventCount(): number {
    return this.#events;
  }

  /** Runs `callback` once after `delayMs` of true time; the returned function cancels it. */
  after(delayMs: number, callback: () => void): () => void {
    const event = this.#add(delayMs, callback);
    return () => {
      event.run = undefined;
    };
  }

  /** As after() with no delay, for what nobody cancels. */
  post(callback: () => void): void {
    this.#add(0, callback);
  }

  #add(delayMs: number, run: () => void): Event {
    const atMs = delayMs > 0 ? this.#nowMs + delayMs : this.#nowMs;
    const event = { atMs, order: this.#order++, run };
    this.#push(event);
    return event;
  }

  /** Runs what falls due until `untilMs`, or until `stop` says so. */
  run(untilMs: number, stop: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        try {
          for (let left = this.#eventsPerTurn; left > 0; left--) {
            if (!this.#one(untilMs, stop)) {
              resolve();
              return;
            }
            runWhatIsReady();
          }
        } catch (error) {
          reject(error);
          return;
        }
        realSetImmediate(turn);
      };
      realSetImmediate(turn);
    });
  }

  /** One event; false when there is none until then. */
  #one(untilMs: number, stop: () => boolean): boolean {
    if (stop()) return false;
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return false;
      }
      this.#pop();
      if (first.run === undefined) continue;
      this.#nowMs = first.atMs;
      this.#events++;
      first.run();
      return true;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, left)) child++;
      const least = heap[child] ?? left;
      if (!isBefore(least, last)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
