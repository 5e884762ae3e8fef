/**
 * Backups of the simulated etcd, and restores from them: everybody is cut off for a while, then another
 * server answers, over the state of the backup, under the same cluster id or another one. The ledger
 * goes back with it; what has run has run.
 */
import type { Backup, EtcdStore } from './etcd-store.ts';
import type { SimWorker } from './fleet.ts';
import type { LedgerBackup } from './accounts.ts';
import type { Ledger } from './ledger.ts';
import type { Link } from './link.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimTime } from './sim-time.ts';
import type { Story } from './story.ts';

interface RestoresOptions {
  readonly time: SimTime;
  readonly etcd: EtcdStore;
  readonly ledger: Ledger;
  /** Of everybody. */
  readonly links: readonly Link[];
  readonly workers: readonly SimWorker[];
  readonly random: SeededRandom;
  readonly story: Story;
  /** That there is any restore at all. */
  readonly chance: number;
  /** Mean time between two restores, ms. */
  readonly meanMs: number;
}

interface Kept {
  readonly etcd: Backup;
  readonly ledger: LedgerBackup;
  readonly atMs: number;
}

const keptBackups = 3;
const metWithinMs = 40_000;

export class Restores {
  readonly #options: RestoresOptions;
  readonly #backups: Kept[] = [];
  #clusters = 1;
  #isOver = false;
  #restoredAtMs = -Infinity;

  constructor(options: RestoresOptions) {
    this.#options = options;
  }

  start(): void {
    const { meanMs, chance, random } = this.#options;
    if (!random.chance(chance)) return;
    this.#again(meanMs / 4, () => this.#backUp());
    this.#again(meanMs, () => this.#restore());
  }

  /** Etcd's past is needed to tell the restore, until everybody has met it. */
  get mayCompact(): boolean {
    return this.#options.time.nowMs - this.#restoredAtMs > metWithinMs;
  }

  /** No restore begins from here on. */
  stop(): void {
    this.#isOver = true;
  }

  #again(meanMs: number, what: () => void): void {
    const { time, random } = this.#options;
    time.after(random.exponential(meanMs), () => {
      if (this.#isOver) return;
      what();
      this.#again(meanMs, what);
    });
  }

  #backUp(): void {
    const { etcd, ledger, time } = this.#options;
    this.#backups.push({ etcd: etcd.backup(), ledger: ledger.backup(), atMs: time.nowMs });
    if (this.#backups.length > keptBackups) this.#backups.shift();
  }

  #restore(): void {
    const { etcd, ledger, links, workers, random, time, story } = this.#options;
    // Whoever meets the restored state first must have seen a later one: nobody else can tell it.
    const known = Math.min(...workers.map(({ disk }) => disk.remembered?.witness?.revision ?? 0));
    const usable = this.#backups.filter((backup) => backup.etcd.revision < known);
    if (usable.length === 0) return;
    const backup = random.pick(usable);
    const downMs = random.weighted([
      [2, () => random.between(20, 2_000)],
      [1, () => random.between(2_000, 25_000)],
    ])();
    story.tell('etcd', `~ is down for ${(downMs / 1000).toFixed(2)} s, to be restored`);
    for (const link of links) link.state = 'refused';
    // Often the machines go down together, or somebody stops everything first.
    const share = random.pick([0, 0, 0.5, 1, 1]);
    for (const worker of workers) {
      if (!random.chance(share)) continue;
      time.after(random.between(0, downMs), () => worker.crash());
      time.after(downMs + random.between(0, 5_000), () => worker.start());
    }
    time.after(downMs, () => {
      if (this.#isOver) return;
      const isSame = random.chance(0.5);
      if (!isSame) this.#clusters++;
      const ageMs = time.nowMs - backup.atMs;
      const { revision } = backup.etcd;
      story.tell(
        'etcd',
        `~ is restored to revision ${revision} of ${(ageMs / 1000).toFixed(2)} s ago, was ${etcd.revision}`,
      );
      etcd.restore(backup.etcd, `c${this.#clusters}`, time.nowMs);
      this.#restoredAtMs = time.nowMs;
      ledger.restore(backup.ledger);
      for (const link of links) {
        link.cutWatch();
        link.state = 'up';
      }
    });
  }
}
