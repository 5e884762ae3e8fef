/**
 * Finds the processes of all runs that are being ended, with as few readings of the process table
 * as can be: runs that look within a few milliseconds of each other share one.
 * A run that is `condemned` loses a process that bears its id as soon as that is read, for what
 * respawns itself may be gone by the end of the reading.
 */
import type { Clock } from '../../shared/clock.ts';
import {
  readOwnLine,
  readProcessTable,
  signalProcess,
  type ProcessEntry,
} from './process-table.ts';
import { findTrees, type TreeRoot } from './process-tree.ts';

const sharedForMs = 20;
const killPauseMs = 2;

export interface WatchedRoot extends TreeRoot {
  readonly isCondemned: boolean;
}

export class TreeWatch {
  readonly #clock: Clock;
  readonly #roots = new Set<WatchedRoot>();
  #begunAtMs = -Infinity;
  #trees: Map<WatchedRoot, ProcessEntry[]> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(root: WatchedRoot): void {
    this.#roots.add(root);
  }

  remove(root: WatchedRoot): void {
    this.#roots.delete(root);
  }

  /**
   * Who was there at some moment after `sinceMs` (monotonic); those killed by this very reading
   * are among them. Undefined where there is no process table.
   */
  find(root: WatchedRoot, sinceMs: number): readonly ProcessEntry[] | undefined {
    const nowMs = this.#clock.monotonicMs();
    const isFresh = this.#begunAtMs > sinceMs && nowMs - this.#begunAtMs <= sharedForMs;
    if (!isFresh || this.#trees?.has(root) === false) this.#read(nowMs);
    return this.#trees?.get(root);
  }

  /**
   * KILL to whoever is found of any root, until nobody is or the limit is over. It holds the thread:
   * for a process that has nothing else to do any more.
   */
  killAll(limitMs: number): void {
    const untilMs = this.#clock.monotonicMs() + limitMs;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    while (this.#roots.size > 0 && this.#clock.monotonicMs() < untilMs) {
      this.#read(this.#clock.monotonicMs());
      const members = [...(this.#trees?.values() ?? [])].flat();
      if (members.length === 0) return;
      for (const member of members) signalProcess(member, 'SIGKILL');
      Atomics.wait(pause, 0, 0, killPauseMs);
    }
  }

  #read(nowMs: number): void {
    this.#begunAtMs = nowMs;
    const condemned = new Set<string>();
    for (const { isCondemned, runId } of this.#roots) {
      if (isCondemned && runId !== undefined) condemned.add(runId);
    }
    const spared = readOwnLine();
    const table = readProcessTable((entry) => {
      if (entry.runId === undefined || !condemned.has(entry.runId)) return;
      if (!spared.has(entry.pid)) signalProcess(entry, 'SIGKILL');
    });
    this.#trees = table === undefined ? undefined : findTrees(table, this.#roots, spared);
  }
}
