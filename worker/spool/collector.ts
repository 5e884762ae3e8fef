/**
 * Removes segments that the store has all of, oldest first. What is still held in one is written
 * again further on before; a damaged one is renamed to `.corrupt` instead. What fails is tried
 * again at the next call.
 */
import { rename, unlink } from 'node:fs/promises';
import type { Logger } from '../../shared/log.ts';
import type { HeldEntries } from './held-entries.ts';
import type { Ledger, Segment } from './ledger.ts';
import { errnoOf } from './disk.ts';

export class Collector {
  readonly #ledger: Ledger;
  readonly #held: HeldEntries;
  readonly #logger: Logger;
  #collecting: Promise<void> | undefined;

  constructor(ledger: Ledger, held: HeldEntries, logger: Logger) {
    this.#ledger = ledger;
    this.#held = held;
    this.#logger = logger;
  }

  /** Never throws; concurrent calls share one round. */
  collect(): Promise<void> {
    this.#collecting ??= this.#collect().finally(() => {
      this.#collecting = undefined;
    });
    return this.#collecting;
  }

  async #collect(): Promise<void> {
    let segment = this.#ledger.oldestSettled();
    try {
      for (; segment !== undefined; segment = this.#ledger.oldestSettled()) {
        if (!(await this.#held.forward(segment.number))) return;
        await this.#remove(segment);
        this.#ledger.removeOldest(segment);
      }
    } catch (error) {
      this.#logger.warn(
        { err: error, file: segment?.path },
        'a finished spool segment could not be removed yet',
      );
    }
  }

  async #remove(segment: Segment): Promise<void> {
    try {
      if (segment.damage === undefined) await unlink(segment.path);
      else await rename(segment.path, `${segment.path}.corrupt`);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
}
