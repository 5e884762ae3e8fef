/**
 * Entries that wait for their completion: on disk as hold frames, and in memory because they are
 * few (as many as runs whose end is not settled). A release writes an entry's records into the log
 * like any others and then its end; a crash in between leaves it held, and sending it twice is
 * harmless. Those in old segments are written again further on, so that they pin no disk.
 */
import type { HistoryRecord } from '../../shared/history/records.ts';
import { encodeHold, encodeRecord, encodeRelease } from './entry-codec.ts';
import type { Segment } from './ledger.ts';
import type { HeldEntry } from './port.ts';
import type { ReplayedHold } from './replay.ts';
import type { SegmentWriter } from './segment-writer.ts';

interface Held {
  readonly entry: HeldEntry;
  readonly bytes: number;
  /** Number of the segment it lies in; undefined until it is on disk. */
  segment: number | undefined;
  releasing: Promise<void> | undefined;
  /** From an earlier life. */
  readonly isFound: boolean;
}

interface HeldEntriesOptions {
  readonly writer: Pick<SegmentWriter, 'write'>;
  readonly found: ReadonlyMap<string, ReplayedHold>;
  /** Record frames of a released entry are on disk. */
  readonly onRecords: (segment: Segment, frames: readonly Buffer[]) => void;
  readonly onReleased: () => void;
}

export class HeldEntries {
  readonly #options: HeldEntriesOptions;
  readonly #held = new Map<string, Held>();
  /** Of all that is held: asked for before every claim, so never counted anew. */
  #bytes = 0;
  #records = 0;

  constructor(options: HeldEntriesOptions) {
    this.#options = options;
    for (const [id, { entry, segment, bytes }] of options.found) {
      this.#set(id, { entry, bytes, segment, releasing: undefined, isFound: true });
    }
  }

  get size(): number {
    return this.#held.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get records(): number {
    return this.#records;
  }

  found(): readonly HeldEntry[] {
    return [...this.#held.values()].filter((held) => held.isFound).map((held) => held.entry);
  }

  /** The same id again replaces what was held under it. */
  async hold(entry: HeldEntry): Promise<void> {
    const frame = encodeHold(entry);
    const held: Held = {
      entry,
      bytes: frame.length,
      segment: undefined,
      releasing: undefined,
      isFound: false,
    };
    const earlier = this.#held.get(entry.id);
    this.#set(entry.id, held);
    try {
      await this.#options.writer.write({
        frames: [frame],
        essential: true,
        onDurable: (segment) => {
          held.segment = segment.number;
        },
      });
    } catch (error) {
      if (this.#held.get(entry.id) === held) {
        if (earlier === undefined) this.#delete(entry.id);
        else this.#set(entry.id, earlier);
      }
      throw error;
    }
  }

  /** False, and nothing done, when nothing is held under this id (any more). */
  async release(id: string, extra: readonly HistoryRecord[]): Promise<boolean> {
    const held = this.#held.get(id);
    if (held === undefined) return false;
    if (held.releasing !== undefined) {
      await held.releasing;
      return false;
    }
    held.releasing = this.#release(held, extra);
    try {
      await held.releasing;
    } finally {
      held.releasing = undefined;
    }
    return true;
  }

  /** Writes what is held in the segment again at the log's end. False while something stays in it. */
  async forward(segmentNumber: number): Promise<boolean> {
    const inside = [...this.#held.values()].filter((held) => held.segment === segmentNumber);
    if (inside.length === 0) return true;
    // Behind its own release in the log it would come back to life.
    const movable = inside.filter((held) => held.releasing === undefined);
    await Promise.all(
      movable.map((held) =>
        this.#options.writer.write({
          frames: [encodeHold(held.entry)],
          essential: true,
          onDurable: (segment) => {
            held.segment = segment.number;
          },
        }),
      ),
    );
    return movable.length === inside.length;
  }

  async #release(held: Held, extra: readonly HistoryRecord[]): Promise<void> {
    const { id } = held.entry;
    const frames = [...held.entry.records, ...extra].map(encodeRecord);
    await this.#options.writer.write({
      frames: [...frames, encodeRelease(id)],
      essential: true,
      onDurable: (segment) => {
        this.#options.onRecords(segment, frames);
        if (this.#held.get(id) === held) this.#delete(id);
        this.#options.onReleased();
      },
    });
  }

  #set(id: string, held: Held): void {
    this.#delete(id);
    this.#held.set(id, held);
    this.#bytes += held.bytes;
    this.#records += held.entry.records.length;
  }

  #delete(id: string): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#held.delete(id);
    this.#bytes -= held.bytes;
    this.#records -= held.entry.records.length;
  }
}
