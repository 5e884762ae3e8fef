/**
 * What history takes on disk, and whether the store is whole. Both may read a great deal, so neither is
 * asked more often than is of use, and nobody waits long for it: what was found last is remembered.
 */
import type { Clock } from '../../shared/clock.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import type { StorageUse } from '../../shared/history/prune.ts';

const useHoldsMs = 60_000;
/** For whoever only looks at the metrics, which come again and again. */
const shownForMs = 600_000;
const checkHoldsMs = 24 * 3_600_000;

export interface StoreCheck {
  readonly state: 'checking' | 'whole' | 'damaged' | 'unknown';
  /** Epoch ms. */
  readonly startedAt: number;
  readonly endedAt?: number;
  readonly problems: readonly string[];
}

export class StorageBook {
  readonly #store: Pick<HistoryStore, 'storageUse' | 'check'>;
  readonly #clock: Clock;
  #use: { readonly value: Promise<StorageUse>; readonly atMs: number } | undefined;
  #known: StorageUse | undefined;
  #check: StoreCheck | undefined;
  #checking: Promise<void> | undefined;
  #checkedAtMs = -Infinity;
  #rowsPruned = 0;

  constructor(store: Pick<HistoryStore, 'storageUse' | 'check'>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** At most a minute old. Throws `store-unavailable`. */
  async use(): Promise<StorageUse> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#use === undefined || nowMs - this.#use.atMs > useHoldsMs) {
      const asked = { value: this.#store.storageUse(), atMs: nowMs };
      this.#use = asked;
      asked.value.then(
        (use) => {
          this.#known = use;
        },
        () => {
          if (this.#use === asked) this.#use = undefined;
        },
      );
    }
    return this.#use.value;
  }

  noteRound(rows: number): void {
    this.#rowsPruned += rows;
    this.#use = undefined;
    this.use().catch(() => undefined);
  }

  /** The newest check, after at most `waitMs`; begins one when there is none of the last day. */
  async check(isNew: boolean, waitMs: number): Promise<StoreCheck> {
    const isOld = this.#clock.monotonicMs() - this.#checkedAtMs > checkHoldsMs;
    if (this.#checking === undefined && (isNew || isOld || this.#check === undefined)) {
      this.#checking = this.#begin();
    }
    await Promise.race([this.#checking, this.#soon(waitMs)]);
    return this.#check ?? { state: 'unknown', startedAt: this.#clock.wallMs(), problems: [] };
  }

  /** In words, when the newest check found any. */
  get damage(): string | undefined {
    if (this.#check?.state !== 'damaged') return undefined;
    return `the store is damaged: ${this.#check.problems[0] ?? 'no details'}`;
  }

  /** What was known last, for metrics; when that is old, the next one is newer. */
  latest(): StorageUse | undefined {
    const isOld = this.#clock.monotonicMs() - (this.#use?.atMs ?? -Infinity) > shownForMs;
    if (isOld) this.use().catch(() => undefined);
    return this.#known;
  }

  /** What this master has deleted. */
  get rowsPruned(): number {
    return this.#rowsPruned;
  }

  async #begin(): Promise<void> {
    const startedAt = this.#clock.wallMs();
    const former = this.#check;
    this.#check = { state: 'checking', startedAt, problems: former?.problems ?? [] };
    try {
      const problems = await this.#store.check();
      const state = problems.length === 0 ? 'whole' : 'damaged';
      this.#check = { state, startedAt, endedAt: this.#clock.wallMs(), problems };
    } catch (error) {
      const problems = [error instanceof Error ? error.message : String(error)];
      this.#check = { state: 'unknown', startedAt, endedAt: this.#clock.wallMs(), problems };
    } finally {
      this.#checking = undefined;
      this.#checkedAtMs = this.#clock.monotonicMs();
    }
  }

  #soon(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(waitMs, resolve);
    });
  }
}
