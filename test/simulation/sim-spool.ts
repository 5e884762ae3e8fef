/**
 * The Spool port over a simulated disk that outlives the process, and a store that takes records any
 * number of times and merges them by the rule of the real ones. A write that was under way when the
 * process died may or may not be on the disk.
 */
import { CronmeshError } from '../../shared/errors.ts';
import type { HistoryRecord, HistoryRow } from '../../shared/history/records.ts';
import {
  foldRows,
  mergeParts,
  rowOf,
  type RowParts,
  type RowRecord,
} from '../../shared/history/row-parts.ts';
import type { RememberedState, StateMemory } from '../../worker/mesh/state-memory.ts';
import type { HeldEntry, Spool, SpoolState } from '../../worker/spool/port.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimProcess } from './sim-process.ts';
import type { SimTime } from './sim-time.ts';

export class SimStore {
  readonly #rows = new Map<string, RowParts>();
  isDown = false;
  /** In a mutant. */
  overridesEnds = false;

  ingest(records: readonly HistoryRecord[]): void {
    const rows = records.flatMap((record): RowRecord[] => {
      if (record.kind === 'output') return [];
      if (record.kind !== 'run-lost' || !this.overridesEnds) return [record];
      const { restored: _, ...verdict } = record;
      return [verdict];
    });
    for (const [id, parts] of foldRows(rows)) {
      const known = this.#rows.get(id);
      this.#rows.set(id, known === undefined ? parts : mergeParts(known, parts));
    }
  }

  row(id: string): HistoryRow | undefined {
    const parts = this.#rows.get(id);
    return parts === undefined ? undefined : rowOf(parts);
  }

  rows(): HistoryRow[] {
    return [...this.#rows.values()].map(rowOf);
  }
}

/** What survives a crash of the worker. */
export class SimDisk implements StateMemory {
  remembered: RememberedState | undefined;
  readonly held = new Map<string, HeldEntry>();
  /** Not yet acknowledged by the store. */
  pending: HistoryRecord[] = [];
  /** The disk is full, or fails. */
  isRefusing = false;
  slowMs = 3;

  async read(): Promise<RememberedState | undefined> {
    return this.remembered;
  }

  async write(state: RememberedState): Promise<void> {
    this.remembered = state;
  }
}

interface SimSpoolOptions {
  readonly process: SimProcess;
  readonly disk: SimDisk;
  readonly store: SimStore;
  readonly time: SimTime;
  readonly random: SeededRandom;
  /** In a mutant writes are answered before they are on the disk. */
  readonly isDurable: boolean;
}

const drainEveryMs = 200;

export class SimSpool implements Spool {
  readonly #options: SimSpoolOptions;
  readonly #found: readonly HeldEntry[];
  #lastWriteAtMs = 0;
  #stopped = false;
  #isDraining = false;

  /** Asked for and not yet on the disk, in order. */
  readonly #underWay = new Set<(disk: SimDisk) => void>();

  constructor(options: SimSpoolOptions) {
    this.#options = options;
    // How far the writing had come when the process was killed.
    options.process.onKilled = () => {
      for (const what of this.#underWay) {
        if (options.random.chance(0.5)) break;
        what(options.disk);
      }
    };
    this.#found = [...options.disk.held.values()];
  }

  async start(): Promise<void> {
    this.#drainLater();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
  }

  append(records: readonly HistoryRecord[]): Promise<void> {
    return this.#write((disk) => void disk.pending.push(...records));
  }

  hold(entry: HeldEntry): Promise<void> {
    // What is kept is bytes: a later change of the object must not reach the disk.
    const kept = structuredClone(entry);
    return this.#write((disk) => void disk.held.set(entry.id, kept));
  }

  release(id: string, extra: readonly HistoryRecord[] = []): Promise<void> {
    return this.#write((disk) => {
      const entry = disk.held.get(id);
      disk.held.delete(id);
      disk.pending.push(...(entry?.records ?? []), ...extra);
    });
  }

  held(): readonly HeldEntry[] {
    return this.#found.filter(({ id }) => this.#options.disk.held.has(id));
  }

  state(): SpoolState {
    const { disk } = this.#options;
    return {
      pendingBytes: disk.pending.length * 100,
      pendingRecords: disk.pending.length,
      maxBytes: 1_000_000,
      rejectedRecords: 0,
      accepting: !disk.isRefusing && !this.#stopped,
      ...(disk.isRefusing ? { reason: 'the disk is full' } : {}),
    };
  }

  hurry(): () => void {
    return () => undefined;
  }

  async drained(signal: AbortSignal): Promise<void> {
    const { disk, process } = this.#options;
    while (disk.pending.length > 0 && !signal.aborted) {
      await new Promise<void>((resolve) => void process.clock.after(50, resolve));
    }
  }

  /** Writes reach the disk in the order of their asking; the answer comes a little later. */
  #write(what: (disk: SimDisk) => void): Promise<void> {
    const { process, disk, time, random, isDurable } = this.#options;
    return new Promise((resolve, reject) => {
      if (!isDurable) {
        time.after(random.between(5, 500), () => {
          process.deliver(() => {
            what(disk);
            this.#drainLater();
          });
        });
        resolve();
        return;
      }
      const atMs = Math.max(this.#lastWriteAtMs, time.nowMs + random.next() * disk.slowMs);
      this.#lastWriteAtMs = atMs;
      this.#underWay.add(what);
      time.after(atMs - time.nowMs, () => {
        if (!process.isAlive) return;
        this.#underWay.delete(what);
        const fails = disk.isRefusing && random.chance(0.3);
        if (!fails || random.chance(0.5)) {
          what(disk);
          this.#drainLater();
        }
        time.after(random.between(0.1, 2), () => {
          process.deliver(() => {
            if (fails) reject(new CronmeshError('spool-unavailable', 'the disk failed'));
            else resolve();
          });
        });
      });
    });
  }

  /** Soon, when there is anything and it is not on its way already. */
  #drainLater(): void {
    const { process, disk } = this.#options;
    if (this.#isDraining || disk.pending.length === 0) return;
    this.#isDraining = true;
    process.clock.after(drainEveryMs, () => {
      this.#isDraining = false;
      if (!this.#stopped) this.#drain(disk.pending.slice(0, 50));
    });
  }

  #drain(batch: readonly HistoryRecord[]): void {
    const { process, disk, store, time, random } = this.#options;
    if (store.isDown) {
      this.#drainLater();
      return;
    }
    this.#isDraining = true;
    time.after(random.between(0.5, 10), () => {
      if (!store.isDown) store.ingest(batch);
      const isAnswered = !store.isDown && !random.chance(0.05);
      time.after(random.between(0.5, 5), () => {
        process.deliver(() => {
          this.#isDraining = false;
          if (isAnswered) disk.pending = disk.pending.slice(batch.length);
          this.#drainLater();
        });
      });
    });
  }
}
